"""The page of a sweep: its verdict, the F1 of its trials, importances and finalists."""

from __future__ import annotations

from pathlib import Path

from edgener.train.sweep.result import FEWEST_FOR_IMPORTANCES, SweepResult, settings_text, verdict
from edgener_runtime.base.files import staged_folder

from .canvas import COLOURS, INK, figure
from .html import embedded, render
from .pictures import WIDTH, Picture
from .tables import TextTable

FOLDER = "report"
PAGE = f"{FOLDER}/sweep.html"
_MARKS = {"complete": ("o", COLOURS[0]), "pruned": ("x", COLOURS[1])}


def write_sweep_page(result: SweepResult, out: Path) -> Path:
    """Write report/sweep.html and its pictures below a folder, and return the page."""
    with staged_folder(out / FOLDER, marker=Path(PAGE).name) as folder:
        drawn = [draw_trials(result, folder), draw_importances(result, folder)]
        values = {
            "verdict": verdict(result),
            "drawn": embedded(drawn, folder),
            "few": "" if result.importances else too_few(),
            "tables": [finalists_table(result), importances_table(result), trials_table(result), space_table(result)],
        }
        page = render("Hyper-parameter search", "sweep.html", values)
        (folder / Path(PAGE).name).write_text(page, encoding="utf-8", newline="\n")
    return out / PAGE


def too_few() -> str:
    """Why there are no importances."""
    return f"Importances need {FEWEST_FOR_IMPORTANCES} complete trials with different scores."


def finalists_table(result: SweepResult) -> TextTable:
    """The repeated trials, the best first; trial 0 is the start."""
    rows = (
        (
            f"{each.number}{' (chosen)' if each.number == result.chosen else ''}", f"{each.mean:.4f}",
            f"{each.spread:.4f}", f"{min(each.f1.values()):.4f} to {max(each.f1.values()):.4f}",
            settings_text(each.settings),
        )
        for each in sorted(result.finalists, key=lambda each: (-each.mean, each.number))
    )  # fmt: skip
    seeds = len(result.best.f1)
    caption = f"Entity F1 on valid over {seeds} {'seed' if seeds == 1 else 'seeds'}; trial 0 is the start"
    return TextTable(caption, ("trial", "mean F1", "deviation", "range", "settings"), tuple(rows))


def importances_table(result: SweepResult) -> TextTable:
    """The share of the variation of F1 that each setting explains."""
    rows = ((name, f"{share:.0%}", result.space[name]) for name, share in result.importances.items())
    return TextTable("What F1 depends on (PED-ANOVA)", ("setting", "importance", "searched"), tuple(rows))


def trials_table(result: SweepResult) -> TextTable:
    """Every trial in order."""
    rows = (
        (str(each.number), each.state, "-" if each.f1 is None else f"{each.f1:.4f}", settings_text(each.settings))
        for each in result.trials
    )
    return TextTable("Trials, one seed each", ("trial", "state", "F1 on valid", "settings"), tuple(rows))


def space_table(result: SweepResult) -> TextTable:
    """The values that were searched, and the settings that were fixed."""
    fixed = ((name, f"{value} (fixed)") for name, value in result.fixed.items())
    return TextTable("Search space", ("setting", "values"), (*result.space.items(), *fixed))


def draw_trials(result: SweepResult, folder: Path) -> Picture:
    """The F1 of each trial, and the best so far."""
    text = "Entity F1 on the valid split of each trial with one seed; the line is the best so far."
    picture = Picture("sweep-trials", "Trials", text)
    scored = [trial for trial in result.trials if trial.f1 is not None]
    best = [max(each.f1 or 0.0 for each in scored[: number + 1]) for number in range(len(scored))]
    with figure(WIDTH, 3.2, *picture.files(folder)) as drawn:
        axes = drawn.subplots()
        axes.step([trial.number for trial in scored], best, where="post", color=INK, lw=0.8, label="best so far")
        for state, (marker, colour) in _MARKS.items():
            at = [(trial.number, trial.f1) for trial in scored if trial.state == state]
            if at:
                axes.plot(*zip(*at, strict=True), marker, color=colour, label=state)
        axes.set(xlabel="trial", ylabel="entity F1 on valid")
        axes.grid(axis="y")
        axes.legend(loc="lower right")
    return picture


def draw_importances(result: SweepResult, folder: Path) -> Picture | None:
    """A bar per setting, or None without importances."""
    if not result.importances:
        return None
    picture = Picture("sweep-importances", "Importances", "The share of the variation of F1 that a setting explains.")
    names = list(reversed(result.importances))
    with figure(WIDTH, 0.8 + 0.3 * len(names), *picture.files(folder)) as drawn:
        axes = drawn.subplots()
        axes.barh(names, [result.importances[name] for name in names], color=COLOURS[0])
        axes.set(xlabel="importance")
    return picture
