"""Kinds of files that are not text, by their first bytes, and how to go on with each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edgener_runtime.errors import UserInputError

_EXPORT = "Export its text in one of the formats that edgener data formats lists."
_MODEL = "It belongs to a model; name labelled text, or a file with one text per line."
_UNPACK = "Unpack it, and name the file inside."


@dataclass(frozen=True)
class BinaryKind:
    """A kind of file, the pattern of its first bytes, and what to do with it; `{name}` is the file's name."""

    name: str
    head: bytes
    hint: str

    def matches(self, head: bytes) -> bool:
        """Whether a file that begins so is of this kind."""
        return bool(re.match(self.head, head, re.DOTALL))


# The first that matches: documents and weights are zip archives with known names inside.
_KINDS = (
    BinaryKind("a Parquet file", rb"PAR1\x15", "Leave out --format, or read it with --format parquet."),
    BinaryKind(
        "an Arrow file",
        rb"ARROW1\0\0",
        "Name it with the ending .arrow and leave out --format, or name the saved folder.",
    ),
    BinaryKind("a PDF document", rb"%PDF-", _EXPORT),
    BinaryKind("an Excel workbook (.xlsx)", rb"PK\x03\x04.*xl/", "Save its sheet as CSV, and name that file."),
    BinaryKind("a Word document (.docx)", rb"PK\x03\x04.*word/", _EXPORT),
    BinaryKind("an OpenDocument file", rb"PK\x03\x04.*mimetypeapplication/vnd\.oasis", _EXPORT),
    BinaryKind("weights of PyTorch", rb"PK\x03\x04.*/data\.pkl", _MODEL),
    BinaryKind("arrays of NumPy (.npz)", rb"PK\x03\x04.*\.npy", _EXPORT),
    BinaryKind("a zip archive (or .docx, .xlsx, .odt, which are zip archives)", rb"PK\x03\x04", _UNPACK),
    BinaryKind("an empty zip archive", rb"PK\x05\x06", "Name another file."),
    BinaryKind("a gzip archive", rb"\x1f\x8b", "Unpack it: gunzip --keep {name}"),
    BinaryKind("a bzip2 archive", rb"BZh[1-9]1AY&SY", "Unpack it: bunzip2 --keep {name}"),
    BinaryKind("an xz archive", rb"\xfd7zXZ", "Unpack it: unxz --keep {name}"),
    BinaryKind("a Zstandard archive", rb"\x28\xb5\x2f\xfd", "Unpack it: unzstd {name}"),
    BinaryKind("a 7-Zip archive", rb"7z\xbc\xaf", _UNPACK),
    BinaryKind("a RAR archive", rb"Rar!\x1a\x07", _UNPACK),
    BinaryKind("a tar archive", rb".{257}ustar", "Unpack it: tar -xf {name}"),
    BinaryKind("a document of Microsoft Office before 2007", rb"\xd0\xcf\x11\xe0", _EXPORT),
    BinaryKind("an SQLite database", rb"SQLite format 3", _EXPORT),
    BinaryKind("an HDF5 file", rb"\x89HDF", _EXPORT),
    BinaryKind("an array of NumPy", rb"\x93NUMPY", _EXPORT),
    BinaryKind(
        "a Python pickle", rb"\x80[\x02-\x05]", "Load it in Python, and write its records as JSON Lines (json.dumps)."
    ),
    BinaryKind(
        "compressed data (zlib, as spaCy's DocBin)", rb"\x78[\x01\x9c\xda]", "Export it from spaCy as JSON or BIO tags."
    ),
    BinaryKind("an ONNX model", rb"\x08[\x01-\x20](?:[\x12\x1a\x22]|[:B].*onnx)", _MODEL),
    BinaryKind("weights in safetensors", rb'.{5}\0\0\0\{\s*"', _MODEL),
    BinaryKind("weights in GGUF", rb"GGUF[\x01-\x09]\0", _MODEL),
    BinaryKind("a PNG picture", rb"\x89PNG", "Name a file with text."),
    BinaryKind("a JPEG picture", rb"\xff\xd8\xff", "Name a file with text."),
)
_OTHER = BinaryKind(
    "binary data, or UTF-16 without a byte order mark",
    rb"(?!\xff\xfe|\xfe\xff|\0\0\xfe\xff)",
    "If it is text, convert it: iconv -f UTF-16LE -t UTF-8 {name}",
)
_NULS = 8  # UTF-16 has a NUL in most characters of Latin scripts; a text may have a stray one


def refuse_binary(path: Path, head: bytes) -> None:
    """Raise UserInputError with the kind of a file that is not text; text with a byte order mark is text."""
    kinds = (*_KINDS, _OTHER) if head.count(0) > len(head) / _NULS else _KINDS
    if kind := next((kind for kind in kinds if kind.matches(head)), None):
        raise UserInputError(f"{path} is {kind.name}, which is not read as text", kind.hint.format(name=path.name))
