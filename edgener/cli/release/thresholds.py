"""`edgener thresholds`: the score settings of a bundle, for a precision that is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgener.cli.labelled import print_notes
from edgener.cli.options import data_options, threads_option
from edgener.cli.tables import narrow_table, print_table
from edgener.data.read import DataSpec, check_labelled, check_labels, read_splits
from edgener_runtime.base.serde import to_dict
from edgener_runtime.cli.options import FiniteRange
from edgener_runtime.decoding.entity import AGGREGATIONS, AS_TRAINED
from edgener_runtime.errors import EdgenerError, UserInputError

if TYPE_CHECKING:
    from edgener.confidence.settings import LabelThreshold, ScoreReport
    from edgener.confidence.thresholds import Detection
    from edgener.data.types import Dataset

_MEASURED = ("valid", "test")


class UnreachablePrecisionError(EdgenerError):
    """No label reaches the precision: exit code 3, or 4 where only examples are missing."""

    def __init__(self, report: ScoreReport) -> None:
        reasons = [f"{label}: {each.choice.why}" for label, each in report.labels.items()]
        super().__init__(
            f"no label is shown to reach a precision of {report.precision:g}\n" + "\n".join(reasons),
            "Nothing was written. Ask for less (--precision), give more validation text, or decode by words "
            "(--aggregation first), as the model was trained.",
        )
        self.exit_code = 4 if all(each.choice.too_few for each in report.labels.values()) else 3


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@data_options
@click.option(
    "--precision", type=FiniteRange(0, 1, min_open=True, max_open=True), required=True,
    help="Precision that the entities of each label shall have.",
)  # fmt: skip
@click.option(
    "--aggregation", type=click.Choice(AGGREGATIONS), default=AS_TRAINED.aggregation, show_default=True,
    help="How subwords become entities; it becomes the bundle's default, as the thresholds hold for it.",
)  # fmt: skip
@click.option("--variant", default="auto", show_default=True, help="Variant whose scores are measured.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Write another bundle [default: change BUNDLE]."
)
@threads_option
@click.option("--json", "as_json", is_flag=True, help="Print the thresholds and figures as JSON.")
def thresholds(
    bundle: Path, data: DataSpec, precision: float, aggregation: str, variant: str, out: Path | None,
    threads: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Choose the lowest score per label that gives a precision.

    The valid split fits a temperature for the scores, and then gives each label the lowest threshold whose entities
    have the precision. Both are written into BUNDLE. The precision must be shown: its exact one-sided 95 % interval
    lies at or above what is asked for. A label with too few entities for that gets no threshold, and a note. The test
    split, if there is one, shows what the thresholds do on other text.

    Devices use the temperature and the thresholds unless a call has its own (--threshold, --no-thresholds). A signed
    bundle is not changed: --out writes another, to be signed again.

    Exit 3: no label reaches the precision. Exit 4: no label has enough entities. Nothing is written then.

    \b
    Examples:
      edgener thresholds out/bundle --data builtin:factory --precision 0.95
      edgener thresholds out/bundle --data conll2003 --precision 0.9 --aggregation first --out out/precise
    """
    splits = _splits(data)

    from edgener.confidence.settings import find_settings
    from edgener.confidence.stored import check_changeable, signatures, write_scores
    from edgener.progress import tracked
    from edgener_runtime.bundle.verify import verify_bundle
    from edgener_runtime.pipeline import TokenClassifier

    manifest = verify_bundle(bundle)
    check_changeable(bundle, manifest, out)
    for split in splits.values():
        check_labels(manifest.label_set.types, split)
    with tracked() as track, TokenClassifier.load(bundle, "cpu", variant, threads) as classifier:
        report = find_settings(bundle, classifier, splits, precision, aggregation, track)
    if all(each.choice.threshold is None for each in report.labels.values()):
        raise UnreachablePrecisionError(report)
    signed = bool(signatures(bundle))
    write_scores(bundle, report.settings, report.record(), out or bundle)
    _render(report, out or bundle, as_json)
    if signed:
        click.echo(f"note: {out} is not signed; sign it with: edgener sign {out} --key KEY", err=True)


def _splits(data: DataSpec) -> dict[str, Dataset]:
    """The valid split and, if there is one, the test split. Raises UserInputError without a labelled valid split."""
    splits = {name: split for name, split in read_splits(data).items() if name in _MEASURED}
    if _MEASURED[0] not in splits:
        raise UserInputError(
            f"{data.source} has no valid split, on which thresholds are chosen",
            "Name a folder with one, or cut one file: --cut 80/10/10",
        )
    print_notes(splits.values())
    for split in splits.values():
        check_labelled(split)
    return splits


def _render(report: ScoreReport, written: Path, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**to_dict(report), "bundle": str(written)}, indent=2))
        return
    from rich.console import Console

    console = Console(markup=False, emoji=False)
    for split in report.data:
        print_table(console, _table(report, split))
    for line in _notes(report):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(f"bundle: {written}", highlight=False, soft_wrap=True)


def _table(report: ScoreReport, split: str) -> Any:
    """Precision and recall of each label and of all, without thresholds and with them."""
    data = f"{report.data[split]['source']} ({split})"
    title = f"{data}: precision {report.precision:g} is asked for"
    table = narrow_table("label", "threshold", "precision", "recall", "recall lost", title=title, wraps=("label",))
    for label, each in report.labels.items():
        table.add_row(label, _threshold(each), *_change(each.before[split], each.after[split]))
    table.add_row("all", "", *_change(*report.overall(split)))
    return table


def _threshold(each: LabelThreshold) -> str:
    if each.choice.threshold is None:
        return "none"
    return f"{each.choice.threshold:.4f}" if each.choice.threshold else "0"


def _change(before: Detection, after: Detection) -> tuple[str, str, str]:
    lost = None if before.recall is None or after.recall is None else before.recall - after.recall
    return (
        f"{_share(before.precision)} → {_share(after.precision)}",
        f"{_share(before.recall)} → {_share(after.recall)}",
        _share(lost),
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _notes(report: ScoreReport) -> Iterator[str]:
    """The temperature, what the thresholds hold for, and why labels have none."""
    scores = report.settings
    if scores.temperature == AS_TRAINED.temperature:
        yield f"no temperature: {report.origin}"
    else:
        yield f"temperature {scores.temperature:g}, {report.origin}"
    yield f"measured with {report.variant}, aggregation {scores.aggregation}"
    for label, each in report.labels.items():
        if each.choice.threshold is None:
            yield f"note: {label} has no threshold: {each.choice.why}"
        elif not each.choice.threshold:
            yield f"note: {label} needs no threshold: all its entities have the precision"
