"""Lines that repeat are counted instead of written."""

from __future__ import annotations

import logging

import pytest

from edgener_runtime.services.log_limit import LimitedHandler


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limited(clock: Clock) -> tuple[logging.Logger, LimitedHandler]:
    """A logger and its handler, which writes to the stderr of this moment."""
    log, handler = logging.Logger("limited"), LimitedHandler(clock)
    log.addHandler(handler)
    return log, handler


def test_of_lines_from_one_place_five_are_written_and_the_others_counted(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    log, _ = limited(clock)
    for number in range(1300):
        log.warning("from client %d\n%s", number, "detail")
    log.warning("another place")
    assert capsys.readouterr().err.count("from client") == 5
    clock.now = 10
    log.warning("later")
    assert capsys.readouterr().err == "1,295 more lines like this one in 10 s: from client 1299\nlater\n"
    log.warning("later still")
    assert capsys.readouterr().err == "later still\n"


def test_after_a_while_and_at_the_end_lines_are_written_again(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    log, handler = limited(clock)
    for second in (0, 11):
        clock.now = second
        for _ in range(7):
            log.error("full")
        handler.report_omitted(now=second > 0)
    lines = capsys.readouterr().err.splitlines()
    assert lines == 2 * [*["full"] * 5, "2 more lines like this one in 10 s: full"]


def test_lines_about_several_models_are_counted_for_each(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    log, handler = limited(clock)
    for model in ("one", "two", None):
        for _ in range(6):
            log.info("%s: reloaded", model, extra={"model": model} if model else None)
    handler.report_omitted(now=True)
    lines = capsys.readouterr().err.splitlines()
    for model in ("one", "two", "None"):
        assert lines.count(f"{model}: reloaded") == 5
        assert lines.count(f"1 more lines like this one in 10 s: {model}: reloaded") == 1
