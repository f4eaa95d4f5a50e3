"""Texts are strings, in a list or another iterable; anything else is refused with what to do."""

from __future__ import annotations

from typing import Any

import pytest

from edgener_runtime import TokenClassifier, UserInputError

pytestmark = pytest.mark.compat


@pytest.mark.parametrize("text", [None, 3, b"oil leak", ["oil leak"], {"text": "oil leak"}])
def test_what_is_not_a_string_is_refused(classifier: TokenClassifier, text: Any) -> None:
    kind = type(text).__name__
    with pytest.raises(UserInputError, match=f"^text 0 is {kind}, expected str") as refused:
        classifier.predict(text)
    assert refused.value.hint
    with pytest.raises(UserInputError, match=f"^text 1 is {kind}, expected str"):
        list(classifier.stream(["oil leak", text]))


@pytest.mark.parametrize("text", ["oil leak", b"oil leak"])
def test_one_text_in_place_of_a_list_is_refused_and_not_taken_letter_by_letter(
    classifier: TokenClassifier, text: Any
) -> None:
    with pytest.raises(UserInputError, match="in place of a list of texts"):
        classifier.predict_batch(text)
