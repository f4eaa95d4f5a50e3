"""The files of a bundle besides its models and tokenizer: the manifests, and the script that reproduces it."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import edgener
from edgener.checkpoint import Checkpoint
from edgener.parity.compare import ParityReport
from edgener_exporters.variants import VARIANTS, Variant
from edgener_runtime.base.files import sha256_of
from edgener_runtime.base.printable import unsafe_character
from edgener_runtime.base.serde import to_dict
from edgener_runtime.bundle.manifest import (
    MANIFEST,
    MEASURED,
    FileEntry,
    Manifest,
    MeasuredVariant,
    Measurements,
    Proof,
    VariantEntry,
    VariantReference,
)
from edgener_runtime.bundle.verify import file_entry
from edgener_runtime.errors import UserInputError
from edgener_runtime.machine.cpu import isa

from .attestation import provenance_statement
from .evidence import EPOCH, Evidence, build_time
from .model_card import model_card
from .sbom import bill_of_materials
from .tokenizer import tokenizer_settings

REPRODUCE = "reproduce.sh"
SEARCH = "search.json"
PROVENANCE = "provenance.intoto.json"
EVIDENCE = {
    "sbom.cdx.json": bill_of_materials,
    PROVENANCE: provenance_statement,
    "model-card.md": model_card,
}
"""The documents that other tools and people read, each with what writes it."""


def model_file(folder: Path, variant: Variant) -> Path:
    """The path of a variant's graph in a bundle."""
    return folder / "variants" / f"{variant.name}.onnx"


def draft_manifest(
    checkpoint: Checkpoint, variants: Sequence[Variant], folder: Path, provenance: dict[str, Any]
) -> Manifest:
    """The manifest of a bundle that has its models and tokenizer, before the measurement of parity.

    Raises UserInputError for names that devices refuse.
    """
    labels = checkpoint.label_set
    for name in (checkpoint.path.name, *labels.names):
        if found := unsafe_character(name):
            raise UserInputError(
                f"the name {name!r} of the checkpoint or of one of its labels has the character {found}",
                "Rename it without control characters and bidirectional overrides: devices refuse them.",
            )
    settings = tokenizer_settings(checkpoint, model_file(folder, variants[0]))
    entries = tuple(_variant_entry(variant, folder) for variant in variants)
    files = (file_entry(folder, folder / settings.file),)
    return Manifest(
        edgener.__version__, checkpoint.path.name, labels.names, settings, entries, files, provenance,
        scheme=labels.scheme, outside=labels.outside, ignored_labels=labels.ignored,
    )  # fmt: skip


def prove(manifest: Manifest, reports: Sequence[ParityReport], provider: str, versions: dict[str, str]) -> Manifest:
    """The manifest with the parity of each variant, and the provider and versions of the measurement."""
    proof, found = Proof(provider, isa(), versions), {report.variant: report for report in reports}
    proven = tuple(
        replace(entry, parity=found[entry.name].figures, proven=(proof,), drift=found[entry.name].counts)
        for entry in manifest.variants
    )
    return replace(manifest, variants=proven)


def write_manifest(manifest: Manifest, folder: Path, measured: Collection[str] = ()) -> Manifest:
    """Write the manifests with an entry for every file of the folder: one for each variant, the root, and the speeds.

    `measured` are the paths of files that show speeds. All but the tokenizer of the others are reports.
    """
    variants = _by_table(manifest.variants)
    references = tuple(_write_variant(entry, folder) for entry in variants)
    timed = measured or any(entry.speed for entry in variants)
    own = {file.path for entry in variants for file in (entry.file, *entry.files)}
    own |= {reference.manifest.path for reference in references}
    others = [entry for entry in _entries(folder) if entry.path not in own]
    files = tuple(
        replace(entry, optional=entry.path != manifest.tokenizer.file) for entry in others if entry.path not in measured
    )
    manifest = replace(manifest, files=files, references=references, measured=MEASURED if timed else None)
    record = to_dict(manifest) | {"variants": [to_dict(reference) for reference in references]}
    for name in ("references", "measured_files"):
        del record[name]
    _write_canonical(folder / MANIFEST, record)
    if timed:
        shown = tuple(replace(entry, optional=True) for entry in others if entry.path in measured)
        speeds = tuple(MeasuredVariant(each.name, each.disabled_optimizers, each.speed) for each in manifest.variants)
        manifest = replace(manifest, measured_files=shown)
        _write_canonical(folder / MEASURED, to_dict(Measurements(sha256_of(folder / MANIFEST), speeds, shown)))
    return manifest


