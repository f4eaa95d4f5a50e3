"""The report of a selftest, as a record that other machines can read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgener_runtime.base.serde import SchemaError, load_json
from edgener_runtime.errors import UserInputError

SCHEMA_VERSION = 1
PASS, FAIL, SKIPPED, INCONCLUSIVE = "pass", "fail", "skipped", "inconclusive"


@dataclass(frozen=True)
class CheckResult:
    """The result of one check; `figures` are its measurements, `exit_code` is the command's if it failed first.

    `seconds` is None on an emulated machine, whose speed means nothing.
    """

    name: str
    proves: str
    status: str
    detail: str
    seconds: float | None = None
    figures: dict[str, float] = field(default_factory=dict)
    hint: str | None = None
    exit_code: int = 0


@dataclass(frozen=True)
class Answer:
    """A model's answer to one text: for each subword the label's number, that label's logit, and its lead.

    The lead is the distance of the logit to the second best. The text is only present as its SHA-256, because it may
    be confidential. Numbers are in one line with spaces between, so that a report stays readable.
    """

    text: str
    labels: str
    logits: str
    leads: str


@dataclass(frozen=True)
class SelftestMachine:
    """The machine of a selftest; `memory` in bytes, `probe` has all findings on driver, libraries and packages."""

    name: str
    architecture: str
    system: str
    python: str
    cpu: str
    isa: str
    cores: int
    memory: int | None
    emulated_by: str | None
    probe: dict[str, Any]


@dataclass(frozen=True)
class SelftestReport:
    """All results of a selftest.

    `provider` and `library` (with its version) really ran the variant, `model` is the SHA-256 of its file.
    """

    verdict: str
    exit_code: int
    device: str
    provider: str | None
    library: str | None
    bundle: str
    variant: str | None
    precision: str | None
    model: str | None
    machine: SelftestMachine
    versions: dict[str, str]
    checks: tuple[CheckResult, ...]
    answers: tuple[Answer, ...]
    created: str
    schema_version: int = SCHEMA_VERSION

    def figure(self, name: str) -> float | None:
        """A measured figure by its name, or None if no check measured it."""
        found = (check.figures[name] for check in self.checks if name in check.figures)
        return next(found, None)

    def count(self, status: str) -> int:
        """The number of checks with this status."""
        return sum(check.status == status for check in self.checks)

    @property
    def failed(self) -> CheckResult | None:
        """The first check that failed; its exit code is the report's."""
        return next((check for check in self.checks if check.status == FAIL), None)


def read_report(file: Path) -> SelftestReport:
    """The report in a file. Raises UserInputError if it cannot be read."""
    hint = "Write one on the device: edgener-runtime selftest BUNDLE --out report.json"
    try:
        report = load_json(SelftestReport, file)
    except OSError as error:
        raise UserInputError(f"cannot read {file}: {error.strerror}", hint) from None
    except SchemaError as error:
        raise UserInputError(f"{file} is not a report of a selftest: {error.message}", hint) from None
    if report.schema_version != SCHEMA_VERSION:
        raise UserInputError(
            f"{file} has schema version {report.schema_version}; this edgener-runtime reads {SCHEMA_VERSION}", hint
        )
    return report
