"""How fast is `edgener-runtime tag`, how flat is its memory, and does a killed job end with the same bytes?

    python benchmarks/bulk.py BUNDLE --variant fp32 --texts 1000000 --out FILE.json

Writes generated texts as JSON Lines, and tags them with `tag --workers 2`. Beside it stand two bare onnxruntime
processes on the same variant: tokenise, sort by length, run, take the most likely labels, write nothing. The two take
turns of some seconds, each stopped while the other runs, so that both see the same machine. The job is then run again,
killed with -9 three times and resumed, and its bytes are compared.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click
import psutil
from bulk_tables import table

from edgener_runtime import __version__
from edgener_runtime.base.files import sha256_of, write_atomic
from edgener_runtime.machine.cpu import cpu_model, isa

TAG = "from edgener_runtime.cli.main import main; main(prog_name='edgener-runtime')"
SEED = 20261201
TURN, BARE_SHARE = 9.0, 1 / 3  # seconds of the job's turns, and how long one of the bare processes is beside it
KILLS = 3
POINTS = 60  # of memory over time that are kept
MACHINES = ("pump", "valve", "motor", "gearbox", "conveyor", "compressor", "fan", "泵", "电机", "Förderband")
PARTS = ("bearing", "seal", "shaft", "belt", "filter", "coupling", "密封圈", "轴承", "Dichtung")
FAULTS = ("leaks", "vibrates", "overheats", "is worn", "is blocked", "makes a noise", "漏油", "ist undicht")
ENDS = (
    "since Monday.", "and was replaced by the night shift.", "again; please check before the next start-up.",
    "in hall {hall}.", "near line {hall}, reported by Ms Keller of Siemens in Erlangen.", "",
)  # fmt: skip


@dataclass(frozen=True)
class Speed:
    """Texts of one system while it was its turn, the seconds of its turns, and its CPU time."""

    texts: int
    seconds: float
    texts_per_second: float
    cpu_seconds: float
    texts_per_cpu_second: float
    turns: int


def speed(texts: int, seconds: float, cpu: float, turns: int) -> Speed:
    """The rates of what was counted."""
    return Speed(texts, round(seconds, 2), round(texts / seconds, 1), round(cpu, 1), round(texts / cpu, 1), turns)


@dataclass(frozen=True)
class Memory:
    """Resident MB of the job's processes together: samples over time, and the highest of each half."""

    samples_mb: list[float]
    peak_mb: float
    peak_first_half_mb: float
    peak_last_half_mb: float


def generate(count: int, seed: int = SEED) -> Iterator[str]:
    """Texts as maintenance staff write them, in three languages; the same for the same seed."""
    chance = random.Random(seed)
    for _ in range(count):
        hall = chance.randrange(1, 30)
        machine, part, fault = chance.choice(MACHINES), chance.choice(PARTS), chance.choice(FAULTS)
        tag = f"{machine[0].upper()}-{chance.randrange(1, 9999)}"
        yield f"The {part} of {machine} {tag} {fault} {chance.choice(ENDS).format(hall=hall)}".strip()


def write_texts(path: Path, count: int) -> None:
    """The texts as JSON Lines, each with its number."""
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(generate(count)):
            file.write(json.dumps({"id": number, "text": text}, ensure_ascii=False) + "\n")


