"""The run as one record, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from rich.table import Table

from edgener.parity.bootstrap import Estimate
from edgener_runtime.bundle.manifest import Spread

from .measure import Check, Round
from .table import Peer


@dataclass(frozen=True)
class Row:
    """One peer: milliseconds of a text alone, subwords a second together, entity F1 of both, megabytes in memory,
    seconds from process start to first entities, texts of one run (0: as it sees fit), and the shares of its entities
    that differ from PyTorch's in FP32 (churn) and between texts alone and together (batch effect)."""

    name: str
    form: str
    environment: str
    ours: bool
    our_graph: bool
    case_classes: str
    batch: int
    f1_alone: float
    f1_together: float
    p50_ms: Spread
    p95_ms: Spread
    p99_ms: Spread
    subwords_per_second: Spread
    rss_mb: Spread
    cold_start_s: Spread
    churn_alone: Estimate | None
    churn_together: Estimate | None
    batch_effect: Estimate | None


@dataclass(frozen=True)
class Lead:
    """How many times as good a row of ours is as the best of others in each figure: above 1 it leads."""

    ours: str
    throughput: float
    throughput_peer: str
    p50: float
    p50_peer: str
    p95: float
    p95_peer: str


def row_of(
    peer: Peer, checked: Check, batch: int, rounds: Sequence[Round], starts: Sequence[float], subwords_of_a_text: float
) -> Row:
    """A peer's rounds as medians with their smallest and largest."""
    return Row(
        peer.name,
        peer.form,
        peer.environment,
        peer.ours,
        peer.our_graph,
        peer.case_classes,
        batch,
        checked.f1_alone,
        checked.f1_together,
        _spread([found.p50 for found in rounds]),
        _spread([found.p95 for found in rounds]),
        _spread([found.p99 for found in rounds]),
        _spread([found.texts_per_second * subwords_of_a_text for found in rounds]),
        _spread([found.rss_mb for found in rounds]),
        _spread(starts),
        checked.churn_alone,
        checked.churn_together,
        checked.batch_effect,
    )


def leads_of(rows: Sequence[Row]) -> dict[str, Lead]:
    """Our rows against the best peer in each figure, and the first of them whose graph plain onnxruntime runs too,
    against that."""
    ours = [row for row in rows if row.ours]
    peers = [row for row in rows if not row.ours and not row.our_graph]
    graphs = {row.form: row for row in rows if row.our_graph}
    both = next((row for row in ours if row.form in graphs), None)
    found = {row.name: lead_of(row, peers) for row in ours if peers}
    return found | ({"the runtime alone": lead_of(both, [graphs[both.form]])} if both else {})


def lead_of(ours: Row, others: Sequence[Row]) -> Lead:
    """One row against the best of others in each figure."""
    fastest = max(others, key=lambda row: row.subwords_per_second.median)
    soonest = min(others, key=lambda row: row.p50_ms.median)
    steadiest = min(others, key=lambda row: row.p95_ms.median)
    return Lead(
        ours.name,
        ours.subwords_per_second.median / fastest.subwords_per_second.median,
        fastest.name,
        soonest.p50_ms.median / ours.p50_ms.median,
        soonest.name,
        steadiest.p95_ms.median / ours.p95_ms.median,
        steadiest.name,
    )


_COLUMNS: dict[str, Callable[[Row, Row], str]] = {
    "p50 ms": lambda row, ours: _shown(row.p50_ms, ".2f"),
    "p95 ms": lambda row, ours: _shown(row.p95_ms, ".2f"),
    "p99 ms": lambda row, ours: _shown(row.p99_ms, ".2f"),
    "subwords/s": lambda row, ours: _shown(row.subwords_per_second, ",.0f"),
    "texts a run": lambda row, ours: str(row.batch or "own"),
    "F1 alone": lambda row, ours: f"{row.f1_alone:.4f}",
    "F1 together": lambda row, ours: f"{row.f1_together:.4f}",
    "churn alone": lambda row, ours: _share(row.churn_alone),
    "churn together": lambda row, ours: _share(row.churn_together),
    "batch effect": lambda row, ours: _share(row.batch_effect, interval=False),
    "RSS MB": lambda row, ours: f"{row.rss_mb.median:.0f}",
    "cold s": lambda row, ours: _shown(row.cold_start_s, ".2f"),
    "p50 / ours": lambda row, ours: f"{row.p50_ms.median / ours.p50_ms.median:.2f}x",
    "speed / ours": lambda row, ours: f"{row.subwords_per_second.median / ours.subwords_per_second.median:.2f}x",
}


def speed_table(rows: Sequence[Row]) -> Table:
    """Peers down, figures across: medians with the smallest and largest of the rounds."""
    ours = next((row for row in rows if row.ours), rows[0])
    table = Table("peer", *_COLUMNS)
    for row in rows:
        table.add_row(row.name, *(show(row, ours) for show in _COLUMNS.values()), style="bold" if row.ours else "")
    return table


def check_table(peers: Sequence[Peer], checks: Sequence[Check]) -> Table:
    """Entity F1, churn and batch effect by peer; the times are those of a first pass and of one start."""
    shares = ("churn alone", "churn together", "batch effect")
    table = Table("peer", "F1 alone", "F1 together", *shares, "first p50 ms", "first start s")
    for peer, found in zip(peers, checks, strict=True):
        scores = (f"{score:.4f}" for score in (found.f1_alone, found.f1_together))
        changes = map(_share, (found.churn_alone, found.churn_together, found.batch_effect))
        table.add_row(peer.name, *scores, *changes, f"{found.p50:.2f}", f"{found.cold_start:.1f}")
    return table


def lead_line(lead: Lead) -> str:
    """The lead in a sentence."""
    return (
        f"{lead.ours}: {lead.throughput:.2f} times the throughput of the best ({lead.throughput_peer}), "
        f"{lead.p50:.2f} times as soon at p50 ({lead.p50_peer}), {lead.p95:.2f} times at p95 ({lead.p95_peer})"
    )


def _shown(spread: Spread, form: str) -> str:
    return f"{spread.median:{form}} ({spread.low:{form}}-{spread.high:{form}})"


def _share(found: Estimate | None, interval: bool = True) -> str:
    if not found:
        return "-"
    return f"{found.value:.2%}" + (f" ({found.low:.2%}-{found.high:.2%})" if interval else "")


def _spread(values: Sequence[float]) -> Spread:
    return Spread(median(values), min(values), max(values))
