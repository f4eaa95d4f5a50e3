"""Tables of text, and those of an export's report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgener.parity.bootstrap import Estimate
from edgener.parity.compare import ParityReport
from edgener.parity.report import COLUMNS, row
from edgener_runtime.base.tables import Html, html_table

if TYPE_CHECKING:
    from edgener_runtime.bundle.manifest import Speed, Spread


@dataclass(frozen=True)
class TextTable:
    """A caption, the names of the columns, and the cells, of which the first names its row.

    A page shows the columns `more` where a switch is on.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: tuple[str, ...] = ()

    def html(self, look: str = "") -> Html:
        """The table as a page has it."""
        return html_table(self.caption, self.columns, self.rows, self.more, look)


def figures_table(reports: Sequence[ParityReport], speed: Mapping[str, Speed], sizes: Mapping[str, int]) -> TextTable:
    """The figures of parity.md, and the size and speed of each variant."""
    rows = (
        (*row(report), f"{sizes[report.variant] / 1e6:.1f}", *_speed_cells(speed.get(report.variant)))
        for report in reports
    )
    columns = (*COLUMNS, "MB", *_SPEED)
    return TextTable("Each variant against PyTorch", columns, tuple(rows), more=("equal labels", _SPEED[1]))


def logits_table(reports: Sequence[ParityReport]) -> TextTable:
    """How much the logits differ from PyTorch's."""
    columns = ("variant", "largest difference", "mean", "relative L2", "KL, nats per subword", "ECE", "ECE of PyTorch")
    rows = []
    for report in reports:
        found = report.logits
        numbers = (found.max_difference, found.mean_difference, found.relative_l2, found.kl)
        errors = ("-" if error is None else f"{error:.4f}" for error in (found.ece, found.ece_pytorch))
        rows.append((report.variant, *(f"{number:.2g}" for number in numbers), *errors))
    return TextTable("Logits against PyTorch's", columns, tuple(rows))


def label_table(report: ParityReport) -> TextTable:
    """The figures of each label of one variant."""
    columns = ("label", "gold", "F1", "F1 of PyTorch", "difference", "PyTorch finds", "churn")
    rows = []
    for label, found in report.estimates.labels.items():
        scores = ("-" if score is None else f"{score:.4f}" for score in (found.f1, found.f1_pytorch))
        difference, churn = _interval(found.f1_difference, "{:+z.4f}"), _interval(found.churn, "{:.2%}")
        rows.append((label, str(found.gold), *scores, difference, str(found.entities), churn))
    return TextTable(f"Labels of {report.variant}", columns, tuple(rows))


def sensitivity_table(sensitivities: Mapping[str, Mapping[str, float]]) -> TextTable:
    """The numbers of the heat maps: one row per matrix product, one column per precision."""
    precisions = tuple(dict.fromkeys(each for found in sensitivities.values() for each in found))
    rows = (
        (role, *(f"{found[each]:.3%}" if each in found else "-" for each in precisions))
        for role, found in sensitivities.items()
    )
    return TextTable("Relative L2 error of the logits", ("product", *precisions), tuple(rows))


def provenance_table(provenance: Mapping[str, Any]) -> TextTable:
    """Every value under its dotted name."""
    return TextTable("Where the bundle came from", ("what", "value"), tuple(_flat(provenance, "")))


_SPEED = ("ms per text", "subwords per second")


def _speed_cells(speed: Speed | None) -> tuple[str, ...]:
    if speed is None:
        return ("-",) * len(_SPEED)
    return _spread(speed.latency_ms, "{:.2f}"), _spread(speed.throughput, "{:,.0f}")


def _spread(spread: Spread, pattern: str) -> str:
    return f"{pattern.format(spread.median)} ({pattern.format(spread.low)} to {pattern.format(spread.high)})"


def _interval(estimate: Estimate | None, pattern: str) -> str:
    if estimate is None:
        return "-"
    return f"{pattern.format(estimate.value)} ({pattern.format(estimate.low)} to {pattern.format(estimate.high)})"


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        yield name, ", ".join(map(str, value)) or "-"
    else:
        yield name, "-" if value is None or value == {} else str(value)
