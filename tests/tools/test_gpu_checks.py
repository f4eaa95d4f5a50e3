"""The script of GPU checks, with planted parts: it goes on after a failure, ends what hangs, and sums up."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT, PARTS = ROOT / "tools" / "gpu_checks.sh", ROOT / "tools" / "gpu" / "parts.txt"
MINUTES, GRACE = 9, 2


def check(folder: Path, *lines: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """A run of these parts, its results in folder/out."""
    (folder / "parts.txt").write_text("".join(f"{line}\n" for line in lines))
    changed = {"PARTS": folder / "parts.txt", "TMPDIR": folder} | settings
    environment = os.environ | {name: str(value) for name, value in changed.items()}
    return subprocess.run([SCRIPT, folder / "out"], capture_output=True, text=True, check=False, env=environment)


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "out" / "summary.json").read_text())
    return found


def codes(folder: Path) -> dict[str, int]:
    return {part["name"]: part["exit_code"] for part in summary(folder)["parts"]}


def test_it_goes_on_after_a_part_that_fails_and_after_one_that_hangs(tmp_path: Path) -> None:
    done = check(
        tmp_path, "# a comment", "", "broken 20 echo found it; exit 3", "hangs 1 sleep 300",
        "passes 20 echo fine >$OUT/result.txt",
    )  # fmt: skip
    assert done.returncode == 1
    assert codes(tmp_path) == {"broken": 3, "hangs": 124, "passes": 0}
    assert summary(tmp_path)["failed"] == 2
    assert (tmp_path / "out" / "result.txt").read_text() == "fine\n"
    rows = [line.split() for line in (tmp_path / "out" / "summary.txt").read_text().splitlines()]
    assert [row[:2] for row in rows[1:4]] == [["broken", "3"], ["hangs", "124"], ["passes", "0"]]
    assert " ".join(rows[4]) == "2 of 3 parts failed"
    log = (tmp_path / "out" / "log.txt").read_text()
    assert "found it" in log and log == done.stdout


def test_a_part_ends_at_its_own_limit(tmp_path: Path) -> None:
    check(tmp_path, "long 1 sleep 5; touch $OUT/late", "short 60 sleep 2; touch $OUT/done")
    assert codes(tmp_path) == {"long": 124, "short": 0}
    assert (tmp_path / "out" / "done").exists() and not (tmp_path / "out" / "late").exists()


def test_all_that_pass_is_exit_code_0(tmp_path: Path) -> None:
    assert check(tmp_path, "one 20 true", "two 20 true").returncode == 0
    assert summary(tmp_path)["failed"] == 0


def test_no_part_at_all_is_no_success(tmp_path: Path) -> None:
    assert check(tmp_path, "# nothing").returncode == 1
    assert check(tmp_path, "one 20 true", PARTS=tmp_path / "none.txt").returncode == 1


def test_the_first_command_of_a_pipe_counts(tmp_path: Path) -> None:
    assert check(tmp_path, "piped 20 false | cat").returncode == 1


@pytest.mark.parametrize("hang", ["sleep 300 & sleep 300", "trap '' TERM; sleep 300; sleep 300"], ids=["child", "deaf"])
def test_nothing_of_a_part_outlives_its_limit(tmp_path: Path, hang: str) -> None:
    begun = time.monotonic()
    check(tmp_path, f"hangs 1 cut -d' ' -f5 /proc/$$/stat >$OUT/group; {hang}")
    assert time.monotonic() - begun < 60
    assert codes(tmp_path)["hangs"] in (124, 137)
    assert not members((tmp_path / "out" / "group").read_text().strip())


def members(group: str) -> list[str]:
    """The processes of the group that run; what is dead may still wait for its parent."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            name, _, rest = stat.read_text().rpartition(")")
            state, _, own = rest.split()[:3]
            found += [name] if own == group and state != "Z" else []
    return found


def test_what_is_known_is_written_after_each_part(tmp_path: Path) -> None:
    """A run that is killed from outside leaves that."""
    check(tmp_path, "first 20 true", "second 20 cp $OUT/summary.json $OUT/before.json")
    before = json.loads((tmp_path / "out" / "before.json").read_text())
    assert [part["name"] for part in before["parts"]] == ["first"]


def test_a_part_runs_in_the_environment_given_and_the_working_folder_is_removed(tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/bin/true")
    check(tmp_path, 'shows 20 echo "$PY" "$DEVICE"; touch $WORK/large; echo $WORK >$OUT/work', VENV=tmp_path / "venv")
    assert f"{python} cuda" in (tmp_path / "out" / "log.txt").read_text()
    assert not Path((tmp_path / "out" / "work").read_text().strip()).exists()


def test_an_environment_made_by_a_part_is_that_of_the_next(tmp_path: Path) -> None:
    make = "mkdir -p $WORK/venv/bin; ln -s /bin/true $WORK/venv/bin/python"
    check(tmp_path, f"makes 20 echo first $PY; {make}", "uses 20 echo then $PY", PYTHON="some-python")
    log = (tmp_path / "out" / "log.txt").read_text()
    assert "first some-python\n" in log and "/venv/bin/python\n" in log.partition("then ")[2]


def parts() -> list[tuple[str, int, str]]:
    lines = [line for line in PARTS.read_text().splitlines() if line and not line.startswith("#")]
    return [(name, int(limit), command) for name, limit, command in (line.split(maxsplit=2) for line in lines)]


def test_all_parts_together_take_nine_minutes_at_most() -> None:
    assert f"GRACE={GRACE}" in SCRIPT.read_text()
    assert sum(limit + GRACE for _, limit, _ in parts()) <= 60 * MINUTES
