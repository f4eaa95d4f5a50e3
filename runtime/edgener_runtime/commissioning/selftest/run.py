"""Runs the checks of a selftest one after the other, and makes the report of them."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path

from edgener_runtime.errors import EdgenerError, UserInputError
from edgener_runtime.machine.devices import CPU

from .checks import CHECKS, Check
from .context import Bench, Outcome, Request, skip
from .machine import describe, versions
from .report import FAIL, INCONCLUSIVE, PASS, SKIPPED, CheckResult, SelftestReport

_INCONCLUSIVE = 4
_OURS = "This is a fault of edgener: please report it, together with this report."


def run_selftest(
    request: Request,
    step: Callable[[CheckResult], None] = lambda result: None,
    checks: Sequence[Check] = CHECKS,
) -> SelftestReport:
    """Make all checks in order and report of them; `step` is told of each as it ends.

    A check that fails is in the report and raises nothing, but for what nobody can test: a wrong `request`
    (UserInputError from before the model is loaded).
    """
    with Bench(request) as bench:
        for check in checks:
            result = _result(check, bench)
            bench.results.append(result)
            step(result)
        return _report(bench)


def _result(check: Check, bench: Bench) -> CheckResult:
    begun = time.perf_counter()
    failed: EdgenerError | None = None
    try:
        outcome = _why_not(check, bench) or check.run(bench)
    except EdgenerError as error:
        if isinstance(error, UserInputError) and not bench.loaded:
            raise
        outcome, failed = Outcome(error.message, status=FAIL), error
    except Exception as error:  # noqa: BLE001 - a report of what broke is worth most where it broke
        failed = EdgenerError(f"internal error at {_place(error)}: {type(error).__name__}: {error}", _OURS)
        outcome = Outcome(failed.message, status=FAIL)
    seconds = None if bench.request.emulated_by else round(time.perf_counter() - begun, 3)
    hint, code = (failed.hint, failed.exit_code) if failed else (None, 0)
    detail, hint = (_without_folders(text, bench.request.bundle) for text in (outcome.detail, hint or ""))
    return CheckResult(
        check.name, check.proves, outcome.status, detail, seconds, dict(outcome.figures), hint or None, code
    )


def _place(error: Exception) -> str:
    """File and line that raised it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


def _without_folders(text: str, bundle: Path) -> str:
    """A text that names the bundle and not where it lies: reports are sent on, and folders may name people."""
    for folder in (bundle.resolve(), bundle.absolute(), bundle):
        text = text.replace(str(folder), bundle.resolve().name)
    return text


def _why_not(check: Check, bench: Bench) -> Outcome | None:
    """Why a check is not made, where it is not."""
    missing = [name for name in check.needs if not bench.passed(name)]
    if missing:
        return skip(f"needs {missing[0]}, which did not pass")
    if check.timed and bench.request.emulated_by:
        return skip(f"emulated by {bench.request.emulated_by}: answers, not speed")
    return None


def _report(bench: Bench) -> SelftestReport:
    request = bench.request
    verdict, code = _verdict(bench)
    variant, told = (bench.variant, bench.classifier.explain()) if bench.loaded else (None, None)
    return SelftestReport(
        verdict=verdict,
        exit_code=code,
        device=request.device,
        provider=told.provider if told else None,
        library=told.library if told else None,
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


def _verdict(bench: Bench) -> tuple[str, int]:
    """The first that failed decides; off the CPU, answers that nothing was held against prove nothing."""
    if bench.failed:
        return FAIL, bench.failed.exit_code
    compared = bench.passed("labels") or bench.passed("against")
    if bench.loaded and bench.classifier.provider != CPU and not compared:
        return INCONCLUSIVE, _INCONCLUSIVE
    return PASS, 0


def summary(report: SelftestReport) -> str:
    """One line of how a selftest ended."""
    counts = ", ".join(f"{report.count(status)} {word}" for status, word in _WORDS.items() if report.count(status))
    what = f"{report.variant} of {report.bundle}" if report.variant else report.bundle
    return f"{report.verdict}: {what} on {report.provider or report.device}, {report.machine.name}: {counts}"


_WORDS = {PASS: "passed", FAIL: "failed", SKIPPED: "skipped"}
