"""The bundle's manifest: its files, what each variant requires and where it was proven, and the provenance."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from edgener_runtime.base.files import read_regular
from edgener_runtime.base.printable import escaped
from edgener_runtime.base.serde import SchemaError, from_data, has_field, parse_strictly, to_json
from edgener_runtime.decoding.schemes import SCHEMES, LabelSet
from edgener_runtime.errors import BundleError, UserInputError

from .rules import require_consistent, require_shallow, require_showable
from .schema import MINIMUM_RUNTIME, SCHEMA_VERSION, require_known, require_readable, update_hint

MANIFEST = "manifest.json"
MOST_BYTES = 1 << 24  # of a manifest; those of exports have some thousands


@dataclass(frozen=True)
class FileEntry:
    """One file of the bundle: path relative to its folder with `/`, SHA-256 in hex, size in bytes."""

    path: str
    sha256: str
    size: int


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
class VariantEntry:
    """A variant of the model, with the session options that it was measured with."""

    name: str
    precision: str
    file: FileEntry
    opset: int
    requirements: VariantRequirements = field(metadata={"key": "needs"})
    proven: tuple[Proof, ...]
    parity: ParityFigures | None = None
    disabled_optimizers: tuple[str, ...] = ()
    speed: Speed | None = None


@dataclass(frozen=True)
class Manifest:
    """What a device must know to run and verify a bundle; `files` lists all but the manifest and the models.

    `scheme` is how `labels` mark entities (see decoding.schemes), and `outside` the label of what is none;
    `ignored_labels`, such as [CLS], are outside too. `architecture` is the encoder's `model_type`, and `untested` says
    that no test of the project covers it. `critical` lists the fields, as dotted paths, that a runtime must
    know to run the bundle right; it ignores all others that it does not know. `sha256` is that of the file it was read
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
    sha256: str = field(default="", compare=False, metadata={"key": None})

    @property
    def version(self) -> str:
        """The bundle's version: the first 16 digits of the SHA-256 of its manifest, which names all of its files."""
        return self.sha256[:16]

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
        raise UserInputError(f"bundle {self.name} has no variant {name!r}", f"It has: {names}.")

    def to_json(self) -> str:
        """The text of the manifest's file."""
        return to_json(self)


def read_manifest(bundle: Path) -> Manifest:
    """The manifest of a bundle folder, its fields checked but not its files (see `verify`).

    Raises BundleError where it is missing, damaged, of a schema that this version does not read, or needs a later one.
    """
    path = bundle / MANIFEST
    try:
        data = read_regular(path, MOST_BYTES)
        fields = dict(parse_strictly(data).items())
    except (FileNotFoundError, NotADirectoryError):
        raise BundleError(f"{bundle} is not a bundle: it has no {MANIFEST}", "Make one with: edgener export") from None
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}", "Check its permissions and the disk.") from None
    except (ValueError, AttributeError) as error:
        raise BundleError(f"{path} is damaged: {error}", "Copy the bundle again.") from None
    require_shallow(path, fields)
    require_readable(path, fields)
    try:
        manifest = replace(from_data(Manifest, fields, str(path), ignore_unknown=True), sha256=sha256(data).hexdigest())
    except SchemaError as error:
        raise BundleError(escaped(error.message), "Copy the bundle again, or export it again.") from None
    require_known(path, [name for name in manifest.critical if not has_field(Manifest, name)])
    if manifest.scheme not in SCHEMES:
        raise BundleError(
            f"{path} has the label scheme {manifest.scheme!r}; this edgener-runtime knows {', '.join(SCHEMES)}",
            update_hint(None),
        )
    require_showable(path, manifest)
    require_consistent(path, manifest)
    return manifest
