"""Reading a data file whole: marks and line ends of other systems, and files that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgener.data.readers.lines import BadLines, read_text
from edgener_runtime.errors import UserInputError


def written(folder: Path, data: bytes) -> Path:
    file = folder / "file.txt"
    file.write_bytes(data)
    return file


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a\nb\n", "a\nb\n"),
        (b"\xef\xbb\xbfa\n", "a\n"),
        (b"\xef\xbb\xbf", ""),
        (b"a\r\nb\r\n", "a\nb\n"),
        (b"a\rb", "a\nb"),
        ("Grüße 漏油\u2028\x85".encode(), "Grüße 漏油\u2028\x85"),
        (b"", ""),
    ],
)
def test_byte_order_mark_and_line_ends_are_evened_out(tmp_path: Path, data: bytes, text: str) -> None:
    assert read_text(written(tmp_path, data)) == text


@pytest.mark.parametrize(
    ("data", "where", "hint"),
    [
        ("ok\nGrüße\n".encode("cp1252"), "file.txt:2: not UTF-8: byte 0xfc", "iconv -f ENCODING -t UTF-8 file.txt"),
        (b"\xef\xbb\xbfa\r\nb\r\n\xff", "file.txt:3: not UTF-8: byte 0xff", "iconv"),
        (
            "漏油".encode("utf-16"),
            "file.txt: not UTF-8: it begins with the byte order mark of UTF-16",
            "iconv -f UTF-16 -t UTF-8 file.txt",
        ),
        (b"a\n\xed\xa0\x80\n", "file.txt:2: not UTF-8: byte 0xed", "iconv"),
    ],
)
def test_what_is_not_utf8_is_an_error_with_its_line(tmp_path: Path, data: bytes, where: str, hint: str) -> None:
    with pytest.raises(UserInputError) as error:
        read_text(written(tmp_path, data))
    assert where in error.value.message
    assert error.value.hint and hint in error.value.hint


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=r"there is no file .*nowhere"):
        read_text(tmp_path / "nowhere")


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=r"cannot read .*: Is a directory"):
        read_text(tmp_path)


@pytest.mark.parametrize("fault", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")])
def test_an_unreadable_file_is_an_error(monkeypatch: pytest.MonkeyPatch, fault: OSError) -> None:
    def refuse(*arguments: object) -> bytes:
        raise fault

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserInputError, match=f"cannot read file.txt: {fault.strerror}"):
        read_text(Path("file.txt"))


def test_a_broken_line_is_shown_in_short() -> None:
    with pytest.raises(UserInputError) as error:
        BadLines(Path("file.txt")).report(9, "x" * 5000, "a tag")
    assert error.value.message == f"file.txt:9: found {'x' * 100!r}, expected a tag"
    assert error.value.exit_code == 2


def test_broken_lines_are_counted_where_they_are_skipped() -> None:
    bad = BadLines(Path("file.txt"), skip=True)
    for line in (3, 4):
        bad.report(line, "x", "a tag")
    assert bad.counts == {"broken lines skipped": 2}