def bare(bundle: str, variant: str, source: str, part: int, parts: int, count: Any) -> None:
    """A share of the file, over and over: tokenise, sort by length, run, take the most likely labels."""
    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    os.setsid()  # as the workers of `tag`: the scheduler shares the CPU among sessions
    from edgener_runtime.bundle.manifest import read_manifest
    from edgener_runtime.machine.devices import CPU

    manifest = read_manifest(Path(bundle))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    file = str(Path(bundle) / manifest.variant(variant).file.path)
    session = onnxruntime.InferenceSession(file, options, providers=[CPU])
    tokenizer = Tokenizer.from_file(str(Path(bundle) / manifest.tokenizer.file))
    names = [each.name for each in session.get_inputs()]
    while True:
        for texts in _chunks(source, part, parts):
            encoded = sorted(tokenizer.encode_batch(texts), key=lambda each: len(each.ids))
            for batch in _batches(encoded):
                longest = len(batch[-1].ids)
                rows = {
                    "input_ids": [each.ids + [0] * (longest - len(each.ids)) for each in batch],
                    "attention_mask": [[1] * len(each.ids) + [0] * (longest - len(each.ids)) for each in batch],
                    "token_type_ids": [[0] * longest for _ in batch],
                }
                logits = session.run(None, {name: np.array(rows[name], dtype=np.int64) for name in names})[0]
                logits.argmax(-1)
                with count.get_lock():
                    count.value += len(batch)


def _chunks(source: str, part: int, parts: int) -> Iterator[list[str]]:
    with Path(source).open(encoding="utf-8") as file:
        texts: list[str] = []
        for number, line in enumerate(file):
            if number // 512 % parts == part:
                texts.append(json.loads(line)["text"])
                if len(texts) == 512:
                    yield texts
                    texts = []


def _batches(encoded: list[Any], subwords: int = 256) -> Iterator[list[Any]]:
    """Batches of at most so many positions with padding, as the runtime makes them."""
    batch: list[Any] = []
    for each in encoded:
        if batch and (len(batch) + 1) * len(each.ids) > subwords:
            yield batch
            batch = []
        batch.append(each)
    if batch:
        yield batch


def start_tag(arguments: list[str]) -> psutil.Popen:
    """The command in a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    return psutil.Popen(
        [sys.executable, "-c", TAG, "tag", *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and its children."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def signal_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to those that still run."""
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def resident_mb(processes: list[psutil.Process]) -> float:
    """Resident memory of processes together."""
    total = 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 1e6


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """CPU time of processes together, with that of children that have ended."""
    total = 0.0
    for process in processes:
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total


@contextmanager
def bare_processes(bundle: Path, variant: str, source: Path, workers: int) -> Iterator[tuple[list[Any], Any]]:
    """Bare processes, stopped at first, and the count of their texts."""
    context = multiprocessing.get_context("spawn")
    count = context.Value("q", 0)
    started = [
        context.Process(target=bare, args=(str(bundle), variant, str(source), part, workers, count), daemon=True)
        for part in range(workers)
    ]
    for each in started:
        each.start()
    processes = [psutil.Process(each.pid) for each in started]
    while count.value < 5000 * workers:  # loaded and warm
        time.sleep(0.1)
    signal_all(processes, signal.SIGSTOP)
    try:
        yield processes, count
    finally:
        for each in started:
            each.kill()


def in_turns(arguments: list[str], count: Any, others: list[Any], total: int, seconds: float) -> tuple[Any, ...]:
    """The job and the bare processes in turns until the job ends: its speed, theirs, its memory, its summary."""
    process = start_tag(arguments)
    active = other_active = cpu = 0.0
    before, other_cpu, turns, samples = count.value, cpu_seconds(others), 0, []
    while process.poll() is None:
        began = time.perf_counter()
        while process.poll() is None and time.perf_counter() - began < seconds:
            time.sleep(0.2)
            mine = family(process)
            samples.append(resident_mb(mine))
            cpu = max(cpu, cpu_seconds(mine))
        active += time.perf_counter() - began
        if process.poll() is not None:
            break
        mine = family(process)
        signal_all(mine, signal.SIGSTOP)
        signal_all(others, signal.SIGCONT)
        began = time.perf_counter()
        time.sleep(seconds * BARE_SHARE)
        signal_all(others, signal.SIGSTOP)
        other_active += time.perf_counter() - began
        signal_all(mine, signal.SIGCONT)
        turns += 1
    out, err = process.communicate()
    if process.returncode:
        raise SystemExit(f"tag ended with {process.returncode}: {err.decode()[-1000:]}")
    counted = count.value - before
    tagged = speed(total, active, cpu, turns + 1)
    bare_speed = speed(counted, other_active, cpu_seconds(others) - other_cpu, turns)
    return tagged, bare_speed, memory_of(samples), json.loads(out)


