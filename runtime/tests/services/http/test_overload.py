"""Too much at once, too much in one request, and a model that hangs, on a real server."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.errors import StalledError

from .running import SECONDS, Running, serving, wait_for, wait_until

pytestmark = pytest.mark.timing

pytest.importorskip("uvicorn", reason="the extra serve is not installed")
httpx = pytest.importorskip("httpx", reason="httpx is not installed")

# A text with the word "forever" never returns, one with "slow" takes a second for each time it has the word.
HANGING = """
import time
from edgener_runtime.pipeline import TokenClassifier
predict_batch = TokenClassifier.predict_batch
def hanging(self, texts, *rest, **options):
    while any("forever" in text for text in texts):
        time.sleep(1)
    time.sleep(sum(text.count("slow") for text in texts))
    return predict_batch(self, texts, *rest, **options)
TokenClassifier.predict_batch = hanging
"""


def post(own: Running, **record: Any) -> Any:
    return httpx.post(f"{own.url}/predict", json=record, timeout=SECONDS)


@contextlib.contextmanager
def asked(own: Running, **record: Any) -> Iterator[None]:
    """A request that waits meanwhile, whatever becomes of it."""

    def ask() -> None:
        with contextlib.suppress(httpx.HTTPError):
            post(own, **record)

    thread = threading.Thread(target=ask)
    thread.start()
    yield
    thread.join(SECONDS)


def metric(own: Running, name: str) -> float:
    found = re.search(rf'^{name}{{model="tiny-factory"}} (\S+)$', httpx.get(f"{own.url}/metrics").text, re.MULTILINE)
    assert found, name
    return float(found[1])


# --- a model that hangs


def test_a_run_that_never_ends_is_reported_everywhere_and_ends_the_process_with_a_code_of_its_own(
    bundle: Path,
) -> None:
    with serving(bundle, "--overdue", 2, "--timeout", 1, code=HANGING) as own:
        assert (httpx.get(f"{own.url}/readyz").status_code, metric(own, "edgener_overdue")) == (200, 0)
        assert post(own, text="forever").status_code == 504
        deep = httpx.get(f"{own.url}/readyz?deep=1", timeout=SECONDS)
        assert deep.status_code == 503, deep.text
        wait_until(own, "overdue: a batch of 1 text")
        assert httpx.get(f"{own.url}/readyz").json()["error"] == "a batch of the model is overdue"
        assert httpx.get(f"{own.url}/v2/models/tiny-factory/ready").json()["ready"] is False
        assert httpx.get(f"{own.url}/healthz").status_code == 200
        assert metric(own, "edgener_overdue") == 1
        code, log = own.wait()
    assert code == StalledError.exit_code == 7
    assert "error: the model hangs: a batch of 1 text (7 characters) has not returned" in log


def test_a_batch_that_returns_late_makes_it_ready_again(bundle: Path) -> None:
    with serving(bundle, "--overdue", 3, code=HANGING) as own, asked(own, text="slow " * 4):
        wait_for(lambda: httpx.get(f"{own.url}/readyz").status_code == 503, own)
        wait_for(lambda: httpx.get(f"{own.url}/readyz").status_code == 200, own)
        assert own.stop()[0] == 0


def test_a_long_batch_that_hangs_is_seen_while_short_ones_are_answered(bundle: Path) -> None:
    with serving(bundle, "--overdue", 1, "--timeout", 1, code=HANGING) as own:
        with asked(own, text="forever " * 400):
            while own.process.poll() is None:
                with contextlib.suppress(httpx.HTTPError):
                    post(own, text="oil leak")
        code, log = own.wait()
    assert code == 7
    assert "overdue: a batch of 1 text (3200 characters)" in log


def test_a_first_signal_says_what_is_awaited_and_for_how_long_and_a_second_ends_it(bundle: Path) -> None:
    with serving(bundle, "--timeout", 10, code=HANGING) as own, asked(own, texts=["forever", "forever"]):
        wait_for(lambda: metric(own, "edgener_queue_texts") == 2, own)
        own.process.send_signal(signal.SIGTERM)
        wait_until(
            own, "SIGTERM: stops after 1 request (2 texts wait, a batch runs), within 28 s; a second signal ends it"
        )
        code, log = own.stop()
    assert code == 128 + signal.SIGTERM
    assert "SIGTERM again: ends at once, without 1 request (2 texts wait, a batch runs)" in log


def test_a_model_that_hangs_holds_no_stop_up_for_longer_than_was_said(bundle: Path) -> None:
    with serving(bundle, "--timeout", 0.5, code=HANGING) as own, asked(own, text="forever"):
        wait_for(lambda: metric(own, "edgener_queue_texts") == 1, own)
        began = time.monotonic()
        code, log = own.stop(signal.SIGINT)
    assert (code, time.monotonic() - began < 60) == (0, True)
    assert "within 8 s" in log
    assert "stopped after 8 s, without 0 requests (0 texts wait, a batch runs)" in log


def test_a_model_that_fails_from_the_start_is_never_ready(bundle: Path) -> None:
    broken = """