def _by_table(variants: Sequence[VariantEntry]) -> tuple[VariantEntry, ...]:
    """In the order of the table, and by name where it has none: the order of speed is that of one machine."""
    places = {name: place for place, name in enumerate(VARIANTS)}
    return tuple(sorted(variants, key=lambda entry: (places.get(entry.name, len(places)), entry.name)))


def _write_variant(entry: VariantEntry, folder: Path) -> VariantReference:
    """Write a variant's manifest, with the session options of the table in place of those that were fastest."""
    file = folder / "variants" / f"{entry.name}.json"
    record = to_dict(replace(entry, disabled_optimizers=VARIANTS.get(entry.name, entry).disabled_optimizers))
    del record["speed"]
    if entry.drift is None:
        del record["drift"]
    _write_canonical(file, record)
    return VariantReference(entry.name, file_entry(folder, file))


def _write_canonical(file: Path, record: dict[str, Any]) -> None:
    """Write JSON as RFC 8785 says: what is the same has the same bytes."""
    import rfc8785

    file.write_bytes(rfc8785.dumps(record))


def write_evidence(manifest: Manifest, reports: Sequence[ParityReport], arguments: Sequence[str], folder: Path) -> None:
    """Write the ML-BOM, the provenance statement and the model card of a bundle into its folder."""
    manifest = replace(manifest, variants=_by_table(manifest.variants))
    by_name = {report.variant: report for report in reports}
    own = tuple(by_name[entry.name] for entry in manifest.variants)
    files = (file for entry in manifest.variants for file in (entry.file, *entry.files))
    loaded = (file_entry(folder, folder / manifest.tokenizer.file), *sorted(files, key=lambda entry: entry.path))
    evidence = Evidence(manifest, own, tuple(arguments), loaded)
    for name, write in EVIDENCE.items():
        (folder / name).write_text(write(evidence), encoding="utf-8")


def bundled_options(timed: bool, searched: bool) -> dict[str, str]:
    """The options of another export whose values are files of the bundle itself, which has speeds or a search."""
    return ({"--timings": "."} if timed else {}) | ({"--plan": SEARCH} if searched else {})


def reproduce_script(
    arguments: Sequence[str], data: str, versions: Mapping[str, str], bundled: Mapping[str, str]
) -> str:
    """A shell script that exports the same bundle from the checkpoint and the data, and compares the two.

    `bundled` are options whose values are files of the bundle itself.
    """
    own = "".join(f' {option} "$bundle/{file}"' for option, file in bundled.items())
    time = build_time()
    epoch = f"export {EPOCH}={int(time.timestamp())}" if time else f"unset {EPOCH}"
    pins = " ".join(f"{name}=={version.split('+')[0]}" for name, version in versions.items() if name != "python")
    return f"""#!/bin/sh
# Reproduces this bundle and compares: sh {REPRODUCE} CHECKPOINT DATA OUT
# with Python {versions["python"]} and: pip install edgener=={edgener.__version__} {pins}
# {MANIFEST} has the hashes of the checkpoint and of the data, under provenance.
set -eu
bundle=$(dirname "$0")
checkpoint=${{1:?name the checkpoint}} data=${{2:-{shlex.quote(data)}}} out=${{3:?name the folder to write}}
{epoch}
edgener export "$checkpoint" --data "$data" --out "$out" {shlex.join(arguments)}{own}
cmp "$out/{MANIFEST}" "$bundle/{MANIFEST}"
echo "the same, byte for byte"
"""


def _variant_entry(variant: Variant, folder: Path) -> VariantEntry:
    import onnx

    file = model_file(folder, variant)
    opsets = {entry.domain: entry.version for entry in onnx.load(file, load_external_data=False).opset_import}
    return VariantEntry(
        variant.name,
        variant.precision,
        file_entry(folder, file),
        opsets.get("", opsets.get("ai.onnx", 0)),
        variant.requirements,
        (),
        disabled_optimizers=variant.disabled_optimizers,
    )


def _entries(folder: Path) -> list[FileEntry]:
    """An entry for every file but the manifest and that of speeds."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [entry for entry in (file_entry(folder, path) for path in files) if entry.path not in (MANIFEST, MEASURED)]
