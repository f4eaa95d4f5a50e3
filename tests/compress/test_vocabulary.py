"""A cut vocabulary: kept text is split as before, whatever is left out; the figures on other text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener.checkpoint import open_checkpoint
from edgener.compress import prune
from edgener.compress.prune import Pruner
from edgener.compress.vocabulary import (
    cut_embeddings,
    cut_tokenizer,
    kept_ids,
    refusal,
    used_ids,
    vocabulary_figures,
)
from edgener.encoding import load_tokenizer
from edgener_runtime.errors import ExportError

from ..conftest import bpe, wordpiece

pytestmark = pytest.mark.compat
WORDS = ("pump", "pumps", "pumping", "leak", "leaks", "leaking", "seal", "sealing", "Shaft", "Valve-7", "3.5")
TOKENIZER = wordpiece([" ".join(WORDS), "pumping leaks", "un re able ing ed"], lowercase=True)
TEXTS = st.lists(st.text("aegiklnpsu ", max_size=12) | st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)


def pieces(tokenizer: Any, text: str) -> list[str]:
    found: list[str] = tokenizer.convert_ids_to_tokens(tokenizer(text, truncation=False)["input_ids"])
    return found


@given(st.lists(TEXTS, max_size=3))
def test_kept_text_is_split_as_before(texts: list[str]) -> None:
    kept = kept_ids(TOKENIZER, used_ids(TOKENIZER, texts))
    cut = cut_tokenizer(TOKENIZER, kept)
    for text in texts:
        assert pieces(cut, text) == pieces(TOKENIZER, text)
        ids = cut(text, truncation=False)["input_ids"]
        assert [kept[id_] for id_ in ids] == TOKENIZER(text, truncation=False)["input_ids"]


def test_special_tokens_and_single_characters_stay() -> None:
    kept = kept_ids(TOKENIZER, ())
    cut = cut_tokenizer(TOKENIZER, kept)
    vocabulary = set(cut.get_vocab())
    assert {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "p", "##p"} <= vocabulary and "pump" not in vocabulary
    assert cut.special_tokens_map == TOKENIZER.special_tokens_map and cut.pad_token_id == TOKENIZER.pad_token_id
    assert pieces(cut, "pump") == ["[CLS]", "p", "##u", "##m", "##p", "[SEP]"]


def test_a_saved_one_is_loaded_as_it_was(tmp_path: Path) -> None:
    cut = cut_tokenizer(TOKENIZER, kept_ids(TOKENIZER, used_ids(TOKENIZER, ["Pump leaking"])))
    cut.save_pretrained(tmp_path)
    loaded = load_tokenizer(str(tmp_path))
    assert len(loaded) == len(cut)
    for text in ("Pump leaking", "Valve-7 sealing", "[SEP] ü"):
        assert pieces(loaded, text) == pieces(cut, text)


def test_figures_count_what_is_split_in_another_way() -> None:
    kept = kept_ids(TOKENIZER, used_ids(TOKENIZER, ["pump seal"]))
    cut = cut_tokenizer(TOKENIZER, kept)
    same = vocabulary_figures(TOKENIZER, cut, kept, "valid", ["pump seal", "seal pump"])
    assert (same.changed, same.unknown) == (0, 0)
    assert (same.before, same.after) == (len(TOKENIZER), len(kept))
    other = vocabulary_figures(TOKENIZER, cut, kept, "valid", ["pump leak", "seal pump"])
    assert other.changed == 0.25 and other.unknown == 0


def test_unknown_subwords_are_counted() -> None:
    kept = [id_ for id_ in kept_ids(TOKENIZER, ()) if id_ != TOKENIZER.convert_tokens_to_ids("##u")]
    figures = vocabulary_figures(TOKENIZER, cut_tokenizer(TOKENIZER, kept), kept, "valid", ["pump"])
    assert (figures.changed, figures.unknown) == (1, 1)


def test_other_kinds_have_a_reason() -> None:
    assert refusal(TOKENIZER) is None
    assert "its tokenizer is BPE" in (refusal(bpe(["pump leaks"] * 9)) or "")
    other = json.loads(TOKENIZER.backend_tokenizer.to_str())
    other["model"]["continuing_subword_prefix"] = "@@"

    class Strange:
        backend_tokenizer = type("Backend", (), {"to_str": lambda self: json.dumps(other)})()

    assert "do not begin with ##" in (refusal(Strange()) or "")


@pytest.mark.parametrize("name", ["bert-uncased", "distilbert-uncased", "electra-uncased"])
def test_the_logits_of_kept_text_stay(name: str, make_model: Callable[[str], Path], tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForTokenClassification

    folder, text = make_model(name), "pump leaks at the seal"
    tokenizer, model = (
        load_tokenizer(str(folder)),
        AutoModelForTokenClassification.from_pretrained(folder).eval(),
    )
    kept = kept_ids(tokenizer, used_ids(tokenizer, [text]))

    def logits(model: Any, tokenizer: Any) -> Any:
        return model(tokenizer(text, return_tensors="pt")["input_ids"]).logits

    with torch.no_grad():
        expected = logits(model, tokenizer)
        cut_embeddings(model, kept)
        model.save_pretrained(tmp_path)
        cut = cut_tokenizer(tokenizer, kept)
        loaded = AutoModelForTokenClassification.from_pretrained(tmp_path).eval()
        found = logits(loaded, cut)
    assert found.allclose(expected, atol=1e-6)
    assert loaded.config.vocab_size == len(kept) < 400 and loaded.config.pad_token_id == cut.pad_token_id


def test_a_cut_that_changes_kept_text_is_refused(
    make_model: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    folder, texts = make_model("bert-uncased"), ["Shaft seal of the pump leaks"]
    tokenizer = load_tokenizer(str(folder))
    kept = kept_ids(tokenizer, used_ids(tokenizer, texts))
    pruner = Pruner(open_checkpoint(folder), texts, kept)
    shape = replace(pruner.full, vocabulary=len(kept))

    def swapped(model: Any, ids: list[int]) -> None:
        cut_embeddings(model, [*ids[:5], *reversed(ids[5:])])

    with monkeypatch.context() as patch:
        patch.setattr(prune, "cut_embeddings", swapped)
        with pytest.raises(ExportError, match="would get other logits"):
            pruner.write(shape, range(shape.layers), tmp_path / "swapped")
    with monkeypatch.context() as patch:
        patch.setattr(prune, "cut_tokenizer", lambda whole, _: cut_tokenizer(whole, kept_ids(whole, ())))
        with pytest.raises(ExportError, match="would get other subwords"):
            pruner.write(shape, range(shape.layers), tmp_path / "split")
    pruner.write(shape, range(shape.layers), tmp_path / "cut")
