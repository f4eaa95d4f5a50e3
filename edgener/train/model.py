"""The model to train: an encoder with a new head, frozen parts, adapters, and the case channel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgener.checkpoint import RECORD, TrainingRecord
from edgener_exporters.checkpoint.adapter import base_folder
from edgener_exporters.checkpoint.weights import dropped_weights, reshaped_weights
from edgener_exporters.libraries import reason_of
from edgener_runtime.base.serde import load_json
from edgener_runtime.errors import UserInputError
from edgener_runtime.text.casing import CASE_CLASSES

from .config import TrainConfig

# Small encoders need a larger learning rate: (width up to, rate), from runs on CoNLL-2003.
LEARNING_RATES = ((128, 1e-3), (384, 2e-4), (768, 5e-5), (1 << 30, 2e-5))
_CASE_NOISE = 0.005


def load_model(source: str, labels: Sequence[str], config: TrainConfig, own_tags: Sequence[str] = ()) -> Any:
    """A token-classification model in FP32 with frozen parts, case channel and adapters as in the settings.

    `own_tags` are role and type of each label of a checkpoint that is continued, where its names are not those already.
    Raises UserInputError where `source` cannot be loaded or does not support a setting.
    """
    from transformers import AutoConfig, AutoModelForTokenClassification

    if base := base_folder(Path(source)):
        raise UserInputError(f"{source} is an adapter; training starts from a whole model", f"Name its base: {base}")
    try:
        before = dict(AutoConfig.from_pretrained(source, trust_remote_code=False).id2label)
        settings = AutoConfig.from_pretrained(
            source,
            num_labels=len(labels),
            id2label=dict(enumerate(labels)),
            label2id={label: index for index, label in enumerate(labels)},
            trust_remote_code=False,
        )
        vars(settings).pop(
            "auto_map", None
        )  # code of the encoder's folder, which is not run and not part of what is trained
        _set_dropout(settings, config.dropout)
        model, loading = AutoModelForTokenClassification.from_pretrained(
            source, config=settings, dtype="float32", trust_remote_code=False, output_loading_info=True,
            ignore_mismatched_sizes=True,
        )  # fmt: skip
    except Exception as error:  # the loader raises exceptions of many kinds; the message has the source and the reason
        raise UserInputError(
            f"cannot load an encoder from {source}: {reason_of(error)}",
            "Name a model folder, package:NAME/FOLDER or a hub id.",
        ) from error
    _refuse_parts(model, loading, source)
    if not {*loading["missing_keys"]} - {*reshaped_weights(loading)}:
        _follow_labels(model, own_tags or [before[number] for number in sorted(before)], labels, source)
    if config.case_channel and not _has_case_channel(source):
        _add_case_channel(model)
    _freeze(model, config)
    return _add_adapters(model, config) if config.lora_rank else model


def merge_adapters(model: Any) -> Any:
    """The model with its LoRA adapters merged into the weights, or unchanged."""
    return model.merge_and_unload() if hasattr(model, "merge_and_unload") else model


def without_wrapper(model: Any) -> Any:
    """The model inside peft's wrapper, which hides its inputs; the adapters stay active."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def learning_rate(model: Any, config: TrainConfig) -> float:
    """The given rate, or the one for the encoder's width."""
    return default_rate(model.config) if config.learning_rate is None else config.learning_rate


def default_rate(settings: Any) -> float:
    """The peak learning rate for the width of an encoder, from its configuration."""
    width = getattr(settings, "hidden_size", 768)
    return next(rate for limit, rate in LEARNING_RATES if width <= limit)


def _refuse_parts(model: Any, loading: dict[str, Any], source: str) -> None:
    """Refuse an incomplete encoder, or one with parts that are left out; a head that is missing is initialised."""
    prefix = f"{model.base_model_prefix}."
    parts = {name.split(".")[0] for name in model.base_model.state_dict()}
    unused = [name for name in dropped_weights(model, loading) if name.removeprefix(prefix).split(".")[0] in parts]
    if unused:
        raise UserInputError(
            f"{source} has {len(unused)} weights that {type(model.base_model).__name__} would leave out: "
            + ", ".join(unused[:3]),
            "config.json and the weights must belong together, such as the number of layers.",
        )
    names = [*loading["missing_keys"], *reshaped_weights(loading)]
    if lost := sorted(name for name in names if name.startswith(prefix)):
        raise UserInputError(
            f"{source} has {len(lost)} of the encoder's weights missing or in other shapes: {', '.join(lost[:3])}",
            "Copy the model again; config.json and the weights must belong together.",
        )


