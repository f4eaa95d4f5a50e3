"""The bundle's manifest: its files, what each variant requires and where it was proven, and the provenance.

A bundle stores it in parts, each in canonical JSON (RFC 8785): `manifest.json`, the root, lists the common files and
the manifest of each variant, `variants/NAME.json`, by its SHA-256. A variant whose manifest is not there is absent, and
that is valid. `measured.json` has what another export of the same model would measure otherwise: the speeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgener_runtime.base.serde import has_field, to_json
from edgener_runtime.decoding.entity import ScoreSettings
from edgener_runtime.decoding.schemes import SCHEMES, LabelSet
from edgener_runtime.errors import BundleError, UserInputError

from .golden_set import GoldenSet
from .rules import require_consistent, require_reference, require_same, require_showable
from .schema import LAST_WHOLE, MINIMUM_RUNTIME, SCHEMA_VERSION, require_known, require_readable, update_hint
from .stored import StoredJson, read_stored

MANIFEST = "manifest.json"
MEASURED = "measured.json"
_WITHOUT_PARTS: dict[str, Any] = {"references": [], "measured_files": []}  # what other files have, not the root


@dataclass(frozen=True)
class FileEntry:
    """One file of the bundle: path relative to its folder with `/`, SHA-256 in hex, size in bytes.

    Of the files that are `optional`, reports that no device reads, a bundle has all or none.
    """

    path: str
    sha256: str
    size: int
    optional: bool = False


@dataclass(frozen=True)
class TokenizerSettings:
    """How text becomes the model's inputs.

    `max_length` counts subwords with the special tokens; `stride` is the overlap of two windows of a long text, in
    subwords; `inputs` are the graph's input names in order; `case_channel` puts case classes into token_type_ids.
    The model has embeddings for the subword ids below `embeddings`; None where that was not recorded.
    """

    file: str
    max_length: int
    stride: int
    pad_id: int
    inputs: tuple[str, ...]
    case_channel: bool = False
    embeddings: int | None = None


@dataclass(frozen=True)
class VariantRequirements:
    """What a variant requires: the execution providers it may run on, and the oldest onnxruntime that loads it.

    `operators` is the version of the operators of edgener-ops that its graph has; 0: none.
    """

    providers: tuple[str, ...]
    onnxruntime: str
    operators: int = 0


@dataclass(frozen=True)
class Proof:
    """One measurement of a variant's parity: provider, CPU instruction set, and library versions."""

    provider: str
    isa: str
    versions: dict[str, str]


@dataclass(frozen=True)
class ParityFigures:
    """A variant compared with its PyTorch model on real text.

    `equal_labels` is the share of tokens with the same label; `churn` the share of entities that differ from PyTorch's
    (half the symmetric difference over PyTorch's count), `batch_effect` of those that differ between a text alone,
    padded and in a batch. Intervals are the ends of 95 % confidence intervals. The F1 fields are None where the text
    has no gold entities.
    """

    sentences: int
    tokens: int
    equal_labels: float
    churn: float
    max_logit_difference: float
    f1: float | None = None
    f1_pytorch: float | None = None
    f1_difference: float | None = None
    f1_difference_interval: tuple[float, float] | None = None
    churn_interval: tuple[float, float] | None = None
    batch_effect: float | None = None
    batch_effect_interval: tuple[float, float] | None = None
    verdict: str | None = None