def memory_of(samples: list[float]) -> Memory:
    """Memory over time in few points, each the highest of its time."""
    half, step = len(samples) // 2, max(1, len(samples) // POINTS)
    points = [round(max(samples[at : at + step]), 1) for at in range(0, len(samples), step)]
    first, last = max(samples[:half]), max(samples[half:])
    return Memory(points, round(max(first, last), 1), round(first, 1), round(last, 1))


def killed(arguments: list[str], seconds: float) -> list[float]:
    """Kill a job with -9 at chance times within the time that it takes, resume it to its end, and say when."""
    chance, at = random.Random(SEED), []
    for _ in range(KILLS):
        process = start_tag([*arguments, "--resume"])
        wait = chance.uniform(0.1, 0.9) * seconds / (KILLS + 1)
        time.sleep(wait)
        if process.poll() is not None:
            raise SystemExit("the job ended before it was killed; give it more texts")
        process.kill()
        process.communicate()
        at.append(round(wait, 1))
    process = start_tag([*arguments, "--resume"])
    _, err = process.communicate()
    if process.returncode:
        raise SystemExit(f"the resumed job ended with {process.returncode}: {err.decode()[-1000:]}")
    return at


@click.command()
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--variant", default="fp32", show_default=True)
@click.option("--texts", default=1_000_000, show_default=True)
@click.option("--workers", default=2, show_default=True)
@click.option(
    "--turn", default=TURN, show_default=True, help="Seconds of a turn of the job; the bare processes have a third."
)
@click.option("--folder", type=click.Path(path_type=Path), help="For the texts and results [default: a temporary one].")
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(bundle: Path, variant: str, texts: int, workers: int, turn: float, folder: Path | None, out: Path) -> None:
    """Measure BUNDLE's variant, and write the figures."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        record = measure(bundle, variant, texts, workers, turn, Path(name))
    write_atomic(out, json.dumps(record, indent=1) + "\n")
    click.echo(table([record]))


def measure(bundle: Path, variant: str, texts: int, workers: int, turn: float, folder: Path) -> dict[str, Any]:
    """All figures."""
    source, whole, resumed = folder / "texts.jsonl", folder / "whole.jsonl", folder / "resumed.jsonl"
    write_texts(source, texts)
    common = [str(bundle), str(source), "--variant", variant, "--workers", str(workers), "--json"]
    with bare_processes(bundle, variant, source, workers) as (others, count):
        tagged, plain, memory, summary = in_turns([*common, "--out", str(whole)], count, others, texts, turn)
    at = killed([*common, "--out", str(resumed)], tagged.seconds)
    return {
        "schema_version": 1, "date": datetime.now(timezone.utc).date().isoformat(), "version": __version__,
        "cpu": cpu_model(), "isa": isa(), "cores": os.cpu_count(), "load_average": os.getloadavg()[0],
        "bundle": summary["engine"], "variant_mb": round(variant_mb(bundle, variant), 1),
        "texts": texts, "input_mb": round(source.stat().st_size / 1e6, 1), "seed": SEED,
        "characters_per_text": round(statistics.mean(map(len, generate(10_000))), 1),
        "entities_per_text": round(summary["entities"] / texts, 2), "workers": workers, "turn_seconds": turn,
        "tag": asdict(tagged), "bare": asdict(plain),
        "ratio": round(tagged.texts_per_second / plain.texts_per_second, 3),
        "memory": asdict(memory), "killed_after_seconds": at, "sha256": sha256_of(whole),
        "same_bytes": sha256_of(whole) == sha256_of(resumed),
    }  # fmt: skip


def variant_mb(bundle: Path, variant: str) -> float:
    """The size of a variant's file."""
    from edgener_runtime.bundle.manifest import read_manifest

    return read_manifest(bundle).variant(variant).file.size / 1e6


if __name__ == "__main__":
    main()