def _follow_labels(model: Any, before: Sequence[str], labels: Sequence[str], source: str) -> None:
    """Give each label the row of the head that it had in the model's own order, `before`; a new label starts anew.

    Left alone, each row would start as that of whichever label had its place before.
    """
    import torch

    rows = [_row_of(label, before) for label in labels]
    if all(row is None for row in rows):
        return
    head = model.classifier
    trained = head if len(before) == len(labels) else _own_head(source)
    with torch.no_grad():
        old = {name: parameter.clone() for name, parameter in trained.named_parameters()}
        model._init_weights(head)
        for place, row in enumerate(rows):
            for name, parameter in head.named_parameters():
                if row is not None:
                    parameter[place] = old[name][row]


def _row_of(label: str, before: Sequence[str]) -> int | None:
    """The number that a label had, or that of another role of its type: other label schemes do not have all."""
    role, dash, kind = label.partition("-")
    alike = {"B": ("B", "S", "I"), "I": ("I", "E")}.get(role, ()) if dash else ()
    names = (label, *(f"{other}-{kind}" for other in alike))
    return next((before.index(name) for name in names if name in before), None)


def _own_head(source: str) -> Any:
    """The head of a checkpoint for its own number of labels."""
    from transformers import AutoModelForTokenClassification

    model = AutoModelForTokenClassification.from_pretrained(source, dtype="float32", trust_remote_code=False)
    return model.classifier


def _set_dropout(settings: Any, dropout: float | None) -> None:
    if dropout is None:
        return
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "dropout"):
        if hasattr(settings, name):
            setattr(settings, name, dropout)


def _has_case_channel(source: str) -> bool:
    """Whether a checkpoint was trained with the case channel, whose rows then stay as they are."""
    record = Path(source) / RECORD
    return record.is_file() and load_json(TrainingRecord, record).case_channel


def _add_case_channel(model: Any) -> None:
    """Give token_type_ids one row per case class, each initialised from row 0 with a little noise."""
    import torch

    embeddings = getattr(model.base_model, "embeddings", None)
    old = getattr(embeddings, "token_type_embeddings", None)
    if old is None:
        raise UserInputError(
            f"--case-channel needs token_type embeddings, which {model.config.model_type} does not have",
            "Leave it out, or fine-tune a BERT.",
        )
    new = torch.nn.Embedding(CASE_CLASSES, old.embedding_dim)
    with torch.no_grad():
        new.weight.copy_(old.weight[0] + _CASE_NOISE * torch.randn(CASE_CLASSES, old.embedding_dim))
    model.base_model.embeddings.token_type_embeddings = new
    model.config.type_vocab_size = CASE_CLASSES


def _freeze(model: Any, config: TrainConfig) -> None:
    """Fix the weights of the named parts; the new rows of the case channel are always trained, like the head."""
    base = model.base_model
    layers = encoder_layers(model)
    if config.freeze_layers > len(layers):
        raise UserInputError(f"--freeze-layers {config.freeze_layers}: the encoder has {len(layers)} layers")
    named = {"nothing": [], "embeddings": [getattr(base, "embeddings", None)], "encoder": [base]}[config.freeze]
    if None in named:
        raise UserInputError(f"--freeze {config.freeze}: the embeddings of {model.config.model_type} are not known")
    for part in (*named, *layers[: config.freeze_layers]):
        part.requires_grad_(False)
    if config.case_channel:
        base.embeddings.token_type_embeddings.requires_grad_(True)


def encoder_layers(model: Any) -> Any:
    """The layers of an encoder from the lowest; none where its type keeps them elsewhere."""
    base = model.base_model
    return getattr(getattr(base, "encoder", getattr(base, "transformer", None)), "layer", ())


def _add_adapters(model: Any, config: TrainConfig) -> Any:
    from peft import LoraConfig, TaskType, get_peft_model

    count = len(encoder_layers(model))
    if 0 < config.freeze_layers == count:
        raise UserInputError(f"--freeze-layers {count} leaves --lora-rank nothing to adapt", "Leave one of them out.")
    adapters = LoraConfig(
        task_type=TaskType.TOKEN_CLS,
        r=config.lora_rank,
        lora_alpha=2 * config.lora_rank,
        # peft trains the new head too; the rows of the case channel are new as well.
        modules_to_save=["token_type_embeddings"] if config.case_channel else None,
        layers_to_transform=list(range(config.freeze_layers, count)) if config.freeze_layers else None,
    )
    try:
        return get_peft_model(model, adapters)
    except ValueError as error:  # peft has no list of layers for this type of model
        raise UserInputError(f"--lora-rank does not know {model.config.model_type}: {error}", "Leave it out.") from None
