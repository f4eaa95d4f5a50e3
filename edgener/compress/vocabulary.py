"""The vocabulary: subwords that no text at hand uses are left out of the tokenizer and of the embeddings.

WordPiece takes the longest subword that fits, again and again. A word all of whose subwords stay is therefore split as
before: longer ones that would fit have stayed too, or there were none.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_CONTINUES = "##"
_TOKENS = ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id", "mask_token_id")


@dataclass(frozen=True)
class VocabularyFigures:
    """The number of subwords before and after, and what the cut changes on held-out text.

    `changed` is the share of the text's subwords that are split in another way or become unknown, `unknown` the share
    of its subwords that are unknown with the cut vocabulary and were not before. `split` names the text.
    """

    before: int
    after: int
    split: str
    changed: float
    unknown: float


def refusal(tokenizer: Any) -> str | None:
    """Why a tokenizer's vocabulary cannot be cut, or None."""
    settings = json.loads(tokenizer.backend_tokenizer.to_str())
    kind = settings["model"].get("type")
    if kind != "WordPiece":
        return f"its tokenizer is {kind}, and only the subwords of WordPiece do not depend on each other"
    if settings["model"].get("continuing_subword_prefix") != _CONTINUES:
        return f"its subwords within words do not begin with {_CONTINUES}"
    return None


def used_ids(tokenizer: Any, texts: Iterable[str]) -> set[int]:
    """The ids of the subwords of texts."""
    return {each for ids in _encoded(tokenizer, texts) for each in ids}


def kept_ids(tokenizer: Any, used: Collection[int]) -> list[int]:
    """The old id of each subword that stays, in order: those used, special tokens, and single characters.

    All up to the padding's stay, so that it keeps its number, from which some models count positions.
    """
    padding = tokenizer.pad_token_id
    first = range(padding + 1) if padding is not None else ()
    single = (id_ for piece, id_ in tokenizer.get_vocab().items() if len(piece.removeprefix(_CONTINUES)) == 1)
    return sorted({*used, *first, *single, *tokenizer.get_added_vocab().values(), *tokenizer.all_special_ids})


def cut_tokenizer(tokenizer: Any, kept: Sequence[int]) -> Any:
    """A tokenizer of transformers with only the subwords of these ids, which are numbered anew."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    number = {old: new for new, old in enumerate(kept)}
    settings = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary = settings["model"]["vocab"]
    settings["model"]["vocab"] = {piece: number[old] for piece, old in vocabulary.items() if old in number}
    for token in settings["added_tokens"]:
        token["id"] = number[token["id"]]
    _renumber(settings["post_processor"], number)
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(settings)),
        model_max_length=tokenizer.model_max_length,
        model_input_names=tokenizer.model_input_names,
        **tokenizer.special_tokens_map,
    )


def _renumber(step: Any, number: dict[int, int]) -> None:
    """The ids in a post-processor of tokenizer.json, wherever they are."""
    if isinstance(step, dict):
        for key, value in step.items():
            if key in ("sep", "cls"):
                step[key] = [value[0], number[value[1]]]
            elif key == "ids":
                step[key] = [number[old] for old in value]
            else:
                _renumber(value, number)
    elif isinstance(step, list):
        for each in step:
            _renumber(each, number)


def cut_embeddings(model: Any, kept: Sequence[int]) -> None:
    """Leave out the embeddings of all other ids; config.json has their new number."""
    import torch

    old = model.get_input_embeddings()
    number = {id_: new for new, id_ in enumerate(kept)}
    new = torch.nn.Embedding(len(kept), old.embedding_dim, number.get(old.padding_idx))
    with torch.no_grad():
        new.weight.copy_(old.weight[list(kept)])
    model.set_input_embeddings(new)
    model.config.vocab_size = len(kept)
    for name in _TOKENS:
        if isinstance(before := getattr(model.config, name, None), int):
            setattr(model.config, name, number.get(before))


def vocabulary_figures(
    tokenizer: Any, cut: Any, kept: Sequence[int], split: str, texts: Sequence[str]
) -> VocabularyFigures:
    """What a cut changes on text that it was not made for."""
    before, after = _encoded(tokenizer, texts), _encoded(cut, texts)
    stays, total = set(kept), max(1, sum(map(len, before)))
    changed = sum(id_ not in stays for ids in before for id_ in ids)
    unknown = _unknown(cut, after) - _unknown(tokenizer, before)
    return VocabularyFigures(
        len(tokenizer), len(kept), split, round(changed / total, 6), round(max(0, unknown) / total, 6)
    )


def _encoded(tokenizer: Any, texts: Iterable[str]) -> list[list[int]]:
    if not (given := list(texts)):
        return []
    encoded: list[list[int]] = tokenizer(given, add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
    return encoded


def _unknown(tokenizer: Any, encoded: Sequence[list[int]]) -> int:
    return sum(ids.count(tokenizer.unk_token_id) for ids in encoded)