@dataclass(frozen=True)
class Spread:
    """The median, the smallest and the largest of several rounds."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Speed:
    """The speed of a variant where it was exported: milliseconds per single text, subwords per second of a batch."""

    latency_ms: Spread
    throughput: Spread
    isa: str
    threads: int


@dataclass(frozen=True)
class ReferenceCounts:
    """What a variant's answers on the evaluation text were like, in counts without text, to compare a device's with.

    `certainty` and `length` are numbers of texts by bins, and `labels` of subwords by the type of their best label, O
    for no entity; `unknown` of them are not in the vocabulary. `measure` is the version of what is counted
    (see monitoring.counts).
    """

    measure: int
    texts: int
    certainty: tuple[int, ...]
    length: tuple[int, ...]
    labels: dict[str, int]
    unknown: int


@dataclass(frozen=True)
class VariantEntry:
    """A variant of the model, with the session options that it was measured with; `files` are more of its own.

    `golden` are texts with its answers, and `drift` counts of texts: what those of a device are compared with; None in
    bundles that have none.
    """

    name: str
    precision: str
    file: FileEntry
    opset: int
    requirements: VariantRequirements = field(metadata={"key": "needs"})
    proven: tuple[Proof, ...]
    parity: ParityFigures | None = None
    disabled_optimizers: tuple[str, ...] = ()
    speed: Speed | None = None
    files: tuple[FileEntry, ...] = ()
    golden: GoldenSet | None = None
    drift: ReferenceCounts | None = None


@dataclass(frozen=True)
class VariantReference:
    """A variant in the root: its name, and the file of its manifest, which a slim bundle need not have."""

    name: str
    manifest: FileEntry


@dataclass(frozen=True)
class _References:
    variants: tuple[VariantReference, ...]


@dataclass(frozen=True)
class MeasuredVariant:
    """The session options that were fastest for a variant where it was exported, and its speed with them."""

    name: str
    disabled_optimizers: tuple[str, ...]
    speed: Speed | None = None


@dataclass(frozen=True)
class Measurements:
    """What an export measured on its machine, the fastest variant first, and the `files` that show these figures.

    `manifest` is the SHA-256 of the root that they belong to.
    """

    manifest: str
    variants: tuple[MeasuredVariant, ...]
    files: tuple[FileEntry, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """What a device must know to run and verify a bundle; `files` lists the common ones, without the manifests.

    `variants` are those that are here, fastest first. `references` are all that the root lists, `measured` is the name
    of the file of speeds, and `measured_files` those that it lists; schemas 1 and 2 have none of them.

    `scheme` is how `labels` mark entities (see decoding.schemes), and `outside` the label of what is none;
    `ignored_labels`, such as [CLS], are outside too. `architecture` is the encoder's `model_type`, and `untested` says
    that no test of the project covers it. `critical` lists the fields, as dotted paths, that a runtime must
    know to run the bundle right; it ignores all others that it does not know. `scores` are the settings that `edgener
    thresholds` adds, and None without. `sha256` is that of the file it was read
    from, "" where there is none.
    """

    edgener_version: str
    name: str
    labels: tuple[str, ...]
    tokenizer: TokenizerSettings
    variants: tuple[VariantEntry, ...]
    files: tuple[FileEntry, ...]
    provenance: dict[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION
    minimum_runtime: str = MINIMUM_RUNTIME
    critical: tuple[str, ...] = ()
    scheme: str = "IOB2"
    outside: str = "O"
    ignored_labels: tuple[str, ...] = ()
    architecture: str | None = None
    untested: bool = False
    references: tuple[VariantReference, ...] = ()
    measured: str | None = None
    measured_files: tuple[FileEntry, ...] = ()
    scores: ScoreSettings | None = None
    sha256: str = field(default="", compare=False, metadata={"key": None})

    @property
    def version(self) -> str:
        """The bundle's version: the first 16 digits of the SHA-256 of its manifest, which names all of its files."""
        return self.sha256[:16]

    @property
    def entries(self) -> tuple[FileEntry, ...]:
        """Every file with a hash that a bundle of these variants has, in the order in which they are needed."""
        present = {entry.name for entry in self.variants}
        manifests = (each.manifest for each in self.references if each.name in present)
        own = (file for entry in self.variants for file in (entry.file, *entry.files))
        return tuple(dict.fromkeys((*manifests, *self.files, *own, *self.measured_files)))

    @property
    def label_set(self) -> LabelSet:
        """The labels with their scheme."""
        return LabelSet(self.labels, self.scheme, self.outside, self.ignored_labels)

    @property
    def tokenizer_entry(self) -> FileEntry:
        """The tokenizer's file. Raises BundleError where it is not among those that are listed."""
        for entry in self.files:
            if entry.path == self.tokenizer.file:
                return entry
        raise BundleError(f"bundle {self.name} lists no tokenizer", "Export the bundle again.")

    def variant(self, name: str) -> VariantEntry:
        """The variant called `name`. Raises UserInputError with the known names."""
        for entry in self.variants:
            if entry.name == name:
                return entry
        names = ", ".join(entry.name for entry in self.variants)
        absent = " any more: it was slimmed" if name in (each.name for each in self.references) else ""
        raise UserInputError(f"bundle {self.name} has no variant {name!r}{absent}", f"It has: {names}.")

    def to_json(self) -> str:
        """The manifest as one text; until schema 2 that of its file."""
        return to_json(self)


