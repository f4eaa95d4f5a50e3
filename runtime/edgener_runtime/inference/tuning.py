"""The tuning of a model on this machine, and the record of the best that `edgener-runtime tune` found."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from edgener_runtime.backends.base import Tuning
from edgener_runtime.base.serde import SchemaError, from_json
from edgener_runtime.bundle.manifest import VariantEntry
from edgener_runtime.errors import UserInputError
from edgener_runtime.machine.cpu import cpu_model, isa, usable_cores
from edgener_runtime.machine.devices import DEVICES

_log = logging.getLogger(__name__)
GOALS = ("latency", "throughput", "power")


@dataclass(frozen=True)
class TuningFingerprint:
    """What a tuning is valid for: CPU, instruction sets, usable cores, onnxruntime, and model."""

    cpu: str
    isa: str
    cores: int
    onnxruntime: str
    model: str


@dataclass(frozen=True)
class TuningTrial:
    """A measured tuning: milliseconds per single text, texts per second in batches, CPU milliseconds per text."""

    tuning: Tuning
    latency_ms: float
    texts_per_second: float
    cpu_ms: float


@dataclass(frozen=True)
class TuningRecord:
    """The best tuning for a goal, the variant and machine that it is valid for, and all trials."""

    goal: str
    variant: str
    fingerprint: TuningFingerprint
    best: Tuning
    trials: tuple[TuningTrial, ...]
    schema_version: int = 1


def tuning_file(bundle: Path) -> Path:
    """Beside the bundle, whose own files are all listed in its manifest: `out/bundle.tuning.json`."""
    folder = bundle.resolve()
    return folder.with_name(f"{folder.name}.tuning.json")


def fingerprint(variant: VariantEntry) -> TuningFingerprint:
    """The fingerprint of this machine and a variant."""
    return TuningFingerprint(cpu_model(), isa(), usable_cores(), _onnxruntime_version(), variant.file.sha256)


def tuning_for(
    bundle: Path, variant: VariantEntry, threads: int | None = None, device: str = "cpu"
) -> tuple[Tuning, str]:
    """The tuning of a variant, and why: as requested, as tuned on this machine, or all usable cores.

    Records are for CPUs; a GPU uses the subwords of the table of devices. A start does not depend on a record: one that
    cannot be read is set aside with a warning. Raises UserInputError where `threads` is below 1.
    """
    if threads is not None and threads < 1:
        raise UserInputError(f"threads is {threads}, expected at least 1")
    default = Tuning(by_length=True)
    if subwords := DEVICES[device].subwords:
        why = f"{subwords} subwords per run, for a GPU; not tuned there"
        return Tuning(threads or default.threads, 1, subwords), why
    if threads is not None:
        return Tuning.of(threads), "threads as asked for"
    file = tuning_file(bundle)
    if not file.is_file():
        return default, "threads: the cores this process may use (edgener-runtime tune finds better)"
    try:
        record = read_tuning(file)
    except UserInputError as error:
        return default, f"threads: the cores this process may use; {_set_aside(file, error.message)}"
    if record.fingerprint != fingerprint(variant):
        return default, f"threads: the cores this process may use; {file.name} is for another machine or variant"
    return record.best, f"tuned for {record.goal} on this machine: {file.name}"


def read_tuning(file: Path) -> TuningRecord:
    """The record in a file. Raises UserInputError where it cannot be read."""
    hint = f"Remove {file}, or tune again: edgener-runtime tune"
    try:
        record = from_json(TuningRecord, file.read_text(encoding="utf-8"), str(file))
        _check(record.best, record.fingerprint.cores)
        return record
    except OSError as error:
        raise UserInputError(f"cannot read {file}: {error.strerror}", hint) from None
    except (SchemaError, ValueError, RecursionError) as error:
        raise UserInputError(f"{file} is damaged: {error}", hint) from None


def _check(tuning: Tuning, cores: int) -> None:
    """Raises ValueError where a tuning is none that could have been found on a machine of so many cores."""
    for name in ("threads", "workers", "threads_each"):
        if not 1 <= (found := getattr(tuning, name)) <= cores:
            raise ValueError(f"{name} is {found}, expected 1 to {cores}")
    if tuning.batch_subwords < 1:
        raise ValueError(f"batch_subwords is {tuning.batch_subwords}, expected at least 1")


def _set_aside(file: Path, reason: str) -> str:
    """Rename a record that cannot be read, so that it is reported once; what was done."""
    aside = file.with_name(f"{file.name}.damaged")
    try:
        file.replace(aside)
    except OSError:  # a read-only disk, or another process that was faster
        done = "it is ignored"
    else:
        done = f"it is now {aside.name}"
    _log.warning("%s; %s; tune again: edgener-runtime tune", reason, done)
    return f"{file.name} cannot be read, {done}"


def _onnxruntime_version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # loads email and zipfile: not for every start

    for name in ("onnxruntime", "onnxruntime-gpu"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "unknown"
