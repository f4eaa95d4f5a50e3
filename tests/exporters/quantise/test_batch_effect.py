"""Does a text's answer depend on the texts beside it, or on padding? Bit by bit, form by form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgener_exporters.variants import VARIANTS
from edgener_runtime.bundle.manifest import TokenizerSettings
from edgener_runtime.inference.batches import WindowRow, feeds, rows_of

from ..conftest import Encoder
from ..pairs import pairs
from ..running import session_of
from ..test_builders import ARCHITECTURES, BUILT, build

PADDING = 9
STEADY = [name for name in BUILT if name != "int8-dynamic"]


def effects(graph: Path, rows: list[WindowRow], settings: TokenizerSettings) -> dict[str, float]:
    """The largest change of a logit where a text is padded, and where it is run beside the others."""
    session = session_of(graph)

    def run(some: list[WindowRow], padding: int = 0) -> list[Any]:
        logits = session.run(["logits"], feeds(some, settings, padding))[0]
        return [answer[: len(row.ids)] for answer, row in zip(logits, some, strict=True)]

    alone = [run([row])[0] for row in rows]
    others = {"padded": [run([row], PADDING)[0] for row in rows], "beside others": run(rows)}
    return {
        name: max(float(np.abs(here - there).max()) for here, there in zip(alone, found, strict=True))
        for name, found in others.items()
    }


@pytest.fixture
def made(request: pytest.FixtureRequest, encoder: Callable[[str], Encoder]) -> Encoder:
    return encoder(request.param)


@pytest.fixture
def rows(made: Encoder) -> list[WindowRow]:
    """Of different lengths, with room for padding."""
    tokenizer, longest = made.tokenizer, made.tokenizer.settings.max_length - PADDING
    every = rows_of(tokenizer, tokenizer.encode(made.calibration.texts))
    found = [row for row in every if len(row.ids) <= longest][:12]
    assert len({len(row.ids) for row in found}) > 5
    if any(effects(made.fp32, found, tokenizer.settings).values()):
        pytest.skip("on this CPU the sums of FP32 itself come in another order in another batch")
    return found


@pytest.mark.parametrize(("name", "made"), pairs(STEADY, ARCHITECTURES, shift=3), indirect=["made"])
def test_a_form_with_a_range_a_row_or_measured_ones_answers_alike_in_every_batch(
    name: str, made: Encoder, rows: list[WindowRow], tmp_path: Path
) -> None:
    file = build(name, made, tmp_path / "variant.onnx")
    assert effects(file, rows, made.tokenizer.settings) == {"padded": 0.0, "beside others": 0.0}


@pytest.mark.parametrize(("name", "made"), pairs(["int8-dynamic"], ARCHITECTURES), indirect=["made"])
def test_dynamic_int8_does_not(name: str, made: Encoder, rows: list[WindowRow], tmp_path: Path) -> None:
    found = effects(build(name, made, tmp_path / "variant.onnx"), rows, made.tokenizer.settings)
    assert min(found.values()) > 1e-3


def test_the_table_says_so() -> None:
    assert "does not depend on its batch" in VARIANTS["int8-rowwise"].description
