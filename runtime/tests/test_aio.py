"""Calls of asyncio that run together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import pytest

from edgener_runtime import Decoding, Entity, TokenClassifier
from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.errors import EdgenerError, UserInputError
from edgener_runtime.pipeline import Answer

pytestmark = pytest.mark.compat

Result = TypeVar("Result")
TEXTS = [f"oil leak at pump P-10{i}" for i in range(9)]


class Stub:
    """A classifier that records its texts, waits on request, and fails on one."""

    def __init__(self) -> None:
        self.runs: list[list[str]] = []
        self.may_go = Event()
        self.may_go.set()
        self.closed = False

    def predict_batch(self, texts: Sequence[str], decoding: Decoding, return_errors: bool) -> Sequence[Answer]:
        self.runs.append(list(texts))
        self.may_go.wait(600)
        if "broken" in texts:
            raise EdgenerError("a broken text")
        return [[Entity(decoding.aggregation, 0, len(text), 1.0, text)] for text in texts]

    def close(self) -> None:
        self.closed = True


def run(work: Callable[[AsyncTokenClassifier, Stub], Awaitable[Result]], **settings: Any) -> Result:
    async def main() -> Result:
        stub = Stub()
        async with AsyncTokenClassifier(stub, **settings) as classifier:  # type: ignore[arg-type]
            return await work(classifier, stub)

    return asyncio.run(main())


def test_answers_are_those_of_the_classifier(bundle: Path, classifier: TokenClassifier) -> None:
    async def ask() -> list[list[Entity]]:
        async with AsyncTokenClassifier(TokenClassifier.load(bundle, "cpu", "fp32")) as asked:
            return await asked.predict_batch(TEXTS)

    for found, expected in zip(asyncio.run(ask()), classifier.predict_batch(TEXTS), strict=True):
        assert [(e.label, e.start, e.end, e.text) for e in found] == [
            (e.label, e.start, e.end, e.text) for e in expected
        ]


def test_what_comes_while_a_batch_runs_is_the_next_batch() -> None:
    async def work(classifier: AsyncTokenClassifier, stub: Stub) -> list[list[str]]:
        stub.may_go.clear()
        calls = [asyncio.create_task(classifier.predict("first"))]
        while not stub.runs:
            await asyncio.sleep(0.001)
        calls += [asyncio.create_task(classifier.predict(text)) for text in TEXTS]
        await asyncio.sleep(0.01)
        assert classifier.pending == 10
        stub.may_go.set()
        answers = await asyncio.gather(*calls)
        assert [entities[0].text for entities in answers] == ["first", *TEXTS]
        assert classifier.pending == 0
        return stub.runs

    assert run(work) == [["first"], TEXTS]


def test_a_batch_is_cut_where_it_is_full_or_wants_another_decoding() -> None:
    async def work(classifier: AsyncTokenClassifier, stub: Stub) -> list[list[str]]:
        ways = ["simple", "simple", "simple", "none", "simple"]
        calls = (classifier.predict(text, Decoding(way)) for text, way in zip("abcde", ways, strict=True))
        answers = await asyncio.gather(*calls)
        assert [entities[0].label for entities in answers] == ways
        return stub.runs

    assert run(work, max_wait=0.05, max_characters=2) == [["a", "b"], ["c"], ["d"], ["e"]]


def test_with_a_wait_a_text_gets_company() -> None:
    async def work(classifier: AsyncTokenClassifier, stub: Stub) -> list[list[str]]:
        first = asyncio.create_task(classifier.predict("early"))
        await asyncio.sleep(0.05)
        await asyncio.gather(first, classifier.predict("late"))
        return stub.runs

    assert run(work, max_wait=5, max_characters=9) == [["early", "late"]]


def test_a_text_that_fails_does_not_fail_those_beside_it() -> None:
    async def work(classifier: AsyncTokenClassifier, stub: Stub) -> list[Any]:
        calls = (classifier.predict(text) for text in ("a", "broken", "b"))
        return await asyncio.gather(*calls, return_exceptions=True)

    first, failed, last = run(work)
    assert (first[0].text, last[0].text) == ("a", "b")
    assert isinstance(failed, EdgenerError)


def test_who_gives_up_is_left_out() -> None:
    async def work(classifier: AsyncTokenClassifier, stub: Stub) -> list[list[str]]:
        stub.may_go.clear()
        calls = [asyncio.create_task(classifier.predict(text)) for text in ("a", "b", "c")]
        while not stub.runs:
            await asyncio.sleep(0.001)
        more = [asyncio.create_task(classifier.predict(text)) for text in ("d", "e")]
        await asyncio.sleep(0.01)
        more[0].cancel()
        calls[1].cancel()
        await asyncio.sleep(0)
        stub.may_go.set()
        await asyncio.gather(calls[0], calls[2], more[1])
        return stub.runs

    assert run(work, max_wait=0.01) == [["a", "b", "c"], ["e"]]


@pytest.mark.parametrize("texts", [[None], ["a", 3], [b"oil leak"], [["a"]], "oil leak", b"oil leak"])
def test_what_is_not_a_text_is_refused_at_once_and_the_next_call_is_answered(texts: Any) -> None:
    async def work(classifier: AsyncTokenClassifier, stub: Stub) -> None:
        with pytest.raises(UserInputError, match=r"expected str|in place of a list of texts"):
            await classifier.predict_batch(texts)
        if not isinstance(texts, str):
            with pytest.raises(UserInputError, match="expected str"):
                await classifier.predict(texts)
        assert (await classifier.predict("oil leak"))[0].text == "oil leak"

    run(work)


@pytest.mark.parametrize("reason", ["fails", "is cancelled"])
def test_where_the_worker_ends_its_calls_fail_and_the_next_starts_another(reason: str) -> None:
    async def work(classifier: AsyncTokenClassifier, stub: Stub) -> None:
        stub.may_go.clear()
        calls = [asyncio.create_task(classifier.predict(text)) for text in ("a", "b")]
        await asyncio.sleep(0.01)
        calls.append(asyncio.create_task(classifier.predict("c")))
        await asyncio.sleep(0.01)
        worker = classifier._short._worker
        assert worker
        if reason == "fails":
            classifier._short.batches = None  # type: ignore[assignment]
        else:
            worker.cancel()
        stub.may_go.set()
        for failed in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(failed, EdgenerError) and str(failed).startswith("the texts were not run: ")
        classifier._short.batches = classifier.batches
        assert classifier.pending == 0
        assert (await classifier.predict("oil leak"))[0].text == "oil leak"

    run(work)


def test_closing_answers_what_was_accepted_and_takes_no_more() -> None:
    async def work() -> None:
        stub = Stub()
        classifier = AsyncTokenClassifier(stub, max_wait=10)  # type: ignore[arg-type]
        calls = [asyncio.create_task(classifier.predict(text)) for text in TEXTS]
        await asyncio.sleep(0.01)
        await classifier.close()
        assert [entities[0].text for entities in await asyncio.gather(*calls)] == TEXTS
        assert stub.closed
        with pytest.raises(EdgenerError, match="closing"):
            await classifier.predict("too late")

    asyncio.run(work())


def test_a_classifier_that_is_given_up_fails_what_waits_and_closes_no_model_that_runs() -> None:
    async def give_up(classifier: AsyncTokenClassifier, stub: Stub) -> None:
        stub.may_go.clear()
        runs = asyncio.ensure_future(classifier.predict("a"))
        while not stub.runs:
            await asyncio.sleep(0.001)
        waits = asyncio.ensure_future(classifier.predict("b"))
        await asyncio.sleep(0)
        classifier.abandon()
        await asyncio.wait_for(classifier.close(), 60)
        for call in (runs, waits, classifier.predict("c")):
            with pytest.raises(EdgenerError):
                await call
        assert (stub.closed, classifier.running, classifier.pending) == (False, None, 0)
        stub.may_go.set()

    run(give_up)


async def slowly(texts: Sequence[str], taken: list[str]) -> AsyncIterator[str]:
    for text in texts:
        taken.append(text)
        yield text
        await asyncio.sleep(0)


def test_a_stream_keeps_its_order_and_takes_no_more_than_may_wait() -> None:
    async def work(classifier: AsyncTokenClassifier, stub: Stub) -> None:
        taken: list[str] = []
        answered = 0
        async for entities in classifier.stream(slowly(TEXTS * 9, taken), look_ahead=4):
            assert entities[0].text == (TEXTS * 9)[answered]
            answered += 1
            assert len(taken) - answered <= 4 + 2  # one in the consumer's hands, one in the feeder's
            await asyncio.sleep(0)
        assert answered == len(TEXTS) * 9

    run(work)


def test_a_stream_answers_before_the_next_text_comes() -> None:
    async def work(classifier: AsyncTokenClassifier, stub: Stub) -> None:
        async def one_by_one() -> AsyncIterator[str]:
            yield "a"
            await answered.wait()
            yield "b"

        answered = asyncio.Event()
        async for _ in classifier.stream(one_by_one()):
            answered.set()

    run(work)


def test_what_a_stream_s_source_raises_comes_behind_its_answers() -> None:
    async def work(classifier: AsyncTokenClassifier, stub: Stub) -> list[str]:
        async def failing() -> AsyncIterator[str]:
            yield "a"
            raise OSError("the line went dead")

        found = []
        with pytest.raises(OSError, match="line went dead"):
            async for entities in classifier.stream(failing()):
                found.append(entities[0].text)
        return found

    assert run(work) == ["a"]
