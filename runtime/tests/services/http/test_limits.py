"""Queue and time: who comes too many, who waits too long, and that nobody beside them does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from itertools import islice
from typing import Any

import pytest

from edgener_runtime import Decoding, TokenClassifier
from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.errors import DeviceError
from edgener_runtime.pipeline import Answer

from .running import Held

pytest.importorskip("starlette", reason="the extra serve is not installed")
pytest.importorskip("httpx", reason="starlette's test client needs httpx")


def ask(client: Any, *texts: str) -> Any:
    return client.post("/predict", json={"texts": list(texts)})


def asked(client: Any, *texts: str) -> Future[Any]:
    """An answer to come, from a thread of its own."""
    answer: Future[Any] = Future()
    threading.Thread(target=lambda: answer.set_result(ask(client, *texts))).start()
    return answer


def test_a_full_queue_says_when_to_try_again(client_of: Callable[..., Any], held: Held) -> None:
    client = client_of(queue=2)
    held.gate.clear()
    first = asked(client, "a", "b")
    assert held.entered.acquire(timeout=600)
    refused = ask(client, "c")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert refused.json()["error"] == "2 texts are pending, at most 2 are accepted"
    held.gate.set()
    assert first.result(60).status_code == 200
    assert ask(client, "c").status_code == 200


def test_of_a_request_all_texts_are_taken_or_none(client_of: Callable[..., Any], held: Held) -> None:
    client = client_of(queue=3)
    held.gate.clear()
    first = asked(client, "a", "b")
    assert held.entered.acquire(timeout=600)
    assert ask(client, "c", "d").status_code == 429
    second = asked(client, "e")
    held.gate.set()
    assert (first.result(60).status_code, second.result(60).status_code) == (200, 200)
    assert held.batches == [["a", "b"], ["e"]]


def test_of_many_that_come_at_once_as_many_are_taken_as_may_wait(client_of: Callable[..., Any], held: Held) -> None:
    client = client_of(queue=8)
    held.gate.clear()
    with ThreadPoolExecutor(40) as threads:
        answers = [threads.submit(ask, client, "a") for _ in range(40)]
        refused = 0
        for answer in islice(as_completed(answers, timeout=600), 32):
            refused += answer.result().status_code == 429
        held.gate.set()
    assert refused == 32
    assert sum(answer.result().status_code == 200 for answer in answers) == 8


def test_a_timed_out_request_is_answered_so_and_not_run_for_nothing(client_of: Callable[..., Any], held: Held) -> None:
    client = client_of(seconds=0.2)
    held.gate.clear()
    first, second = asked(client, "a"), asked(client, "b")
    late = first.result(60), second.result(60)
    assert [answer.status_code for answer in late] == [504, 504]
    assert late[0].json()["error"] == "no answer within 0.2 s"
    held.gate.set()
    assert ask(client, "c").status_code == 200
    assert len(held.batches) == 2  # what waited behind the gate was given up on


def test_the_application_closes_the_classifier_at_its_end(client_of: Callable[..., Any], held: Held) -> None:
    client_of().__exit__()
    assert held.closed


# --- what the queue counts


def test_texts_wait_from_the_moment_they_are_given(held: Held) -> None:
    async def counts() -> list[int]:
        async with AsyncTokenClassifier(held) as classifier:  # type: ignore[arg-type]
            first = classifier.predict_batch(["a", "b"])
            first.send(None)  # type: ignore[attr-defined]  # as far as it goes without waiting
            waiting = classifier.pending
            first.close()
            return [waiting]

    assert asyncio.run(counts()) == [2]


def test_texts_of_a_batch_that_failed_wait_until_each_was_tried_alone(classifier: TokenClassifier) -> None:
    counted = []

    class Failing(Held):
        def predict_batch(self, texts: Sequence[str], decoding: Decoding, return_errors: bool) -> Sequence[Answer]:
            counted.append((len(texts), queue.pending))
            raise DeviceError("broke off")

    async def ask() -> list[Any]:
        nonlocal queue
        async with AsyncTokenClassifier(Failing(classifier)) as queue:  # type: ignore[arg-type]
            return await asyncio.gather(*(queue.predict(text) for text in "abc"), return_exceptions=True)

    queue: Any = None
    assert [str(error) for error in asyncio.run(ask())] == ["broke off"] * 3
    assert counted == [(3, 3), (1, 3), (1, 2), (1, 1)]
