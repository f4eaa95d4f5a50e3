"""Runs the checks of a selftest one after the other, and makes their report."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path

from edgener_runtime.errors import EdgenerError, UserInputError
from edgener_runtime.machine.devices import CPU

from .checks import CHECKS, Check
from .context import Outcome, SelftestContext, SelftestRequest, skip
from .machine import describe, versions
from .report import FAIL, INCONCLUSIVE, PASS, SKIPPED, CheckResult, SelftestReport

_INCONCLUSIVE = 4
_OURS = "This is a fault of edgener: please report it, together with this report."


def run_selftest(
    request: SelftestRequest,
    step: Callable[[CheckResult], None] = lambda result: None,
    checks: Sequence[Check] = CHECKS,
) -> SelftestReport:
    """Run all checks in order and return the report; `step` gets each result as its check ends.

    A check that fails is in the report and raises nothing, except for a wrong `request`: a UserInputError from before
    the model is loaded.
    """
    with SelftestContext(request) as context:
        for check in checks:
            result = _result(check, context)
            context.results.append(result)
            step(result)
        return _report(context)


def require_selftest(bundle: Path, device: str, variant: str) -> None:
    """Run the checks that measure no speed. Raises EdgenerError, with the check's exit code, for the first that fails.

    Raises UserInputError where the bundle has no such variant.
    """
    untimed = [check for check in CHECKS if not check.timed]
    report = run_selftest(SelftestRequest(bundle, device, variant), checks=untimed)
    if failed := report.failed:
        error = EdgenerError(f"the selftest of {report.bundle} failed at {failed.name}: {failed.detail}", failed.hint)
        error.exit_code = failed.exit_code
        raise error


def _result(check: Check, context: SelftestContext) -> CheckResult:
    start = time.perf_counter()
    failed: EdgenerError | None = None
    try:
        outcome = _why_not(check, context) or check.run(context)
    except EdgenerError as error:
        if isinstance(error, UserInputError) and not context.is_loaded:
            raise
        outcome, failed = Outcome(error.message, status=FAIL), error
    except Exception as error:  # noqa: BLE001 - a report is most useful where something failed
        failed = EdgenerError(f"internal error at {_position(error)}: {type(error).__name__}: {error}", _OURS)
        outcome = Outcome(failed.message, status=FAIL)
    seconds = None if context.request.emulated_by else round(time.perf_counter() - start, 3)
    hint, code = (failed.hint, failed.exit_code) if failed else (None, 0)
    detail, hint = (_without_folders(text, context.request.bundle) for text in (outcome.detail, hint or ""))
    return CheckResult(
        check.name, check.proves, outcome.status, detail, seconds, dict(outcome.figures), hint or None, code
    )


def _position(error: Exception) -> str:
    """The file and line that raised an error."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


def _without_folders(text: str, bundle: Path) -> str:
    """A text without the bundle's folder: reports are passed on, and folders may contain names of people."""
    for folder in (bundle.resolve(), bundle.absolute(), bundle):
        text = text.replace(str(folder), bundle.resolve().name)
    return text


def _why_not(check: Check, context: SelftestContext) -> Outcome | None:
    """The outcome of a check that is skipped, with the reason; None if it runs."""
    missing = [name for name in check.requires if not context.passed(name)]
    if missing:
        return skip(f"needs {missing[0]}, which did not pass")
    if check.timed and context.request.emulated_by:
        return skip(f"emulated by {context.request.emulated_by}: answers, not speed")
    return None


def _report(context: SelftestContext) -> SelftestReport:
    request = context.request
    verdict, code = _verdict(context)
    variant, found = (context.variant, context.classifier.explain()) if context.is_loaded else (None, None)
    return SelftestReport(
        verdict=verdict,
        exit_code=code,
        device=request.device,
        provider=found.provider if found else None,
        library=found.library if found else None,
        bundle=context.manifest.name if context.passed("bundle") else request.bundle.name,
        variant=variant.name if variant else None,
        precision=variant.precision if variant else None,
        model=variant.file.sha256 if variant else None,
        machine=describe(context.probe, request.name, request.emulated_by),
        versions=versions(),
        checks=tuple(context.results),
        answers=context.answers,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def _verdict(context: SelftestContext) -> tuple[str, int]:
    """The first failure decides; except on the CPU, answers that were compared with nothing are inconclusive."""
    if context.failed:
        return FAIL, context.failed.exit_code
    compared = any(map(context.passed, ("golden", "labels", "against")))
    if context.is_loaded and context.classifier.provider != CPU and not compared:
        return INCONCLUSIVE, _INCONCLUSIVE
    return PASS, 0


def summary(report: SelftestReport) -> str:
    """The result of a selftest in one line."""
    counts = ", ".join(f"{report.count(status)} {word}" for status, word in _WORDS.items() if report.count(status))
    what = f"{report.variant} of {report.bundle}" if report.variant else report.bundle
    return f"{report.verdict}: {what} on {report.provider or report.device}, {report.machine.name}: {counts}"


_WORDS = {PASS: "passed", FAIL: "failed", SKIPPED: "skipped"}