from edgener_runtime.errors import DeviceError
from edgener_runtime.pipeline import TokenClassifier
def broken(self, *_, **__): raise DeviceError("the planted fault")
TokenClassifier.predict_batch = broken
"""
    with pytest.raises(AssertionError, match="the planted fault"), serving(bundle, code=broken):
        pass


# --- memory for bodies


def test_bodies_that_are_never_complete_take_no_more_memory_than_they_may(bundle: Path) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
    with serving(bundle, "--body-memory", 8 << 20, "--max-bytes", 1 << 20) as own, contextlib.ExitStack() as stack:
        assert post(own, text="oil leak").status_code == 200
        before = memory(own)
        connections = []
        for _ in range(200):
            connections.append(stack.enter_context(socket.create_connection(("127.0.0.1", own.port), timeout=60)))
            connections[-1].sendall(head + b" " * 990_000)
        wait_for(lambda: len(list(filter(_refusal, connections))) >= 190, own)
        grown = memory(own) - before
        answer = next(filter(None, map(_refusal, connections)))
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable")
        assert b"\r\nretry-after: 1\r\n" in answer.lower()
        assert b"at most 8388608 are accepted at once" in answer
        assert httpx.get(f"{own.url}/readyz").status_code == 200
    assert grown < 48 << 20, f"{grown >> 20} MiB"  # 275 MB before


def memory(own: Running) -> int:
    status = Path(f"/proc/{own.process.pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) << 10


def _refusal(connection: socket.socket) -> bytes:
    """What the server has answered, if anything; it stays to be read."""
    connection.settimeout(0.05)
    answer = b""
    with contextlib.suppress(TimeoutError):
        while not answer.endswith(b"}"):
            answer = connection.recv(1 << 16, socket.MSG_PEEK)
    return answer


def test_memory_for_bodies_is_given_back(bundle: Path) -> None:
    with serving(bundle, "--body-memory", 20_000, "--max-bytes", 20_000) as own:
        for _ in range(8):
            assert post(own, text="oil leak " * 2000).status_code == 200
            assert post(own, text="x" * 20_000).status_code == 413


# --- long requests beside short ones


def test_short_requests_are_answered_while_a_long_one_runs(bundle: Path) -> None:
    """The long one has forty texts of its own second each; a short one waits for none of them."""
    with serving(bundle, "--timeout", 600, code=HANGING) as own:
        texts = ["slow " + "oil leak " * 300] * 40
        with asked(own, texts=texts):
            wait_for(lambda: metric(own, "edgener_queue_texts") >= 39, own)
            for _ in range(5):
                assert post(own, text="oil leak").status_code == 200
            assert metric(own, "edgener_queue_texts") >= 20
            own.process.kill()


def test_of_two_long_requests_none_waits_for_the_whole_other(bundle: Path) -> None:
    with serving(bundle, "--timeout", 600, code=HANGING) as own:
        long = ["slow " + "oil leak " * 900] * 40
        with asked(own, texts=long):
            wait_for(lambda: metric(own, "edgener_queue_texts") >= 39, own)
            assert post(own, texts=long[:2]).status_code == 200
            assert metric(own, "edgener_queue_texts") >= 20
            own.process.kill()


def test_a_client_with_many_requests_has_no_more_turns_than_one_with_a_single_request(bundle: Path) -> None:
    """Eight requests of ten texts, each text of a second, from one address; from another, three such texts."""
    texts = ["slow " + "oil leak " * 900] * 10
    with serving(bundle, "--timeout", 600, code=HANGING) as own, contextlib.ExitStack() as greedy:
        for _ in range(8):
            greedy.enter_context(asked(own, texts=texts))
        wait_for(lambda: metric(own, "edgener_queue_texts") >= 79, own)
        with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2")) as modest:
            answer = modest.post(f"{own.url}/predict", json={"texts": texts[:3]}, timeout=SECONDS)
        assert answer.status_code == 200
        assert metric(own, "edgener_queue_texts") >= 80 - 8  # by turns of requests it would be 80 - 24
        own.process.kill()


@pytest.mark.parametrize("text", ["oil leak at the seal ", "泵的密封处漏油。", "!?", "🔧 "])
def test_what_cannot_be_answered_in_time_is_refused_and_the_rest_is_answered(bundle: Path, text: str) -> None:
    with serving(bundle, "--timeout", 2, "--max-bytes", 16 << 20, "--max-text", 20_000) as own:
        texts = [text * (20_000 // len(text))] * 64
        refused = post(own, texts=texts)
        assert refused.status_code == 413
        found = re.search(r"has (\d+) subwords, this machine answers at most (\d+) in time", refused.text)
        assert found
        fitting = len(texts) * int(found[2]) // int(found[1])
        assert post(own, texts=texts[: max(1, fitting)]).status_code == (200 if fitting else 413)
