"""Adapters (folders of peft, such as LoRA's) merged with the base model that they name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgener_exporters.libraries import reason_of
from edgener_runtime.errors import UserInputError

from .weights import reshaped_weights

ADAPTER = "adapter_config.json"
_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
_WHOLE = ("model*.safetensors", "pytorch_model*.bin")
_INSIDE = "base_model.model."  # what peft puts before the names of the model it wraps


def base_folder(checkpoint: Path) -> Path | None:
    """The folder of an adapter's base model, or None where the checkpoint is a whole model.

    Raises UserInputError where the base is not on this machine, or where the folder has an adapter and a whole model.
    """
    if not (checkpoint / ADAPTER).is_file():
        return None
    if whole := sorted(file.name for pattern in _WHOLE for file in checkpoint.glob(pattern)):
        raise UserInputError(
            f"{checkpoint} has both an adapter ({ADAPTER}) and a whole model ({whole[0]})",
            f"Keep one of them: remove {ADAPTER} where the adapter is merged already.",
        )
    _weights_file(checkpoint)
    name = _settings(checkpoint).get("base_model_name_or_path")
    if not isinstance(name, str) or not name:
        raise UserInputError(
            f"{checkpoint / ADAPTER} does not name the adapter's base model",
            "Name its folder there: base_model_name_or_path",
        )
    places = [Path(name), checkpoint / name]
    for place in places:
        if (place / "config.json").is_file():
            return place
    raise UserInputError(
        f"{checkpoint} is an adapter, and its base model {name!r} is not a model folder on this machine",
        f"Copy the base model here, and name its folder as base_model_name_or_path in {checkpoint / ADAPTER}.",
    )


def tokenizer_folder(checkpoint: Path) -> Path:
    """The folder of a checkpoint's tokenizer: an adapter without one uses its base's."""
    base = base_folder(checkpoint)
    return checkpoint if base is None or (checkpoint / "tokenizer_config.json").is_file() else base


def head_rows(checkpoint: Path, config: Any) -> int | None:
    """The number of labels by the head that an adapter brings, or None where it brings none."""
    import copy

    import torch
    from transformers import AutoModelForTokenClassification

    def shapes(labels: int) -> dict[str, Any]:
        other = copy.deepcopy(config)
        other.num_labels = labels
        with torch.device("meta"):
            return {n: w.shape for n, w in AutoModelForTokenClassification.from_config(other).named_parameters()}

    one, two = shapes(2), shapes(3)
    rows = [
        int(tensor.shape[0])
        for name, tensor in _tensors(checkpoint).items()
        if one.get(_bare(name)) != two.get(_bare(name))
    ]
    return rows[0] if rows else None


def merge_adapter(model: Any, loading: dict[str, Any], checkpoint: Path) -> tuple[Any, dict[str, Any]]:
    """The base model with the adapter merged in, and `loading` without the weights that the adapter brings.

    Raises UserInputError where the adapter does not fit the base, cannot be merged, or has weights that are not used.
    """
    from peft import PeftModel, get_peft_model_state_dict

    tensors = {_bare(name): tensor for name, tensor in _tensors(checkpoint).items()}
    brought, embeddings = set(tensors), _embeddings(model)
    remaining = loading | {
        "missing_keys": set(loading["missing_keys"]) - brought,
        "mismatched_keys": [key for key in reshaped_weights(loading) if key not in brought],
    }
    try:
        if embeddings in tensors:  # peft saves them where the author added tokens
            model.resize_token_embeddings(len(tensors[embeddings]))
        wrapped = PeftModel.from_pretrained(model, str(checkpoint), local_files_only=True)
        state = get_peft_model_state_dict(wrapped, save_embedding_layers=embeddings in tensors)
        differ = {_bare(name) for name in state} ^ brought
        merged = wrapped.merge_and_unload()
    except Exception as error:  # peft raises exceptions of many kinds; the message has the folder and the reason
        raise UserInputError(
            f"the adapter {checkpoint} cannot be merged with its base: {reason_of(error)}",
            "Merge it yourself: PeftModel.from_pretrained(...).merge_and_unload().save_pretrained(FOLDER)",
        ) from error
    if differ:
        raise UserInputError(
            f"the adapter {checkpoint} does not fit its base: {len(differ)} weights of one are not in the other: "
            + ", ".join(sorted(differ)[:3]),
            f"Check base_model_name_or_path in {checkpoint / ADAPTER}.",
        )
    return merged, remaining


def _embeddings(model: Any) -> str:
    """The name of the embeddings of token ids."""
    embeddings = model.get_input_embeddings().weight
    return next(str(name) for name, weight in model.named_parameters() if weight is embeddings)


def _settings(checkpoint: Path) -> dict[str, Any]:
    file = checkpoint / ADAPTER
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserInputError(f"{file} is damaged: {error}", "Copy the adapter again.") from None
    if not isinstance(found, dict):
        raise UserInputError(f"{file} is damaged: expected an object, found {type(found).__name__}")
    return found


def _weights_file(checkpoint: Path) -> Path:
    for name in _WEIGHTS:
        if (checkpoint / name).is_file():
            return checkpoint / name
    raise UserInputError(f"{checkpoint} has no weights of its adapter ({_WEIGHTS[0]})", "Copy the whole folder.")


def _tensors(checkpoint: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    file = _weights_file(checkpoint)
    try:
        if file.suffix == ".safetensors":
            return dict(load_file(file))
        import torch

        return dict(torch.load(file, map_location="cpu", weights_only=True))
    except Exception as error:  # damaged files raise exceptions of many kinds
        raise UserInputError(f"{file} is damaged: {error}", "Copy the adapter again.") from error


def _bare(name: str) -> str:
    return name.removeprefix(_INSIDE)