def read_manifest(bundle: Path, signed: Mapping[str, str] | None = None) -> Manifest:
    """The manifest of a bundle folder, its fields checked but not its files (see `verify`).

    `signed` has the SHA-256 of the files whose signatures were checked; only these are read then.
    Raises BundleError where it is missing, damaged, of a schema that this version does not read, or needs a later one.
    """
    root = read_stored(bundle / MANIFEST, _expected(signed, MANIFEST))
    if root is None:
        raise BundleError(f"{bundle} is not a bundle: it has no {MANIFEST}", "Make one with: edgener export")
    require_readable(root.path, root.fields)
    whole = root.fields["schema_version"] <= LAST_WHOLE
    elsewhere: dict[str, Any] = {"measured": None} if whole else {"variants": []}
    manifest = replace(root.decoded(Manifest, _WITHOUT_PARTS | elsewhere), sha256=root.sha256)
    require_known(root.path, [name for name in manifest.critical if not has_field(Manifest, name)])
    if manifest.scheme not in SCHEMES:
        raise BundleError(
            f"{root.path} has the label scheme {manifest.scheme!r}; this edgener-runtime knows {', '.join(SCHEMES)}",
            update_hint(None),
        )
    if not whole:
        manifest = _with_variants(bundle, manifest, root)
        manifest = _with_measurements(bundle, manifest, root.sha256, _expected(signed, MEASURED))
    require_showable(root.path, manifest)
    require_consistent(root.path, manifest)
    return manifest


def _with_variants(bundle: Path, manifest: Manifest, root: StoredJson) -> Manifest:
    """The manifest with the variants that are here, from their own manifests, which the root lists."""
    references = root.decoded(_References).variants
    variants = []
    for index, reference in enumerate(references):
        require_reference(root.path, f".variants[{index}]", reference)
        stored = read_stored(bundle / reference.manifest.path, reference.manifest.sha256)
        if stored is not None:
            entry = stored.decoded(VariantEntry)
            require_same(stored.path, "name", entry.name, reference.name)
            variants.append(entry)
    return replace(manifest, references=references, variants=tuple(variants))


def _expected(signed: Mapping[str, str] | None, name: str) -> str | None:
    return None if signed is None else signed.get(name, "of no signature")


def _with_measurements(bundle: Path, manifest: Manifest, root_sha256: str, expected: str | None) -> Manifest:
    """The manifest with the options and speeds that were measured, the fastest variant first."""
    if manifest.measured is None:
        return manifest
    require_same(bundle / MANIFEST, "measured", manifest.measured, MEASURED)
    stored = read_stored(bundle / MEASURED, expected)
    if stored is None:
        raise BundleError(f"{bundle / MEASURED} is missing", "Copy the bundle again.")
    measured = stored.decoded(Measurements)
    if measured.manifest != root_sha256:
        raise BundleError(f"{stored.path} belongs to another {MANIFEST}", "Copy the bundle again.")
    found = {each.name: each for each in measured.variants}
    order = {name: place for place, name in enumerate(found)}
    entries = [
        replace(entry, disabled_optimizers=found[entry.name].disabled_optimizers, speed=found[entry.name].speed)
        if entry.name in found
        else entry
        for entry in sorted(manifest.variants, key=lambda entry: order.get(entry.name, len(order)))
    ]
    return replace(manifest, variants=tuple(entries), measured_files=measured.files)
