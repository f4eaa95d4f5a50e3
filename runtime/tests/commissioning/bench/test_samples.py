"""Samples come back as they were kept, to the digits of a float32, and nothing else is taken for some."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener_runtime.commissioning.bench.results import samples
from edgener_runtime.commissioning.bench.results.samples import pack, unpack
from edgener_runtime.errors import UserInputError

pytestmark = pytest.mark.compat

TIMES = st.lists(st.floats(min_value=0, max_value=1e9), max_size=50)


@given(TIMES)
def test_samples_come_back(milliseconds: list[float]) -> None:
    assert unpack(pack(np.array(milliseconds))) == pytest.approx(milliseconds, rel=1e-6, abs=1e-30)


def test_a_sample_takes_no_more_than_six_characters() -> None:
    assert len(pack(np.random.default_rng(1).gamma(2, 5, 10_000))) < 60_000


def test_the_text_is_what_is_written_of_it() -> None:
    """By other means than those under test: whoever redoes the statistics reads it so."""
    stored = zlib.decompress(base64.b64decode(pack(np.array([1.5, 2.25]))))
    assert np.frombuffer(stored, "<f4").tolist() == [1.5, 2.25]


def stored(stored: bytes) -> str:
    return base64.b64encode(zlib.compress(stored)).decode()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("!", "damaged"),
        ("äö", "damaged"),
        ("AAAA", "damaged"),
        (stored(b"123"), "after 3 bytes they end early"),
        (base64.b64encode(zlib.compress(bytes(400))[:-5]).decode(), "end early"),
        (stored(np.array([1, np.nan], "<f4").tobytes()), "not a number, or below 0"),
        (stored(np.array([-1], "<f4").tobytes()), "not a number, or below 0"),
        (base64.b64encode(zlib.compress(bytes(8)) + b"more").decode(), "too much follows"),
    ],
)
def test_other_text_is_refused(text: str, says: str) -> None:
    with pytest.raises(UserInputError, match=says):
        unpack(text)


def test_what_swells_is_not_taken_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "_MOST_BYTES", 400)
    assert len(unpack(stored(bytes(400)))) == 100
    with pytest.raises(UserInputError, match="after 400 bytes"):
        unpack(stored(bytes(404)))
