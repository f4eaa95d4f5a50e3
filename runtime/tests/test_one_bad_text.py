"""One text that the model cannot answer: it has an error of its own, and all others have their answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgener_runtime import Decoding, DeviceError, Entity, TextError, TokenClassifier, UserInputError
from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.errors import BundleError, EdgenerError, ParityError
from edgener_runtime.pipeline import Answer

Run = Callable[..., Any]
BAD = 41
TEXTS = [f"oil leak at pump P-10{number}" + " and mixer" * (number % 7) for number in range(100)]
WITH_ONE_BAD = [text if number != BAD else f"{text}, see ZX-9 泵" for number, text in enumerate(TEXTS)]


@pytest.fixture
def short(short_of_embeddings: Path) -> Iterator[TokenClassifier]:
    with TokenClassifier.load(short_of_embeddings, "cpu", "fp32") as loaded:
        yield loaded


def places(found: Sequence[Entity]) -> list[tuple[str, int, int]]:
    return [(entity.label, entity.start, entity.end) for entity in found]


def expected(classifier: TokenClassifier) -> list[list[tuple[str, int, int]]]:
    return [places(classifier.predict(text)) for number, text in enumerate(TEXTS) if number != BAD]


def answered(found: Sequence[Answer]) -> list[list[tuple[str, int, int]]]:
    return [places(answer) for answer in found if not isinstance(answer, EdgenerError)]


def the_error(found: Sequence[Answer]) -> EdgenerError:
    [(number, error)] = [(n, answer) for n, answer in enumerate(found) if isinstance(answer, EdgenerError)]
    assert number == BAD
    return error


def test_99_of_100_are_answered_and_one_has_its_error(short: TokenClassifier, classifier: TokenClassifier) -> None:
    found = short.predict_batch(WITH_ONE_BAD, return_errors=True)
    error = the_error(found)
    assert isinstance(error, TextError)
    assert answered(found) == expected(classifier)
    assert error.hint is not None and "memory" not in error.hint
    if rows := short.manifest.tokenizer.embeddings:
        at = WITH_ONE_BAD[BAD].index("ZX-9")
        assert error.message == (
            f"the subword 'ZX-9' at characters {at} to {at + 4} has id {rows}, "
            f"and the model has embeddings for the ids 0 to {rows - 1}"
        )


def test_the_library_logs_nothing_beside_the_error(short: TokenClassifier, capfd: pytest.CaptureFixture[str]) -> None:
    found = short.predict_batch(WITH_ONE_BAD, return_errors=True)
    assert capfd.readouterr() == ("", "")
    assert "0 to 406" in the_error(found).message


def test_without_the_option_the_error_is_raised(short: TokenClassifier) -> None:
    with pytest.raises(TextError):
        short.predict_batch(WITH_ONE_BAD)
    with pytest.raises(TextError):
        short.predict(WITH_ONE_BAD[BAD])
    assert short.predict(TEXTS[BAD])


@pytest.mark.parametrize("look_ahead", [1, 2, 7, 512])
def test_a_stream_goes_on_behind_it(look_ahead: int, short: TokenClassifier, classifier: TokenClassifier) -> None:
    found = list(short.stream(WITH_ONE_BAD, look_ahead=look_ahead, return_errors=True))
    assert isinstance(the_error(found), TextError)
    assert answered(found) == expected(classifier)


def test_a_stream_gives_the_answers_before_the_error_that_it_raises(short: TokenClassifier) -> None:
    found = []
    with pytest.raises(TextError):
        for answer in short.stream(WITH_ONE_BAD, look_ahead=4):
            found.append(answer)
    assert len(found) in (BAD - 1, BAD)  # two texts run at once


@pytest.mark.parametrize("bad", [[0], [99], [0, 1, 2], [13, 50, 51, 98], list(range(100))])
def test_any_number_of_them_anywhere(bad: list[int], short: TokenClassifier) -> None:
    texts = ["ZX-9" if number in bad else text for number, text in enumerate(TEXTS)]
    found = short.predict_batch(texts, return_errors=True)
    assert [number for number, answer in enumerate(found) if isinstance(answer, EdgenerError)] == bad


def test_special_tokens_without_an_embedding_are_a_fault_of_the_bundle(edit: Callable[..., Path]) -> None:
    with pytest.raises(BundleError, match=r"special tokens of .* have the ids \[2, 3\], and the model .* ids 0 to 2"):
        TokenClassifier.load(edit("tokenizer", embeddings=3), "cpu", "fp32")


# --- a run that fails


class Failing:
    """A session that fails on batches with a certain subword, and counts its runs."""

    def __init__(self, session: Any, subword: int, fault: Callable[[Any], Any]) -> None:
        self._session, self._subword, self._fault = session, subword, fault
        self.runs = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, feeds: dict[str, Any]) -> Any:
        self.runs += 1
        return self._fault(feeds) if (feeds["input_ids"] == self._subword).any() else self._session.run(feeds)


def breaks_off(_: Any) -> Any:
    raise DeviceError("the run broke off")


def is_not_finite(feeds: Any) -> Any:
    return np.full((*feeds["input_ids"].shape, 15), np.nan, dtype=np.float32)


@pytest.mark.parametrize(("fault", "kind"), [(breaks_off, DeviceError), (is_not_finite, ParityError)])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_that_fails_on_one_text_does_not_fail_the_others(
    fault: Any, kind: type[EdgenerError], threads: int, bundle: Path, classifier: TokenClassifier
) -> None:
    with TokenClassifier.load(bundle, "cpu", "fp32", threads) as loaded:
        session = Failing(loaded.engine.session, loaded._tokenizer.encode(["泵"])[0].ids[0], fault)
        loaded.engine._session = loaded.engine._each = session
        found = loaded.predict_batch(WITH_ONE_BAD, return_errors=True)
        assert isinstance(the_error(found), kind)
        assert answered(found) == expected(classifier)
        with pytest.raises(kind):
            loaded.predict_batch(WITH_ONE_BAD)


def test_texts_that_do_not_fail_run_once(bundle: Path) -> None:
    with TokenClassifier.load(bundle, "cpu", "fp32", 1) as loaded:
        session = Failing(loaded.engine.session, -1, breaks_off)
        loaded.engine._session = loaded.engine._each = session
        loaded.predict_batch(TEXTS)
        once, session.runs = session.runs, 0
        loaded.predict_batch(TEXTS, return_errors=True)
        assert session.runs == once


def test_a_wrong_call_is_raised_and_is_not_the_error_of_each_text(short: TokenClassifier) -> None:
    with pytest.raises(UserInputError, match="no label 'NOBODY'"):
        short.predict_batch(WITH_ONE_BAD, Decoding(thresholds={"NOBODY": 0.5}), return_errors=True)


def test_a_closed_classifier_is_not_the_error_of_each_text(bundle: Path) -> None:
    classifier = TokenClassifier.load(bundle, "cpu", "fp32")
    classifier.close()
    with pytest.raises(EdgenerError, match="was closed"):
        classifier.predict_batch(TEXTS, return_errors=True)


# --- asyncio


def test_texts_that_run_together_are_answered_beside_it(short_of_embeddings: Path, classifier: TokenClassifier) -> None:
    async def ask() -> list[Answer]:
        async with AsyncTokenClassifier(TokenClassifier.load(short_of_embeddings, "cpu", "fp32")) as short:
            found = await short.predict_batch(WITH_ONE_BAD, return_errors=True)
            assert any(batch.failed for batch in short.batches)
            with pytest.raises(TextError):
                await short.predict_batch(WITH_ONE_BAD)
            with pytest.raises(UserInputError, match="NOBODY"):
                await short.predict_batch(TEXTS, Decoding(thresholds={"NOBODY": 0.5}), return_errors=True)
            return found

    found = asyncio.run(ask())
    assert isinstance(the_error(found), TextError)
    assert answered(found) == expected(classifier)


# --- the command


@pytest.mark.parametrize("source", ["a file", "stdin", "arguments"])
def test_predict_answers_every_other_line(
    source: str, short_of_embeddings: Path, classifier: TokenClassifier, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "orders.txt").write_text("\n".join(WITH_ONE_BAD), encoding="utf-8")
    fp32 = ("predict", short_of_embeddings, "--variant", "fp32")
    done = {
        "a file": lambda: run(*fp32, "--input", tmp_path / "orders.txt"),
        "stdin": lambda: run(*fp32, stdin=(tmp_path / "orders.txt").read_bytes()),
        "arguments": lambda: run(*fp32, *WITH_ONE_BAD),
    }[source]()
    records = [json.loads(line) for line in done.out.splitlines()]
    assert [record["text"] for record in records] == WITH_ONE_BAD
    error = records.pop(BAD)
    assert error.keys() == {"text", "error", "hint"}
    assert [places([Entity(**one) for one in record["entities"]]) for record in records] == expected(classifier)
    assert done.code == 2
    assert done.err.splitlines() == [f"error: 1 of 100 texts without an answer: {error['error']}", f"  {error['hint']}"]


def test_the_fields_of_a_record_are_kept_and_it_has_no_entities_beside_an_error(
    short_of_embeddings: Path, tmp_path: Path, run: Run
) -> None:
    lines = ['{"id": 1, "text": "ZX-9", "entities": [{"label": "PART"}]}', "{", '{"id": 2, "text": "oil leak"}']
    (tmp_path / "orders.jsonl").write_text("\n".join(lines), encoding="utf-8")
    done = run("predict", short_of_embeddings, "--input", tmp_path / "orders.jsonl", "--on-error", "skip")
    first, second = [json.loads(line) for line in done.out.splitlines()]
    assert first.keys() == {"id", "text", "error", "hint"}
    assert second["id"] == 2 and second["entities"]
    assert done.code == 2
    assert "error: 1 of the lines could not be read and were skipped; 1 of 2 texts without an answer: " in done.err


def test_a_device_that_fails_on_every_text_ends_the_command(
    bundle: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "orders.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    monkeypatch.setattr("edgener_runtime.backends.onnxruntime.session.OnnxSession.run", breaks_off_always)
    for done in (run("predict", bundle, "--input", tmp_path / "orders.txt"), run("predict", bundle, "oil leak")):
        assert (done.code, done.out) == (6, "")
        assert done.err == "error: the run broke off\n"


def breaks_off_always(_: Any, feeds: Any) -> Any:
    return breaks_off(feeds)
