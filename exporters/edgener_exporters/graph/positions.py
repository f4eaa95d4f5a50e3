"""Buckets of relative positions, exported as tables.

MPNet and DeBERTa compute the bucket of each distance with logarithms, of 0 too, and round it. A processor whose
logarithm differs in the last digit would put a distance into another bucket, and half precision does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from edgener_exporters.architectures import ARCHITECTURES


@contextmanager
def tabulated_buckets(model: Any) -> Iterator[None]:
    """Let a model that has buckets look them up in a table, which PyTorch computes for every distance."""
    import torch

    row = ARCHITECTURES.get(model.config.model_type)
    if row is None or row.buckets is None:
        yield
        return
    module, _, path = row.buckets.partition(":")
    *holders, name = path.split(".")
    holder: Any = import_module(module)
    for each in holders:
        holder = getattr(holder, each)
    computed = getattr(holder, name)
    looked_up = _lookup(computed, model.config.max_position_embeddings)
    setattr(holder, name, staticmethod(looked_up) if holders else looked_up)
    try:
        with torch.no_grad():
            model(torch.ones((1, 2), dtype=torch.long))  # fills the tables, which a trace would compute in the graph
        yield
    finally:
        setattr(holder, name, staticmethod(computed) if holders else computed)


def _lookup(computed: Callable[..., Any], longest: int) -> Callable[..., Any]:
    """The function `computed` of relative positions and further numbers, from a table for each of the latter."""
    import torch

    tables: dict[tuple[Any, ...], Any] = {}

    def looked_up(relative: Any, *numbers: int, **named: int) -> Any:
        key = (*numbers, *named.items())
        if key not in tables:
            tables[key] = computed(torch.arange(-longest, longest + 1), *numbers, **named).long()
        return tables[key][relative + longest]

    return looked_up
