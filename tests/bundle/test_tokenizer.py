"""A bundle's tokenizer is the one that transformers makes of all files of a checkpoint, not tokenizer.json alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgener.bundle import tokenizer as module
from edgener.bundle.tokenizer import TOKENIZER, write_tokenizer
from edgener.bundle.unicode_samples import unicode_samples
from edgener.checkpoint import open_checkpoint
from edgener_runtime.errors import EdgenerError, ParityError, UserInputError

pytestmark = pytest.mark.compat

SAVED = Path(__file__).parents[1] / "saved"


@pytest.fixture
def folder(make_model: Callable[[str], Path], tmp_path: Path) -> Path:
    """A small BERT with an uncased tokenizer and 400 rows of embeddings."""
    return shutil.copytree(make_model("bert-uncased"), tmp_path / "checkpoint")


def edit(file: Path, **changes: Any) -> None:
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    kept = {key: value for key, value in (known | changes).items() if value is not None}
    file.write_text(json.dumps(kept), encoding="utf-8")


def tokens(folder: Path, text: str) -> list[str]:
    """The subwords of the bundle's tokenizer, after a comparison with those of transformers."""
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    bundle = folder.parent / "bundle"
    bundle.mkdir()
    write_tokenizer(open_checkpoint(folder), bundle)
    found = Tokenizer.from_file(str(bundle / TOKENIZER)).encode(text, add_special_tokens=False).tokens
    assert found == AutoTokenizer.from_pretrained(folder).tokenize(text)
    return list(found)


def resized(folder: Path, rows: int) -> None:
    from transformers import AutoModelForTokenClassification

    model = AutoModelForTokenClassification.from_pretrained(folder)
    model.resize_token_embeddings(rows)
    model.save_pretrained(folder)


def test_tokens_of_added_tokens_json_are_in_the_bundle(folder: Path) -> None:
    resized(folder, 402)
    edit(folder / "added_tokens.json", **{"<tag>": 400, "qx-77": 401})
    edit(folder / "tokenizer_config.json", tokenizer_class="BertTokenizer", added_tokens_decoder=None)
    assert {"<tag>", "qx-77"} <= set(tokens(folder, "the <tag> of QX-77"))


def test_a_lower_case_option_of_the_settings_is_in_the_bundle(folder: Path) -> None:
    edit(folder / "tokenizer_config.json", tokenizer_class="BertTokenizer", do_lower_case=False)
    assert "[UNK]" in tokens(folder, "THE PUMP")  # the vocabulary has no capitals


def test_accents_that_the_settings_keep_are_kept_in_the_bundle(folder: Path) -> None:
    edit(folder / "tokenizer_config.json", tokenizer_class="BertTokenizer", strip_accents=False)
    assert "[UNK]" in tokens(folder, "pümp")


def test_further_special_tokens_of_the_settings_are_in_the_bundle(folder: Path) -> None:
    resized(folder, 401)
    edit(folder / "tokenizer_config.json", additional_special_tokens=["<part>"])
    assert "<part>" in tokens(folder, "a <part> here")


@pytest.mark.parametrize("name", ["xlm-roberta", "camembert"])
def test_sentencepiece_models_that_transformers_4_saved_are_written_as_they_are_read(name: str, tmp_path: Path) -> None:
    folder = shutil.copytree(SAVED / "transformers-4" / name, tmp_path / name)
    assert tokens(folder, "the pump leaks")


def test_a_vocabulary_alone_is_enough(folder: Path) -> None:
    words = json.loads((folder / TOKENIZER).read_text(encoding="utf-8"))["model"]["vocab"]
    for file in (TOKENIZER, "tokenizer_config.json", "special_tokens_map.json"):
        (folder / file).unlink(missing_ok=True)
    (folder / "vocab.txt").write_text("\n".join(sorted(words, key=words.__getitem__)) + "\n", encoding="utf-8")
    assert "pump" in tokens(folder, "The pump")


def test_an_option_that_no_file_can_say_is_refused_with_the_text_that_shows_it(folder: Path, tmp_path: Path) -> None:
    edit(folder / "tokenizer_config.json", split_special_tokens=True)
    with pytest.raises(ParityError, match=r"splits '.*\[SEP\].*' in another way than transformers") as caught:
        write_tokenizer(open_checkpoint(folder), tmp_path)
    assert "tokenizer_config.json" in str(caught.value.hint)


def test_a_planted_difference_of_one_step_is_found(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = module._resolved

    def planted(tokenizer: Any, checkpoint: Path) -> str:
        settings = json.loads(whole(tokenizer, checkpoint))
        settings["normalizer"]["handle_chinese_chars"] = False
        return json.dumps(settings)

    monkeypatch.setattr(module, "_resolved", planted)
    with pytest.raises(ParityError, match="in another way"):
        write_tokenizer(open_checkpoint(folder), tmp_path)


def test_a_planted_difference_of_the_special_tokens_is_found(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = module._resolved
    monkeypatch.setattr(
        module, "_resolved", lambda *both: json.dumps(json.loads(whole(*both)) | {"post_processor": None})
    )
    with pytest.raises(ParityError, match="special tokens"):
        write_tokenizer(open_checkpoint(folder), tmp_path)


def test_a_step_that_is_code_is_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tokenizers.pre_tokenizers import PreTokenizer

    class OwnSplit:
        def pre_tokenize(self, text: Any) -> None: ...

    load = module.load_tokenizer

    def planted(source: str) -> Any:
        tokenizer = load(source)
        tokenizer.backend_tokenizer.pre_tokenizer = PreTokenizer.custom(OwnSplit())
        return tokenizer

    monkeypatch.setattr(module, "load_tokenizer", planted)
    with pytest.raises(UserInputError, match=r"cannot be written as tokenizer\.json"):
        write_tokenizer(open_checkpoint(folder), tmp_path)


def test_samples_are_many_different_texts_with_what_splits_differently() -> None:
    samples = list(unicode_samples())
    assert len(samples) > 400 and len(set(samples)) > 400
    together = "".join(samples)
    for needed in (
        "泵",
        "\u200b",
        "\u200d",
        "👩",
        "\u0301",
        "٣",
        "א",
        "ก",
        "\r\n",
        "\x00",
        "\ud800",
        "İ",
        "ﬁ",
        "[SEP]",
        "▁",
    ):
        assert needed in together


def test_a_sample_that_cannot_be_encoded_is_an_error_of_ours(folder: Path, tmp_path: Path) -> None:
    (folder / TOKENIZER).write_text("{", encoding="utf-8")
    with pytest.raises(EdgenerError, match="cannot load a tokenizer"):
        open_checkpoint(folder)
