"""Text in, entities out: how fast is the same checkpoint in other engines and in ours, on the same cores?

    python -m benchmarks.peers CHECKPOINT BUNDLE --data SOURCE --out FILE.json

Each peer runs in an environment of its own (make_envs.sh). A round measures each in turn while the others are stopped;
rounds are interleaved, so that what else the machine does meets all alike.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from edgener.cli.options import data_options
from edgener.data.calibration import calibration_text, representative
from edgener.data.read import DataSpec, read_split
from edgener.encoding import load_tokenizer
from edgener.progress import tracked
from edgener_runtime.base.files import write_atomic
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import EdgenerError

from .models import CALIBRATION, make_models
from .record import to_json
from .report import check_table, lead_line, leads_of, speed_table
from .run import Plan, check_all, choose_peers, made_by, measure, pin
from .table import PEERS, our_rows
from .worker import Workplace

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "peers"
WIDTH = 240  # what the table takes; narrower terminals break its lines, a file has it whole
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True)


@click.command()
@click.argument("checkpoint", type=FOLDER)
@click.argument("bundle", type=FOLDER)
@data_options
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Interleaved rounds.")
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, help="Latency of every N-th text only.")
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Cores and threads of each peer.")
@click.option("--limit", type=click.IntRange(1), help="At most so many texts, spread evenly [default: all].")
@click.option("--peer", "names", multiple=True, help="Only peers with this in their name, and ours.")
@click.option("--check", "check_only", is_flag=True, help="Only say whether each one's entities are right.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures there.")
def bench(
    checkpoint: Path,
    bundle: Path,
    data: DataSpec,
    rounds: int,
    every: int,
    threads: int,
    limit: int | None,
    names: tuple[str, ...],
    check_only: bool,
    out: Path | None,
) -> None:
    """Measure peers and edgener-runtime on the test split of a data set."""
    begun = time.perf_counter()
    pin(threads)
    dataset = read_split(data, "test")
    sentences = dataset.sentences[:: -(-len(dataset.sentences) // limit) if limit else 1]
    peers = choose_peers((*PEERS, *our_rows(verify_bundle(bundle), bundle)), names)
    calibration = representative(calibration_text(data, None, dataset).sentences, CALIBRATION)
    models = make_models(CACHE, checkpoint, [sentence.text for sentence in calibration], made_by(peers))
    place = Workplace(CACHE, checkpoint, bundle, models, threads, sentences[0].text)
    plan = Plan(peers, place, sentences, _subwords(checkpoint, [s.text for s in sentences]), rounds, every)
    if check_only:
        _check(plan)
    else:
        _measure(plan, out, begun)


def _check(plan: Plan) -> None:
    with tracked() as track:
        checks = check_all(plan, track)
    _wide().print(check_table(plan.peers, checks))


def _measure(plan: Plan, out: Path | None, begun: float) -> None:
    with tracked() as track:
        rows = measure(plan, track)
    if out:
        write_atomic(out, to_json(plan, rows, time.perf_counter() - begun))
    console = _wide()
    console.print(speed_table(rows))
    for lead in leads_of(rows).values():
        console.print(lead_line(lead), highlight=False)


def _wide() -> Console:
    return Console(width=max(WIDTH, Console().width))


def _subwords(checkpoint: Path, texts: Sequence[str]) -> int:
    """Subwords of all texts, special tokens left out."""
    tokenizer = load_tokenizer(str(checkpoint))
    return sum(map(len, tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]))


def main() -> None:
    """The command, with errors as people read them."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # stopped workers would outlive a driver that just dies
    try:
        bench()
    except EdgenerError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
