"""A build by TensorRT for RTX that is broken off, killed, or has no room ends in a clear error, with nothing left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.backends.tensorrt.paths import engines_folder
from edgener_runtime.backends.tensorrt.profiles import profiles_for
from edgener_runtime.bundle.manifest import VariantEntry, read_manifest
from edgener_runtime.commissioning.engines import build
from edgener_runtime.commissioning.engines.build import WORKER, BuildRequest, build_engine
from edgener_runtime.commissioning.engines.job import BuildJob
from edgener_runtime.commissioning.engines.watchdog import CANCELLED
from edgener_runtime.errors import DeviceError, EdgenerError, ProviderError, StorageError

from .conftest import ROOT, Environment

pytestmark = pytest.mark.environment

PROFILES = profiles_for([], 64)
AHEAD = BuildRequest("tensorrt-rtx", compute_capabilities=("8.6",))


@pytest.fixture
def bundle(rtx: Environment, tmp_path: Path) -> Path:
    """The runtime's own small bundle, on a machine with TensorRT for RTX."""
    import shutil

    return Path(shutil.copytree(ROOT / "runtime" / "tests" / "bundle", tmp_path / "bundle"))


@pytest.fixture
def entry(bundle: Path) -> VariantEntry:
    return read_manifest(bundle).variant("fp32")


def test_a_build_that_nobody_wants_any_more_ends_by_itself_at_the_next_step(
    bundle: Path, entry: VariantEntry, tmp_path: Path
) -> None:
    out = tmp_path / "engine"
    job = BuildJob("tensorrt-rtx", str(bundle / entry.file.path), str(out), PROFILES, compute_capabilities=("8.6",))
    with subprocess.Popen(WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(asdict(job)) + "\n")
        process.stdin.flush()
        started = next(line for line in process.stdout if json.loads(line)["event"] == "step")
        process.stdin.close()
        after = [json.loads(line) for line in process.stdout]
    assert process.returncode == CANCELLED and started
    assert [event for event in after if event["event"] in ("failed", "built")] == []
    assert not out.exists()


def harm(number: signal.Signals) -> Callable[[dict[str, Any]], None]:
    """Follows a build, and sends its process a signal once it has started."""
    processes: list[int] = []

    def follow(event: dict[str, Any]) -> None:
        if event["event"] == "started":
            processes.append(event["process"])
        elif event["event"] == "step" and processes:
            os.kill(processes.pop(), number)

    return follow


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (signal.SIGKILL, DeviceError, "was killed .SIGKILL., as the system does where memory runs out"),
        (signal.SIGSEGV, ProviderError, "TensorRT for RTX crashed .SIGSEGV."),
        (signal.SIGABRT, ProviderError, "TensorRT for RTX crashed .SIGABRT."),
    ],
)
def test_a_crash_is_a_clear_error(
    number: signal.Signals, kind: type[EdgenerError], words: str, bundle: Path, entry: VariantEntry
) -> None:
    with pytest.raises(kind, match=words):
        build_engine(bundle, entry, PROFILES, AHEAD, harm(number))
    assert not engines_folder(bundle).exists()


def limited(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """Build below a limit of the shell's ulimit."""
    monkeypatch.setattr(build, "WORKER", ("bash", "-c", f'ulimit {limit}; exec "$0" "$@"', *build.WORKER))


def test_a_disk_without_room_is_reported(bundle: Path, entry: VariantEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, "-f 200")  # blocks of 1 KiB that a file may take
    with pytest.raises(StorageError, match=r"cannot write .*: File too large"):
        build_engine(bundle, entry, PROFILES, AHEAD)
    assert not engines_folder(bundle).exists()


IMPATIENT = """
import functools, sys
sys.path[:] = filter(None, sys.path)
from edgener_runtime.commissioning.engines import worker
worker.watch = functools.partial(worker.watch, patience=5)
sys.exit(worker.main())
"""


@pytest.mark.parametrize("limit", [390_000, 409_000, 416_000])  # KiB of addresses
def test_too_little_memory_is_a_clear_error(
    limit: int, bundle: Path, entry: VariantEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the least it says so or crashes; with more it waits for ever for a thread, or says that none starts."""
    monkeypatch.setattr(build, "WORKER", (*WORKER[:-1], IMPATIENT))
    limited(monkeypatch, f"-v {limit}")
    ways = r"bad_alloc|annot allocate memory|made no progress|temporarily unavailable|crashed \(SIG(ABRT|SEGV)\)"
    with pytest.raises(DeviceError, match=ways) as caught:
        build_engine(bundle, entry, PROFILES, AHEAD)
    assert "Free some memory" in str(caught.value.hint)
    assert not engines_folder(bundle).exists()


def heed_ctrl_c() -> None:
    """What runs in the background of a shell ignores Ctrl-C, and so does all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_the_command_with_130_and_leaves_nothing(bundle: Path) -> None:
    program = Path(sys.executable).with_name("edgener-runtime")
    words = [program, "prepare", bundle, "--backend", "tensorrt-rtx", "--compute-capability", "8.6"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c
    ) as process:
        until = time.monotonic() + 1800
        while not engines_folder(bundle).exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=1800)
    assert (process.returncode, out) == (130, "")
    assert "interrupted; nothing half-written was left behind" in err and "Traceback" not in err
    assert not engines_folder(bundle).exists()


def test_a_file_in_the_folder_that_it_is_called_in_is_not_run(
    bundle: Path, entry: VariantEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "tensorrt_rtx"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a file of someone else was run')")
    monkeypatch.chdir(tmp_path)
    build_engine(bundle, entry, PROFILES, AHEAD)
