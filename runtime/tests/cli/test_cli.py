"""The commands of the device, in this process and as people start them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from edgener_runtime import Decoding, Entity, TokenClassifier, __version__
from edgener_runtime.bundle.manifest import read_manifest
from edgener_runtime.cli.main import main
from edgener_runtime.cli.options import option_arguments
from edgener_runtime.machine.cpu import usable_cores

pytestmark = pytest.mark.compat

TEXT = "Feed pump P-101: oil leak, 泵"
# As the installed script; a suite run in the background ignores Ctrl-C, and so would what it starts.
SCRIPT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from edgener_runtime.cli.main import main
main(prog_name="edgener-runtime")
"""
COMMAND = [sys.executable, "-c", SCRIPT]
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"
}  # as most people have it
Run = Callable[..., Any]


def answer(line: str) -> tuple[dict[str, Any], list[Entity]]:
    """The fields of a line of output, and its entities."""
    record = json.loads(line)
    return record, [Entity(**entity) for entity in record.pop("entities")]


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, encoding="utf-8", env=ENVIRONMENT,
    )  # fmt: skip


# --- predict


def test_arguments_lines_and_json_lines_get_the_same_answers(
    bundle: Path, classifier: TokenClassifier, tmp_path: Path, run: Run
) -> None:
    texts = [TEXT, "oil leak"]
    lines, records = tmp_path / "orders.txt", tmp_path / "orders.jsonl"
    lines.write_text("".join(f"{text}\r\n\n" for text in texts), encoding="utf-8-sig")
    records.write_text("".join(json.dumps({"id": 7, "text": text}) + "\n" for text in texts), encoding="utf-8")
    fp32 = ("predict", bundle, "--variant", "fp32")
    outputs = {
        "arguments": run(*fp32, *texts),
        "a file": run(*fp32, "--input", lines),
        "stdin": run(*fp32, stdin=lines.read_bytes()),
        "a dash": run(*fp32, "--input", "-", stdin=lines.read_bytes()),
        "JSON Lines": run(*fp32, "--input", records),
        "JSON Lines from stdin": run(*fp32, "--format", "jsonl", stdin=records.read_bytes()),
    }
    expected = [classifier.predict(text) for text in texts]
    for name, done in outputs.items():
        assert (done.code, done.err) == (0, ""), name
        found = [answer(line) for line in done.out.splitlines()]
        kept = {"id": 7} if "JSON" in name else {}
        assert [record for record, _ in found] == [{**kept, "text": text} for text in texts]
        for (_, entities), known in zip(found, expected, strict=True):
            assert entities == [
                Entity(one.label, one.start, one.end, pytest.approx(one.score, abs=1e-5), one.text)  # batched or not
                for one in known
            ]


def test_a_whole_file_is_one_text(bundle: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "report").write_text(f"{TEXT}\n{TEXT}\n", encoding="utf-8")
    [line] = run("predict", bundle, "--input", tmp_path / "report", "--format", "text").out.splitlines()
    record, entities = answer(line)
    assert record == {"text": f"{TEXT}\n{TEXT}\n"}
    assert entities[-1].start > len(TEXT)


@pytest.mark.parametrize("aggregation", ["none", "simple", "first", "average", "max"])
def test_the_aggregation_can_be_chosen(aggregation: str, bundle: Path, classifier: TokenClassifier, run: Run) -> None:
    done = run("predict", bundle, "--variant", "fp32", "--aggregation", aggregation, TEXT)
    _, entities = answer(done.out)
    expected = classifier.predict(TEXT, Decoding(aggregation))
    assert [entity.text for entity in entities] == [entity.text for entity in expected]


def test_the_first_variant_that_runs_here_is_taken_unless_one_is_named(bundle: Path, run: Run) -> None:
    auto, int8, fp32 = (
        run("predict", bundle, "--variant", name, "--device", "cpu", TEXT).out
        for name in ("auto", "int8-dynamic", "fp32")
    )
    assert auto == int8 != fp32


def test_a_long_file_is_answered_in_order(bundle: Path, tmp_path: Path, run: Run) -> None:
    texts = [f"oil leak {number} " + "pump " * (number % 50) for number in range(150)]
    (tmp_path / "orders.txt").write_text("\n".join(texts), encoding="utf-8")
    done = run("predict", bundle, "--input", tmp_path / "orders.txt")
    assert [json.loads(line)["text"] for line in done.out.splitlines()] == texts


@pytest.mark.parametrize("text", ["", "  ", "\x00", "e\u0301 \u202e\u2028 🔧", "oil \ud800 leak"])
def test_any_text_comes_back_as_it_was(text: str, bundle: Path, run: Run) -> None:
    done = run("predict", bundle, text)
    assert done.code == 0
    [line] = done.out.split("\n")[:-1]
    record, _ = answer(line)
    assert record == {"text": text}


def test_no_texts_are_no_answers(bundle: Path, run: Run) -> None:
    done = run("predict", bundle, stdin=b"\n\n")
    assert (done.code, done.out, done.err) == (0, "", "")


# --- verify


