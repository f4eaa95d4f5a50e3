"""Jobs with worker processes: folders, resuming, workers that die, existing results, full disks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.bulk import journal
from edgener_runtime.bulk.journal import JOURNAL
from edgener_runtime.bulk.pool import WorkerProcess
from edgener_runtime.bulk.run import NEW, OVERWRITE, RESUME
from edgener_runtime.bulk.sources import OutputPaths
from edgener_runtime.bulk.spec import ROWS_AT_ONCE, TagSpec
from edgener_runtime.errors import BundleError, DeviceError, EdgenerError, StorageError, UserInputError

from .conftest import RunJob, write_lines

CHUNKS = 4
# A worker with a planted fault, which the text "fault" sets off.
PLANTED = """
import os, sys
sys.path[:] = filter(None, sys.path)
from edgener_runtime.bulk import worker
from edgener_runtime.errors import DeviceError, StorageError
from edgener_runtime.pipeline import TokenClassifier
predict_batch = TokenClassifier.predict_batch
def faulty(self, texts, *rest, **options):
    if any("fault" in text for text in texts):
        {fault}
    return predict_batch(self, texts, *rest, **options)
TokenClassifier.predict_batch = faulty
sys.exit(worker.main())
"""


def planted(fault: str) -> Sequence[str]:
    return sys.executable, "-c", PLANTED.format(fault=fault)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Four chunks, the third with a text that sets off a planted fault."""
    rows = [{"id": number, "text": f"Pump P-{number} leaks"} for number in range(CHUNKS * ROWS_AT_ONCE)]
    rows[2 * ROWS_AT_ONCE + 5]["text"] = "a fault"
    return write_lines(tmp_path / "in.jsonl", rows)


@pytest.fixture(scope="module")
def whole() -> dict[str, bytes]:
    """The bytes of an undisturbed job, once they are known."""
    return {}


def undisturbed(tag_job: RunJob, source: Path, whole: dict[str, bytes]) -> bytes:
    if not whole:
        out = source.with_name("whole.jsonl")
        tag_job(source, out, workers=2)
        whole["bytes"] = out.read_bytes()
    return whole["bytes"]


@pytest.mark.compat
def test_a_job_is_in_order_and_leaves_nothing_else(tag_job: RunJob, source: Path, tmp_path: Path) -> None:
    done = tag_job(source, workers=2)
    assert done and (done.rows, done.texts, done.rejected, done.files) == (2048, 2048, 0, 1)
    assert done.engine["variant"] == "fp32" and done.rejects is None and done.restarts == 0
    out = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert [row["id"] for row in out] == list(range(2048))
    assert sum(len(row["entities"]) for row in out) == done.entities
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


