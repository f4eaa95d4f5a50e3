"""THE table of architectures: it drives the export, the documents and the tests."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from edgener_runtime.base.tables import markdown_table
from edgener_runtime.errors import UserInputError


@dataclass(frozen=True)
class RequiredSetting:
    """The one value of a setting of config.json that is supported; `advice` helps with another."""

    name: str
    value: str
    advice: str


@dataclass(frozen=True)
class Architecture:
    """An encoder of transformers: its `model_type`, the name that people know, and what an export must know.

    Models with `whole_mask` use a mask of four dimensions unchanged, which saves forty nodes of a graph; the others get
    the plain mask. `buckets` is the function (module:name) that puts relative positions into buckets. `reads_padding`
    matches the names of the modules whose outputs are read beyond the end of a text. `refused` has the reason for every
    variant that cannot be built.
    """

    name: str
    title: str
    whole_mask: bool = True
    buckets: str | None = None
    reads_padding: str | None = None
    refused: Mapping[str, str] = field(default_factory=dict)
    setting: RequiredSetting | None = None
    tested: bool = True


_FULL_ATTENTION = RequiredSetting(
    "attention_type",
    "original_full",
    "Up to 704 subwords block_sparse models compute full attention as well: write original_full into config.json.",
)

_NATIVE = "int8-native"
_RELATIVE = {_NATIVE: "its attention compares positions as well as subwords"}
_NORM_BEFORE = {_NATIVE: "its layers normalise their input, not their output"}
_TANH = {_NATIVE: "its activation is GELU by tanh"}

_QUANTISED = (_NATIVE, "int8-dynamic", "mixed", "int8-rowwise", "int8-static", "int8-weight-only", "int8-qdq")

ARCHITECTURES = {
    architecture.name: architecture
    for architecture in (
        Architecture("bert", "BERT"),
        Architecture("distilbert", "DistilBERT"),
        Architecture("roberta", "RoBERTa"),
        Architecture("xlm-roberta", "XLM-RoBERTa"),
        Architecture("camembert", "CamemBERT"),
        Architecture("electra", "ELECTRA"),
        Architecture("albert", "ALBERT", refused=_TANH),
        Architecture(
            "mpnet",
            "MPNet",
            buckets="transformers.models.mpnet.modeling_mpnet:MPNetEncoder.relative_position_bucket",
            refused=_RELATIVE,
        ),
        Architecture(
            "deberta-v2",
            "DeBERTa v2 and v3",
            whole_mask=False,
            buckets="transformers.models.deberta_v2.modeling_deberta_v2:make_log_bucket_position",
            refused=_RELATIVE,
        ),
        Architecture("modernbert", "ModernBERT", whole_mask=False, refused=_RELATIVE),
        Architecture(
            "mobilebert",
            "MobileBERT",
            reads_padding=r"mobilebert\.embeddings\.word_embeddings",
            refused={_NATIVE: "its layers have bottlenecks"},
        ),
        Architecture("deberta", "DeBERTa v1", whole_mask=False, refused=_RELATIVE),
        Architecture("ernie", "ERNIE"),
        Architecture(
            "convbert",
            "ConvBERT",
            reads_padding=r"convbert\.(embeddings(_project)?|encoder\.layer\.\d+(\.attention\.self\.conv_out_layer)?)",
            refused={_NATIVE: "its attention has convolutions"},
        ),
        Architecture("rembert", "RemBERT"),
        Architecture("roformer", "RoFormer", refused=_RELATIVE),
        Architecture("megatron-bert", "Megatron-BERT", refused=_NORM_BEFORE),
        Architecture("data2vec-text", "Data2Vec text"),
        Architecture("roberta-prelayernorm", "RoBERTa-PreLayerNorm", refused=_NORM_BEFORE),
        Architecture("big_bird", "BigBird", setting=_FULL_ATTENTION, refused=_TANH),
        Architecture("squeezebert", "SqueezeBERT", refused=dict.fromkeys(_QUANTISED, "its layers are convolutions")),
    )
}


def takes_whole_mask(name: str) -> bool:
    """Whether models of an architecture use a mask of four dimensions unchanged; not known of one without a row."""
    return name in ARCHITECTURES and ARCHITECTURES[name].whole_mask


def find_architecture(config: Mapping[str, Any], untested: bool = False) -> Architecture:
    """The row of a model by its config.json; with `untested` also of one that the table does not have.

    Raises UserInputError with the supported ones.
    """
    name = str(config.get("model_type"))
    row = ARCHITECTURES.get(name, Architecture(name, name, whole_mask=False, tested=False))
    other = row.setting if row.setting and config.get(row.setting.name) != row.setting.value else None
    if untested:
        return replace(row, tested=row.tested and not other)
    if other:
        raise UserInputError(
            f"the model has {other.name} {config.get(other.name)!r}: {row.title} is supported with {other.value!r}",
            f"{other.advice} Or try it as it is: --untested",
        )
    if not row.tested:
        raise UserInputError(
            f"models of the architecture {name!r} (model_type in config.json) are not supported",
            f"Supported are: {', '.join(sorted(ARCHITECTURES))}. To try it anyway: --untested",
        )
    return row


def architectures_table(variants: Collection[str]) -> str:
    """The table as Markdown, for the documents, with the names of those variants that can be built."""
    rows = [(row.title, f"`{row.name}`", _support(row, variants)) for row in ARCHITECTURES.values()]
    return markdown_table(("Architecture", "`model_type`", "Variants"), rows).rstrip("\n")


def _support(row: Architecture, variants: Collection[str]) -> str:
    refused = [name for name in variants if name in row.refused]
    reasons = ", ".join(dict.fromkeys(row.refused[name] for name in refused))
    built = ", ".join(name for name in variants if name not in refused) + f"; not the others: {reasons}"
    if len(refused) < len(variants) / 2:
        built = f"all but {', '.join(refused)}: {reasons}" if refused else "every variant"
    only = f"; with `{row.setting.name}` {row.setting.value}" if row.setting else ""
    return built + only