def test_a_whole_bundle_verifies(bundle: Path, run: Run) -> None:
    done = run("verify", bundle)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].split("\t")[:2] == ["int8-dynamic", "int8"]
    assert lines[-1] == f"{bundle}: 10 files, all as in the manifest"


def test_the_manifest_can_be_had_as_json(bundle: Path, run: Run) -> None:
    assert run("verify", bundle, "--json").out == read_manifest(bundle).to_json()


# --- what goes wrong


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "message"),
    [
        (["--input", "missing.txt"], b"", 2, "error: cannot read missing.txt: No such file"),
        (["--input", "-", "oil leak"], b"", 2, "Error: give TEXTS or --input, not both"),
        (["--aggregation", "mean", "oil leak"], b"", 2, "Invalid value for '--aggregation'"),
        (["--device", "tpu", "oil leak"], b"", 2, "Invalid value for '--device'"),
        (["--threads", "0", "oil leak"], b"", 2, "Invalid value for '--threads'"),
        (["--threads", str(usable_cores() + 1), "oil leak"], b"", 2, "cores that this process may use"),
        (["--format", "xml"], b"", 2, "Invalid value for '--format'"),
        (["--variant", "int4", "oil leak"], b"", 2, "has no variant 'int4'\n  It has: int8-dynamic, fp32."),
        ([], b"oil\n\xff\n", 2, "error: -:2: not UTF-8: byte 0xff"),
        (["--format", "jsonl"], b'{"text": "oil"}\n{"txt": 1}\n', 2, "error: -:2: found '{\"txt\": 1}', expected"),
    ],
)
def test_a_wrong_call_is_a_message_and_an_exit_code(
    arguments: list[str], stdin: bytes, code: int, message: str, bundle: Path, run: Run
) -> None:
    done = run("predict", bundle, *arguments, stdin=stdin)
    assert done.code == code
    assert message in done.err and "Traceback" not in done.err


def test_texts_before_a_broken_line_are_answered(bundle: Path, run: Run) -> None:
    done = run("predict", bundle, stdin=b"oil leak\n\xff\npump\n")
    assert done.code == 2
    assert [json.loads(line)["text"] for line in done.out.splitlines()] == ["oil leak"]


@pytest.mark.parametrize("command", ["predict", "verify"])
def test_a_folder_that_is_not_a_bundle_ends_in_5(command: str, tmp_path: Path, run: Run) -> None:
    done = run(command, tmp_path)
    assert (done.code, done.out) == (5, "")
    assert done.err == f"error: {tmp_path} is not a bundle: it has no manifest.json\n  Make one with: edgener export\n"


def test_debug_shows_where(tmp_path: Path) -> None:
    done = subprocess.run([*COMMAND, "--debug", "verify", tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Traceback" in done.stderr and "BundleError" in done.stderr


# --- as a process


def test_stdin_is_answered_as_it_comes(bundle: Path) -> None:
    with start("predict", bundle) as process:
        assert process.stdin and process.stdout
        for text in ("oil leak", "泵 P-101"):
            process.stdin.write(text + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["text"] == text  # before stdin ends
        process.stdin.close()
        assert process.wait(600) == 0


def test_bytes_that_are_no_text_come_back_escaped_in_any_locale(bundle: Path) -> None:
    environment = {**ENVIRONMENT, "LC_ALL": "C", "PYTHONIOENCODING": "ascii:strict"}
    done = subprocess.run(
        [*COMMAND, "predict", str(bundle), b"oil \xff leak", "泵".encode()],
        capture_output=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, other = done.stdout.decode("utf-8").splitlines()
    assert json.loads(one)["text"] == "oil \udcff leak"
    assert json.loads(other)["text"] == "泵"


def test_a_reader_that_leaves_early_is_not_an_error(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "orders.txt").write_text("oil leak\n" * 1000)
    with start("predict", bundle, "--input", tmp_path / "orders.txt") as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(600) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_ends_in_130_without_a_traceback(bundle: Path) -> None:
    with start("predict", bundle) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write("oil leak\n")
        process.stdin.flush()
        assert process.stdout.readline()  # it is running and waits for more
        process.send_signal(signal.SIGINT)
        assert process.wait(600) == 130
        assert process.stderr.read() == "error: interrupted; nothing half-written was left behind\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_stdout_is_one_message(bundle: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "predict", str(bundle), "oil leak"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "error: cannot write to stdout: No space left on device\n  Free some space.\n"


# --- help


def test_the_version_is_reported(run: Run) -> None:
    assert run("--version").out == f"edgener-runtime, version {__version__}\n"


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_and_option_has_help_and_an_example(command: str, run: Run) -> None:
    done = run(command, "--help")
    assert done.code == 0
    assert f"edgener-runtime {command} " in done.out.partition("Example")[2]
    options = [option for option in main.commands[command].params if isinstance(option, click.Option)]
    assert all(option.help for option in options)


def test_options_are_written_as_they_are_typed() -> None:
    options = {"scenario": ("server", "offline"), "samples_per_query": 8, "name": None, "json": True, "strict": False}
    assert option_arguments(options.items()) == [
        "--scenario", "server", "--scenario", "offline", "--samples-per-query", "8", "--json",
    ]  # fmt: skip