@pytest.mark.parametrize("end", [0, 1], ids=["whole journal", "journal cut off in a line"])
def test_a_killed_job_is_resumed_to_the_same_bytes(
    end: int, tag_job: RunJob, source: Path, whole: dict[str, bytes], tmp_path: Path, spec: Any
) -> None:
    expected = undisturbed(tag_job, source, whole)
    state = OutputPaths(tmp_path / "out.jsonl").state
    code = (
        "import sys\nfrom pathlib import Path\nfrom edgener_runtime.base.serde import from_json\n"
        "from edgener_runtime.bulk.run import BulkJob, run_job\nfrom edgener_runtime.bulk.sources import OutputPaths\n"
        "from edgener_runtime.bulk.spec import TagSpec\n"
        f"job = BulkJob(TagSpec({spec.bundle!r}, variant='fp32'), Path({str(source)!r}),"
        f" OutputPaths(Path({str(tmp_path / 'out.jsonl')!r})))\nrun_job(job, lambda progress: None, print)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    while not ((state / JOURNAL).is_file() and (state / JOURNAL).read_bytes().count(b'"number"') >= 1):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (tmp_path / "out.jsonl").exists()
    if end:
        data = (state / JOURNAL).read_bytes()
        (state / JOURNAL).write_bytes(data[: -len(data.splitlines()[-1]) // 2])
    with pytest.raises(UserInputError, match="has an unfinished job"):
        tag_job(source)
    with pytest.raises(UserInputError, match=r"has spec: shape \"entities\", and now it is \"rows\""):
        tag_job(source, mode=RESUME, shape="rows")
    done = tag_job(source, mode=RESUME, workers=2)
    assert done and done.rows == 2048 and (tmp_path / "out.jsonl").read_bytes() == expected
    assert done.resumed_rows >= (1 - end) * ROWS_AT_ONCE
    assert not state.exists() and tag_job(source, mode=RESUME) is None


def test_a_job_whose_end_was_disturbed_is_resumed(
    tag_job: RunJob, source: Path, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill at each step of the end: after the rename, and while the state is removed."""

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    expected = undisturbed(tag_job, source, whole)
    out = tmp_path / "out.jsonl"
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(journal.Journal, "close", interrupted)
        tag_job(source)
    done = tag_job(source, mode=RESUME)
    assert done and done.resumed_rows == done.rows == 2048 and out.read_bytes() == expected
    OutputPaths(out).state.mkdir()
    assert tag_job(source, mode=RESUME) is None and not OutputPaths(out).state.exists()


@pytest.mark.compat
def test_a_worker_that_dies_is_replaced_and_its_chunk_repeated(
    tag_job: RunJob, source: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    expected = undisturbed(tag_job, source, whole)
    marker, log = tmp_path / "died", []
    once = f"p = {str(marker)!r}; os.path.exists(p) or (open(p, 'w'), os.kill(os.getpid(), 9))"
    done = tag_job(source, workers=2, command=planted(once), log=log.append)
    assert done and done.restarts == 1 and not done.set_aside and done.rejected == 0
    assert (tmp_path / "out.jsonl").read_bytes() == expected
    assert log == ["a worker at rows 1,025 to 1,536 of in.jsonl ended with code -9: no output; they are repeated"]


@pytest.mark.parametrize("fault", ["os.kill(os.getpid(), 11)", "raise MemoryError", "os._exit(0)"])
def test_a_chunk_that_ends_workers_twice_is_set_aside(
    fault: str, tag_job: RunJob, source: Path, tmp_path: Path
) -> None:
    done = tag_job(source, workers=2, command=planted(fault), log=lambda sentence: None)
    assert done and done.restarts == 2 and done.rejected == 512 and done.texts == 3 * 512
    assert [(each.first_row, each.last_row) for each in done.set_aside] == [(1025, 1536)]
    out = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert [row["id"] for row in out if row["entities"] is None] == list(range(1024, 1536))
    rejects = [json.loads(line) for line in (tmp_path / "out.jsonl.rejects.jsonl").read_bytes().splitlines()]
    assert [row["row"] for row in rejects] == list(range(1025, 1537)) and "workers died" in rejects[0]["reason"]


@pytest.mark.parametrize("kind", [StorageError, DeviceError])
def test_an_error_of_the_job_stops_it_and_it_can_be_resumed(
    kind: type[Exception], tag_job: RunJob, source: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    expected = undisturbed(tag_job, source, whole)
    with pytest.raises(kind, match="planted"):
        tag_job(source, command=planted(f"raise {kind.__name__}('planted', 'a hint')"), workers=2)
    tag_job(source, mode=RESUME)
    assert (tmp_path / "out.jsonl").read_bytes() == expected


def test_a_bundle_that_cannot_be_loaded_ends_the_job(tag_job: RunJob, source: Path, copy: Path) -> None:
    (copy / "variants" / "fp32.onnx").write_bytes(b"damaged")
    with pytest.raises(BundleError):
        tag_job(source, bundle=str(copy))
    with pytest.raises(DeviceError, match=r"a worker ended with code 3: no output before it had loaded the bundle"):
        tag_job(source, command=[sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(UserInputError, match="there is no label 'NONE' to give a threshold"):
        tag_job(source, thresholds={"NONE": 0.5})
    assert not OutputPaths(source.with_name("out.jsonl")).state.exists(), "nothing was done that could be resumed"


def test_a_folder_becomes_a_folder(tag_job: RunJob, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "below").mkdir(parents=True)
    write_lines(folder / "b.jsonl", [{"text": "Pump leaks"}] * 600)
    (folder / "below" / "a.csv").write_text("text\nValve closes\n")
    (folder / "c.txt").write_text("Motor stops\n")
    (folder / "empty.jsonl").write_text("")
    (folder / ".hidden").write_text("x")
    (folder / "_SUCCESS").write_text("")
    done = tag_job(folder, tmp_path / "out", workers=2)
    assert done and (done.files, done.rows) == (4, 602)
    out = tmp_path / "out"
    names = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert names == ["b.jsonl", "below/a.csv", "c.jsonl", "empty.jsonl"]
    assert (out / "b.jsonl").read_bytes().count(b"\n") == 600
    assert (out / "below" / "a.csv").read_text().startswith("text,entities\nValve closes,")
    with pytest.raises(UserInputError, match="out exists"):
        tag_job(folder, tmp_path / "out")
    tag_job(folder, tmp_path / "out", mode=OVERWRITE)
    (out / "mine.txt").write_text("not a result")
    with pytest.raises(UserInputError, match=r"files that are not results of this input: mine\.txt"):
        tag_job(folder, tmp_path / "out", mode=OVERWRITE)


@pytest.mark.parametrize(
    ("files", "source", "out", "message"),
    [
        ([], "none", "out", "none does not exist"),
        ([], ".", "out", "has no files to tag|lie in each other"),
        (["in/a.xyz"], "in", "out", "says no format; known are .jsonl"),
        (["in/a.txt", "in/a.jsonl"], "in", "out", "the results of a.jsonl and of a.txt would both be a.jsonl"),
        (["in/a.txt"], "in", "in/out", "lie in each other"),
        (["a.jsonl"], "a.jsonl", "a.jsonl", "lie in each other"),
        (["a.jsonl"], "a.jsonl", "b.csv", "has the suffix of csv; the results of jsonl are jsonl"),
        (["a.jsonl", "b.jsonl"], "a.jsonl", "b.jsonl", "b.jsonl exists"),
        (["a.jsonl", "b.jsonl.rejects.jsonl"], "a.jsonl", "b.jsonl", "rejects.jsonl exists"),
        (["a.jsonl", "out/x"], "a.jsonl", "out", "is a folder"),
        (["in/a.txt", "out"], "in", "out", "is a file, and the input is a folder"),
        (["a.jsonl"], "a.jsonl", "/dev/null", "is a device or a pipe"),
        (["a.jsonl", "b.jsonl.unfinished/mine"], "a.jsonl", "b.jsonl", "unfinished has mine, and unfinished results"),
        (["a.jsonl", "b.jsonl.unfinished"], "a.jsonl", "b.jsonl", "unfinished is a file, and"),
    ],
)
def test_what_is_in_the_way_is_refused(
    files: list[str], source: str, out: str, message: str, tag_job: RunJob, tmp_path: Path
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"text": "ok"}\n')
    before = sorted(tmp_path.rglob("*"))
    for mode in (NEW, OVERWRITE, RESUME) if "exists" not in message else (NEW,):
        with pytest.raises(UserInputError, match=message):
            tag_job(tmp_path / source, tmp_path / out, mode=mode)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_pipe_is_refused(tag_job: RunJob, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "in.jsonl")
    with pytest.raises(UserInputError, match=r"in\.jsonl is not a regular file"):
        tag_job(tmp_path / "in.jsonl")


def test_a_file_that_cannot_be_read_is_named(
    tag_job: RunJob, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserInputError, match=r"cannot read .*in\.jsonl: Permission denied"):
        tag_job(source)


def test_parquet_is_resumed_by_the_same_library(
    tag_job: RunJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pa = pytest.importorskip("pyarrow", reason="no pyarrow here: the extra bulk")
    import pyarrow.parquet as pq

    pq.write_table(
        pa.table({"id": range(1100), "text": ["ok"] * 600 + ["a fault"] + ["ok"] * 499}), tmp_path / "in.parquet"
    )
    with pytest.raises(StorageError):
        tag_job(tmp_path / "in.parquet", command=planted("raise StorageError('planted')"))
    with (
        monkeypatch.context() as patched,
        pytest.raises(UserInputError, match=r"has libraries: pyarrow .*now it is \"0\""),
    ):
        patched.setattr("importlib.metadata.version", lambda name: "0")
        tag_job(tmp_path / "in.parquet", mode=RESUME)
    done = tag_job(tmp_path / "in.parquet", mode=RESUME)
    assert done and done.rows == 1100 and done.rejected == 0
    assert pq.read_table(tmp_path / "out.parquet").column("id").to_pylist() == list(range(1100))
    assert not OutputPaths(tmp_path / "out.parquet").state.exists()


def test_two_processes_do_not_write_one_result(tag_job: RunJob, source: Path, tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    from edgener_runtime.base.partial import locked

    state = OutputPaths(tmp_path / "out.jsonl").state
    state.mkdir()
    (state / JOURNAL).write_text("")
    for mode in (RESUME, OVERWRITE):
        with locked(state), pytest.raises(UserInputError, match="another process is tagging"):
            tag_job(source, mode=mode)
    assert (state / JOURNAL).exists()


def test_an_input_that_changes_is_noticed(tag_job: RunJob, source: Path, tmp_path: Path) -> None:
    grow = f"open({str(source)!r}, 'a').write('{{}}')"
    with pytest.raises(UserInputError, match=r"in\.jsonl was changed while it was tagged"):
        tag_job(source, command=planted(grow))
    with pytest.raises(UserInputError, match=r"has sources \[.*and now it is"):
        tag_job(source, mode=RESUME)
    assert not (tmp_path / "out.jsonl").exists()


def test_a_resumed_job_runs_on_the_same_engine(tag_job: RunJob, source: Path, tmp_path: Path) -> None:
    with pytest.raises(DeviceError):
        tag_job(source, command=planted("raise DeviceError('planted')"))
    file = OutputPaths(tmp_path / "out.jsonl").state / JOURNAL
    file.write_text(file.read_text().replace("onnxruntime ", "onnxruntime 0."))
    with pytest.raises(UserInputError, match=r"has the library onnxruntime .*the first one had onnxruntime 0\."):
        tag_job(source, mode=RESUME)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file on a full disk")
def test_a_full_disk_is_reported(tag_job: RunJob, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: journal.Journal, record: dict[str, Any]) -> None:
        with journal.storage_errors(self.folder), Path("/dev/full").open("wb") as file:
            file.write(b"x")
            file.flush()

    monkeypatch.setattr(journal.Journal, "_write", full)
    with pytest.raises(StorageError, match="No space left on device"):
        tag_job(source)


def test_a_worker_that_answers_something_else_is_an_error(spec: TagSpec) -> None:
    """As one of another version would."""
    answers = 'import sys; sys.stdin.readline(); print(\'{"event": "hello"}\', flush=True); sys.stdin.read()'
    worker = WorkerProcess(spec, [sys.executable, "-c", answers])
    try:
        with pytest.raises(EdgenerError, match="a worker answered 'hello', expected 'ready'"):
            worker.load(lambda engine: None)
    finally:
        worker.close()
