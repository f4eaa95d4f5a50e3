"""What all suites share: one cause is reported once, and what is expensive is built once a run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

LONGEST = (
    "timing",
    "tests/e2e/test_readme.py",
    "tests/e2e/test_spine.py",
    "tests/test_search.py",
    "tests/test_pipeline.py",
    "tests/exporters/test_architectures.py",
)
_RERUNS, _RERUN_DELAY = 2, 1  # of tests that measure time; seconds between them
_SEEN = pytest.StashKey[dict[int, tuple[BaseException, str]]]()
BuildOnce = Callable[[str, Callable[[Path], object]], Path]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SEEN] = {}


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The counts that tests have recorded as properties, such as `record_property("kills", 200)`, each summed up."""
    counts: Counter[str] = Counter()
    for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")):
        counts.update({name: value for name, value in report.user_properties if isinstance(value, int)})
    for name, count in counts.items():
        terminalreporter.write_line(f"{name}: {count:,}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest first, so that no worker is left alone with it at the end: xdist keeps the order given.

    A test that measures time runs again where it fails: other processes may have taken the cores for a while. A fault
    fails every time, and the summary names what ran again.
    """
    if config.pluginmanager.has_plugin("rerunfailures"):
        for item in items:
            if item.get_closest_marker("timing"):
                item.add_marker(pytest.mark.flaky(reruns=_RERUNS, reruns_delay=_RERUN_DELAY))
    longest = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: longest.get(group_of(config.rootpath, item.nodeid), len(longest)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file is run by one worker, and all tests that measure time by one as well, one after the other.

    xdist's own groups (--dist loadgroup) do not see the marks of pytest 9.
    """
    from xdist.scheduler import LoadScopeScheduling

    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = partial(group_of, config.rootpath)  # what its documentation tells a subclass to change
    return scheduler


def group_of(root: Path, nodeid: str) -> str:
    """What one worker runs together: the file of a test, or all files marked timing."""
    file = nodeid.partition("::")[0]
    return "timing" if _measures_time(root / file) else file


@cache
def _measures_time(file: Path) -> bool:
    return "pytest.mark.timing" in file.read_text(encoding="utf-8")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
    """The first test whose set-up failed is an error; those after it that need the same fixture are skipped."""
    report: Any = yield
    if call.when == "setup" and report.failed and call.excinfo:
        error = call.excinfo.value  # pytest keeps a fixture's error and raises it again
        _, first = item.config.stash[_SEEN].setdefault(id(error), (error, item.nodeid))
        if first != item.nodeid:
            report.outcome = "skipped"
            report.longrepr = (str(item.path), item.location[1], f"Skipped: its set-up failed, see {first}")
    return report


@pytest.fixture(scope="session")
def build_once(tmp_path_factory: pytest.TempPathFactory) -> BuildOnce:
    """`build_once("trained", build)` is a folder, empty at first, that `build(folder)` fills.

    Of all workers of a run the first that asks builds it, and the others wait. Where that fails, it is that worker's
    error, and the others skip.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    shared.mkdir(exist_ok=True)
    return lambda name, build: _built(shared, name, build)


def _built(shared: Path, name: str, build: Callable[[Path], object]) -> Path:
    from filelock import FileLock

    made, failed = shared / f"{name}.made", shared / f"{name}.failed"
    with FileLock(shared / f"{name}.lock"):
        if failed.exists():
            pytest.skip(f"{name} could not be built in another worker: {failed.read_text(encoding='utf-8')}")
        if not made.exists():
            try:
                (shared / name).mkdir()
                build(shared / name)
            except BaseException as error:
                failed.write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
                raise
            made.touch()
    return shared / name
