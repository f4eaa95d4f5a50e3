"""The benchmark of the runtime's size and endurance: what it measures, and that a broken promise is found."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks" / "runtime"


def module(name: str) -> ModuleType:
    """One of the benchmark's files, which are programs of a folder and no package."""
    spec = importlib.util.spec_from_file_location(Path(name).stem, FOLDER / f"{name}.py")
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(spec.name, loaded)  # dataclasses look their module up
    spec.loader.exec_module(loaded)
    return loaded


def line(at: str, rss: int, threads: int = 5, files: int = 6) -> dict[str, Any]:
    return {"at": at, "count": 0, "rss": rss, "threads": threads, "files": files}


def said(**last: Any) -> list[dict[str, Any]]:
    """What is printed where nothing grows, but for what the last load and its close say."""
    lines = [line("imported", 20, 1, 3), *(line(at, 100) for at in ("start", "texts", "texts", "closed"))]
    return [*lines, *(line(at, 100) | found for found in ({}, last) for at in ("loads", "unloaded"))]


KEPT = {"cold_start_s": 0.3, "rss_bytes": 120e6, "import_s": 0.1}


def test_a_run_measures_all_that_is_promised(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    done = subprocess.run(
        [
            sys.executable, FOLDER / "run.py", ROOT / "runtime" / "tests" / "bundle", "--python", sys.executable,
            "--texts", "4", "--loads", "3", "--runs", "1", "--out", out,
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert out.exists(), done.stderr
    record = json.loads(out.read_text())
    promises = record["promises"]
    assert set(promises) == set(module("promises").PROMISES)
    assert done.returncode == (0 if all(one["kept"] for one in promises.values()) else 1)
    assert all(promises[key]["kept"] for key in promises if key.endswith("_left"))
    assert [line["count"] for line in record["soak"] if line["at"] == "texts"] == [2, 4]
    assert record["texts"] == {"ran": 4, "promised": 50_000}
    assert record["installed_bytes"]["onnxruntime"] > 10e6
    assert record["bundle_bytes"] < 250_000  # one variant of the two


def test_what_does_not_grow_keeps_the_promises() -> None:
    found = KEPT | module("measure").growth(said())
    assert all(verdict["kept"] for verdict in module("promises").verdicts(found).values())


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        ("cold_start_s", {"cold_start_s": 0.36}),
        ("rss_bytes", {"rss_bytes": 131e6}),
        ("import_s", {"import_s": 0.151}),
        ("reload_growth", module("measure").growth(said(rss=131))),
        ("reload_threads_left", module("measure").growth(said(threads=6))),
        ("reload_files_left", module("measure").growth(said(files=7))),
    ],
)
def test_a_broken_promise_is_found(broken: str, found: dict[str, float]) -> None:
    verdicts = module("promises").verdicts(KEPT | module("measure").growth(said()) | found)
    assert [key for key, verdict in verdicts.items() if not verdict["kept"]] == [broken]


@pytest.mark.parametrize(
    ("at", "key"),
    [(3, "soak_growth"), (4, "threads_left"), (4, "files_left")],
)
def test_what_grows_in_the_soak_is_found(at: int, key: str) -> None:
    lines = said()
    lines[at] = line(lines[at]["at"], 120, threads=6, files=7)
    assert module("measure").growth(lines)[key] > 0.1


def test_a_measure_that_is_missing_is_no_pass() -> None:
    with pytest.raises(KeyError):
        module("promises").verdicts(KEPT)


def test_the_texts_are_the_same_each_time_of_any_length_and_of_all_planes() -> None:
    texts = list(module("probes/texts").random_texts(60))
    assert texts == list(module("probes/texts").random_texts(60))
    assert {ord(character) >> 16 for text in texts for character in text} == set(range(17))
    lengths = sorted(map(len, texts))
    assert lengths[0] < 500 and lengths[-1] > 4500 and lengths[-1] <= 5000
