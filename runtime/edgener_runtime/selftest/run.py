"""Runs the checks of a selftest one after the other, and makes the report of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone

from ..errors import EdgenerError, UserInputError
from .bench import Bench, Outcome, Request, skip
from .checks import CHECKS, Check
from .machine import describe, versions
from .report import FAIL, PASS, SKIPPED, CheckResult, SelftestReport

_HINT = "Run again with --debug before the command."


def run_selftest(
    request: Request,
    step: Callable[[CheckResult], None] = lambda result: None,
    checks: Sequence[Check] = CHECKS,
    debug: bool = False,
) -> SelftestReport:
    """Make all checks in order and report of them; `step` is told of each as it ends.

    A check that fails is in the report and raises nothing, but for what nobody can test: a wrong `request`
    (UserInputError from before the model is loaded). With `debug` a fault of ours goes through.
    """
    with Bench(request) as bench:
        for check in checks:
            result = _result(check, bench, debug)
            bench.results.append(result)
            step(result)
        return _report(bench)


def _result(check: Check, bench: Bench, debug: bool) -> CheckResult:
    begun = time.perf_counter()
    failed: EdgenerError | None = None
    try:
        outcome = _why_not(check, bench) or check.run(bench)
    except EdgenerError as error:
        if isinstance(error, UserInputError) and not bench.loaded:
            raise
        outcome, failed = Outcome(error.message, status=FAIL), error
    except Exception as error:  # a report of what broke is worth most where it broke
        if debug:
            raise
        failed = EdgenerError(f"internal error: {type(error).__name__}: {error}", _HINT)
        outcome = Outcome(failed.message, status=FAIL)
    seconds = None if bench.request.emulated_by else round(time.perf_counter() - begun, 3)
    hint, code = (failed.hint, failed.exit_code) if failed else (None, 0)
    return CheckResult(
        check.name, check.proves, outcome.status, outcome.detail, seconds, dict(outcome.figures), hint, code
    )


def _why_not(check: Check, bench: Bench) -> Outcome | None:
    """Why a check is not made, where it is not."""
    missing = [name for name in check.needs if not bench.passed(name)]
    if missing:
        return skip(f"needs {missing[0]}, which did not pass")
    if check.devices and bench.request.device not in check.devices:
        return skip(f"for {' and '.join(check.devices)} only")
    if check.timed and bench.request.emulated_by:
        return skip(f"emulated by {bench.request.emulated_by}: answers, not speed")
    return None


def _report(bench: Bench) -> SelftestReport:
    request, failed = bench.request, bench.failed
    variant = bench.variant if bench.loaded else None
    return SelftestReport(
        verdict=FAIL if failed else PASS,
        exit_code=failed.exit_code if failed else 0,
        device=request.device,
        provider=bench.classifier.provider if variant else None,
        bundle=bench.manifest.name if bench.passed("bundle") else request.bundle.name,
        variant=variant.name if variant else None,
        precision=variant.precision if variant else None,
        model=variant.file.sha256 if variant else None,
        machine=describe(bench.probe, request.name, request.emulated_by),
        versions=versions(),
        checks=tuple(bench.results),
        answers=bench.answers,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def summary(report: SelftestReport) -> str:
    """One line of how a selftest ended."""
    counts = ", ".join(f"{report.count(status)} {word}" for status, word in _WORDS.items() if report.count(status))
    what = f"{report.variant} of {report.bundle}" if report.variant else report.bundle
    return f"{report.verdict}: {what} on {report.provider or report.device}, {report.machine.name}: {counts}"


_WORDS = {PASS: "passed", FAIL: "failed", SKIPPED: "skipped"}
