"""The weights of a checkpoint against the model that transformers makes of them: none left out, missing or reshaped."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgener_runtime.errors import UserInputError

_NAMED = 6  # weights that a message names; it counts the others


def check_weights(model: Any, loading: dict[str, Any], source: Path | str) -> None:
    """Refuse a model that is not the one in the files; `loading` is what transformers' loader returned beside it.

    Poolers and heads for pretraining may be left out: token classification does not use them. Raises UserInputError
    with the names of the weights.
    """
    missing, dropped = sorted(loading["missing_keys"]), dropped_weights(model, loading)
    if faults := [*_faults(model, reshaped_weights(loading), missing, dropped)]:
        raise UserInputError(f"{source} has {'; and '.join(faults)}", _hint(missing, dropped))
    if spoiled := _not_finite(model):
        raise UserInputError(
            f"{source} has {_count(spoiled)} with values that are not finite (NaN or infinite): {_listed(spoiled)}",
            "Such a model finds nothing: its training diverged. Take an earlier checkpoint, or train again with a "
            "lower learning rate.",
        )


def _not_finite(model: Any) -> list[str]:
    """The weights with a value that is NaN or infinite."""
    return [name for name, weight in model.named_parameters() if not bool(weight.detach().isfinite().all())]


def dropped_weights(model: Any, loading: dict[str, Any]) -> list[str]:
    """The weights of the files that the model leaves out, without poolers and heads for pretraining."""
    unused = set(loading["unexpected_keys"])
    return sorted(unused - _never_used(model)) if unused else []


def reshaped_weights(loading: dict[str, Any]) -> dict[str, tuple[int, ...] | None]:
    """The weights whose shape is not that of config.json, with the shape in the files where transformers gives it."""
    found: dict[str, tuple[int, ...] | None] = {}
    # transformers 4.57 lists names, 5 lists (name, shape in the files, shape by config.json)
    for key in loading["mismatched_keys"]:
        name, *shapes = (key,) if isinstance(key, str) else key
        found[name] = tuple(shapes[0]) if shapes else None
    return found


def _faults(
    model: Any, reshaped: dict[str, tuple[int, ...] | None], missing: Sequence[str], dropped: Sequence[str]
) -> Iterator[str]:
    if reshaped:
        own = model.state_dict()
        shapes = [
            f"{name} {shape or ''}, expected {tuple(own[name].shape)}".replace(" ,", ",")
            for name, shape in sorted(reshaped.items())
        ]
        yield f"{_count(shapes)} of another shape than {_what_says(model, reshaped)}: {_listed(shapes)}"
    if missing:
        yield f"{len(missing)} of the model's weights missing: {_listed(missing)}"
    if dropped:
        yield f"{_count(dropped)} that {type(model).__name__} would leave out: {_listed(dropped)}"


def _what_says(model: Any, reshaped: dict[str, tuple[int, ...] | None]) -> str:
    """What in config.json gives the shapes: the labels for a head alone."""
    encoder = any(name.startswith(f"{model.base_model_prefix}.") for name in reshaped)
    return "config.json gives" if encoder else f"the {model.config.num_labels} labels of config.json give"


def _never_used(model: Any) -> set[str]:
    """Names of the pooler and of heads for pretraining, from the classes of transformers for this configuration."""
    import torch
    from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForPreTraining

    prefix = f"{model.base_model_prefix}."
    names: set[str] = set()
    for kind in (AutoModel, AutoModelForMaskedLM, AutoModelForPreTraining):
        try:
            with torch.device("meta"):  # names alone, no memory
                other = kind.from_config(copy.deepcopy(model.config))
        except Exception:  # noqa: BLE001, S112 - there is no such class for this model: it gives no names
            continue
        found = {*other.state_dict(), *(name for name, _ in other.named_buffers())}
        names |= found | {prefix + name for name in found if kind is AutoModel}
    own = set(model.state_dict())
    return names - own - {name.removeprefix(prefix) for name in own}


def _count(names: Sequence[str]) -> str:
    return f"{len(names)} weight{'s' if len(names) > 1 else ''}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _hint(missing: Sequence[str], dropped: Sequence[str]) -> str:
    if wrapper := _wrapper(missing, dropped):
        return f"Every name begins with {wrapper!r}, which a wrapper adds: save the model inside it."
    if dropped and not missing:
        return "Only what that class computes is exported. Train a model without these weights: edgener train"
    return "config.json and the weights must belong together: copy the whole folder, or fine-tune first: edgener train"


def _wrapper(missing: Sequence[str], dropped: Sequence[str]) -> str:
    """What stands before the name of every missing weight, such as the "module." of DataParallel; else nothing."""
    fronts = {name.removesuffix(missing[0]) for name in dropped if missing and name.endswith(f".{missing[0]}")}
    return next((front for front in fronts if {front + name for name in missing} <= set(dropped)), "")
