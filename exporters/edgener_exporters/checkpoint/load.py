"""The PyTorch model of a checkpoint, with every weight of its files and none at random."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgener_exporters.libraries import reason_of, silence_libraries
from edgener_runtime.errors import UserInputError

from .adapter import base_folder, head_rows, merge_adapter
from .weights import check_weights

CONFIG = "config.json"
_HEAD_CLASS = "AutoModelForTokenClassification"
_WHOLE_TEXTS = ("ForSequenceClassification", "ForMultipleChoice")
_COPY = "Copy the checkpoint again, or train it again: edgener train"
_KNOWN = "Only models that the installed transformers has itself are loaded: code of a checkpoint is never run."


def load_reference(checkpoint: Path, attention: str | None = "eager") -> Any:
    """The PyTorch model in FP32 without dropout; `attention` names an implementation of transformers, None its default.

    An adapter is merged with its base. Code of the checkpoint is never run. Raises UserInputError where the model
    cannot be loaded, or where a weight would be left out, is missing or has another shape than config.json says.
    """
    silence_libraries()
    config, base = load_config(checkpoint), base_folder(checkpoint)
    model, loading = _load(base or checkpoint, config, attention)
    if base:
        model, loading = merge_adapter(model, loading, checkpoint)
    else:
        _refuse_whole_texts(checkpoint, config)
    check_weights(model, loading, checkpoint)
    return model.eval()


def load_config(checkpoint: Path) -> Any:
    """The configuration of a checkpoint; that of an adapter is its base's with the adapter's number of labels.

    Raises UserInputError where transformers does not know the model, or where the model is code of the checkpoint.
    """
    from transformers import AutoConfig

    base = base_folder(checkpoint)
    source = checkpoint if base is None or (checkpoint / CONFIG).is_file() else base
    _refuse_own_code(source)
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # the loader raises exceptions of many kinds; the message has the file and the reason
        raise _cannot_load(f"the configuration in {source}", error, _KNOWN) from error
    rows = head_rows(checkpoint, config) if base else None
    if rows and rows != config.num_labels:
        config.num_labels = rows
    return config


def _load(folder: Path, config: Any, attention: str | None) -> tuple[Any, dict[str, Any]]:
    from transformers import AutoModelForTokenClassification

    try:
        model, loading = AutoModelForTokenClassification.from_pretrained(
            folder, config=config, dtype="float32", attn_implementation=attention, trust_remote_code=False,
            local_files_only=True, output_loading_info=True, ignore_mismatched_sizes=True,
        )  # fmt: skip
    except Exception as error:
        raise _cannot_load(f"the weights in {folder}", error) from error
    return model, loading


def _refuse_own_code(folder: Path) -> None:
    """Refuse a model whose class is code in its folder: transformers' class of that type may compute something else."""
    try:
        settings = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _cannot_load(f"the configuration in {folder}", error) from None
    code = settings.get("auto_map") if isinstance(settings, dict) else None
    if isinstance(code, dict) and _HEAD_CLASS in code:
        raise UserInputError(
            f"{folder / CONFIG} names code of its own (auto_map: {code[_HEAD_CLASS]}), which is never run",
            f"If the model is transformers' own {settings.get('model_type')}, remove auto_map from {CONFIG}.",
        )


def _refuse_whole_texts(folder: Path, config: Any) -> None:
    """Refuse a classifier of whole texts: its head can have the names and shapes of one of tokens."""
    for name in config.architectures or ():
        if name.endswith(_WHOLE_TEXTS):
            raise UserInputError(
                f"{folder} is a {name}, which labels whole texts, not their tokens",
                "Fine-tune a model for token classification: edgener train",
            )


def _cannot_load(what: str, error: Exception, hint: str = _COPY) -> UserInputError:
    return UserInputError(f"{what} cannot be loaded: {reason_of(error)}", hint)
