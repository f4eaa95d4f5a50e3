"""Several models in one server process: asked by Triton's client and by hand, unloaded, loaded, changed and hanging."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .running import SECONDS, Running, serving, wait_for, wait_until

pytestmark = pytest.mark.timing

pytest.importorskip("uvicorn", reason="the extra serve is not installed")
httpx = pytest.importorskip("httpx", reason="httpx is not installed")

TEXT = "Feed pump P-101: oil leak"
BOTH = "The models are 'one', 'two.b', each in version 1."
# A text with the word "forever" never returns and keeps a core busy, one with "slow" takes a second per word.
HANGING = """
import time
from edgener_runtime.pipeline import TokenClassifier
predict_batch = TokenClassifier.predict_batch
def hanging(self, texts, *rest, **options):
    while any("forever" in text for text in texts):
        pass
    time.sleep(sum(text.count("slow") for text in texts))
    return predict_batch(self, texts, *rest, **options)
TokenClassifier.predict_batch = hanging
"""


def relabelled(bundle: Path, folder: Path, prefix: str) -> Path:
    """A copy of the bundle whose labels begin with a prefix: what it answers shows which one answered."""
    shutil.copytree(bundle, folder)
    record = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    record["name"] = f"{prefix}-factory"
    record["labels"] = [re.sub("^([BI])-", rf"\1-{prefix}_", label) for label in record["labels"]]
    (folder / "manifest.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


@pytest.fixture
def pair(bundle: Path, tmp_path: Path) -> dict[str, Path]:
    """Two bundles by the names they are served under, to be changed."""
    return {"one": relabelled(bundle, tmp_path / "one", "ONE"), "two.b": relabelled(bundle, tmp_path / "two", "TWO")}


@pytest.fixture(scope="module")
def many(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of two models for tests that only ask."""
    folder = tmp_path_factory.mktemp("many")
    bundles = {"one": relabelled(bundle, folder / "one", "ONE"), "two.b": relabelled(bundle, folder / "two", "TWO")}
    with serving(bundles, "--queue", 32) as running:
        yield running


def predict(own: Running, **record: Any) -> Any:
    return httpx.post(f"{own.url}/predict", json={"text": TEXT, **record}, timeout=SECONDS)


def padded(own: Running, **record: Any) -> Any:
    """An answer to a body of 900 KB, whatever its text."""
    content = json.dumps(record).encode() + b" " * 900_000
    headers = {"Content-Type": "application/json"}
    return httpx.post(f"{own.url}/predict", content=content, headers=headers, timeout=SECONDS)


def control(own: Running, name: str, what: str, **more: Any) -> Any:
    return httpx.post(f"{own.url}/v2/repository/models/{name}/{what}", timeout=SECONDS, **more)


def index(own: Running, **record: Any) -> dict[str, tuple[str, str]]:
    """State and reason of each model."""
    answer = httpx.post(f"{own.url}/v2/repository/index", json=record, timeout=SECONDS)
    return {entry["name"]: (entry["state"], entry["reason"]) for entry in answer.json()}


def prefixes(answer: Any) -> set[str]:
    assert answer.status_code == 200, answer.text
    return {entity["label"].partition("_")[0] for entity in answer.json()["entities"]}


@contextlib.contextmanager
def asked(own: Running, **record: Any) -> Iterator[list[int]]:
    """A request that waits meanwhile; its status once it is answered."""
    statuses: list[int] = []

    def ask() -> None:
        with contextlib.suppress(httpx.HTTPError):
            statuses.append(predict(own, **record).status_code)

    thread = threading.Thread(target=ask)
    thread.start()
    yield statuses
    thread.join(SECONDS)


# --- which model answers


def test_each_request_is_answered_by_the_model_that_it_names(many: Running) -> None:
    assert prefixes(predict(many, model="one")) == {"ONE"}
    assert prefixes(predict(many, model="two.b")) == {"TWO"}


@pytest.mark.parametrize(
    ("record", "status", "message", "hint"),
    [
        ({}, 422, "the request names no model", "Add \"model\", one of 'one', 'two.b'."),
        ({"model": "two"}, 404, "there is no model 'two' in version 1", BOTH),
        ({"model": "ONE-factory"}, 404, "there is no model 'ONE-factory' in version 1", None),
        ({"model": "../two.b"}, 404, "there is no model '../two.b' in version 1", None),
        ({"model": ""}, 404, "there is no model '' in version 1", None),
        ({"model": 1}, 422, "model is a number, expected a string", None),
        ({"model": None}, 422, "model is null, expected a string", None),
        ({"model": ["one"]}, 422, "model is an array, expected a string", None),
        ({"model": "one", "thresholds": {"TWO_X": 1}}, 422, "there is no label 'TWO_X' to give a threshold", None),
    ],
)  # fmt: skip
def test_a_name_that_no_model_has_is_refused_with_the_names_there_are(
    record: dict[str, Any], status: int, message: str, hint: str | None, many: Running
) -> None:
    answer = predict(many, **record)
    assert (answer.status_code, answer.json()["error"]) == (status, message)
    assert hint in (None, answer.json().get("hint"))


def test_a_server_of_one_model_needs_no_name_and_takes_its_own(server: Running, token: str) -> None:
    bearer = {"Authorization": f"Bearer {token}"}
    for record, status in (({}, 200), ({"model": "tiny-factory"}, 200), ({"model": "other"}, 404)):
        answer = httpx.post(f"{server.url}/predict", json={"text": TEXT, **record}, headers=bearer)
        assert answer.status_code == status


def test_the_log_names_both_models(many: Running) -> None:
    line = next(line for line in many.log if "listening" in line)
    assert line.endswith(
        "with one: ONE-factory, fp32 on CPUExecutionProvider; two.b: TWO-factory, fp32 on CPUExecutionProvider\n"
    )


def test_the_document_has_each_model_with_its_labels(many: Running) -> None:
    document = httpx.get(f"{many.url}/openapi.json").json()
    assert document["info"]["description"] == "Entities of texts, found by one, two.b."
    [named] = document["paths"]["/v2/models/{model}/infer"]["parameters"]
    assert named["schema"] == {"enum": ["one", "two.b"]}
    forms = document["components"]["schemas"]["Request"]["oneOf"]
    assert [form["required"] for form in forms] == [["model", "text"], ["model", "texts"]] * 2
    labels = [set(form["properties"]["thresholds"]["properties"]) for form in forms]
    assert "ONE_FAULT" in labels[0] and "TWO_FAULT" in labels[2] and not labels[0] & labels[2]
    assert not [path for path in document["paths"] if path.endswith("load")]


def test_metrics_have_the_model(many: Running) -> None:
    predict(many, model="one")
    predict(many, model="two.b", text=7)
    predict(many, model="three")
    lines = httpx.get(f"{many.url}/metrics").text.splitlines()
    for pattern in (
        r'edgener_requests_total\{endpoint="predict",model="one",status="200"\} [1-9]',
        r'edgener_errors_total\{endpoint="predict",model="two.b",status="422"\} [1-9]',
        r'edgener_errors_total\{endpoint="predict",model="",status="404"\} [1-9]',
        r'edgener_queue_texts\{model="one"\} 0', r'edgener_overdue\{model="two.b"\} 0',
        r'edgener_batch_texts_count\{model="one"\} [1-9]', r'edgener_failed_batches_total\{model="two.b"\} 0',
        r'edgener_runtime_info\{bundle="TWO-factory".*model="two.b"',
    ):  # fmt: skip
        assert any(re.match(pattern, line) for line in lines), pattern
    assert not any('model="three"' in line for line in lines)


def test_models_are_neither_loaded_nor_unloaded_unless_the_server_was_started_so(many: Running) -> None:
    for what in ("load", "unload"):
        answer = control(many, "one", what)
        assert (answer.status_code, answer.json()["hint"]) == (403, "Start the server with --model-control.")
    assert index(many) == {"one": ("READY", ""), "two.b": ("READY", "")}


# --- Triton's client


def test_tritons_client_infers_lists_unloads_and_loads(pair: dict[str, Path]) -> None:
    triton = pytest.importorskip("tritonclient.http", reason="tritonclient is not installed")
    token = {"Authorization": "Bearer correct-horse"}
    tensor = triton.InferInput("text", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([TEXT.encode()], dtype=np.object_))

    def labels(name: str) -> set[str]:
        answer = client.infer(name, [tensor], headers=token)
        assert answer.get_response()["model_name"] == name
        return {entity["label"].partition("_")[0] for entity in json.loads(answer.as_numpy("entities")[0])}

    def states() -> dict[str, str]:
        return {entry["name"]: entry["state"] for entry in client.get_model_repository_index(headers=token)}

    with (
        serving(pair, "--model-control", token="correct-horse") as own,
        triton.InferenceServerClient(own.url.removeprefix("http://")) as client,
    ):
        assert (labels("one"), labels("two.b")) == ({"ONE"}, {"TWO"})
        assert states() == {"one": "READY", "two.b": "READY"}
        client.unload_model("one", headers=token)
        assert states() == {"one": "UNAVAILABLE", "two.b": "READY"}
        assert not client.is_model_ready("one", headers=token)
        assert client.is_model_ready("two.b", headers=token)
        assert client.is_server_ready()
        with pytest.raises(triton.InferenceServerException, match="model 'one' is not available: it was unloaded"):
            labels("one")
        assert labels("two.b") == {"TWO"}
        client.load_model("one", headers=token)
        assert states() == {"one": "READY", "two.b": "READY"}
        assert labels("one") == {"ONE"}
        for refused in (
            lambda: client.load_model("three", headers=token),
            lambda: client.load_model("../two.b", headers=token),
            lambda: client.load_model("one", headers=token, config='{"parameters": {}}'),
            lambda: client.load_model("one"),
            lambda: client.unload_model("one"),
            lambda: client.get_model_repository_index(),
        ):
            with pytest.raises(triton.InferenceServerException):
                refused()
        assert states() == {"one": "READY", "two.b": "READY"}
        assert own.stop()[0] == 0


# --- loading and unloading


def test_a_changed_bundle_is_loaded_under_load_and_no_request_of_either_model_fails(
    pair: dict[str, Path], bundle: Path, tmp_path: Path
) -> None:
    ended = threading.Event()
    found: list[tuple[str, int, str]] = []

    def ask(name: str) -> None:
        with httpx.Client(timeout=SECONDS) as client:
            while not ended.is_set():
                answer = client.post(f"{own.url}/predict", json={"text": TEXT, "model": name})
                found.append((name, answer.status_code, answer.json()["entities"][0]["label"].partition("_")[0]))

    with serving(pair, "--model-control") as own:
        threads = [threading.Thread(target=ask, args=(name,)) for name in list(pair) * 4]
        for thread in threads:
            thread.start()
        for prefix in ("NEW", "NEWER"):
            shutil.rmtree(pair["one"])
            relabelled(bundle, pair["one"], prefix)
            assert control(own, "one", "load").status_code == 200
            assert prefixes(predict(own, model="one")) == {prefix}
        ended.set()
        for thread in threads:
            thread.join(SECONDS)
        code, log = own.stop()
    assert code == 0
    assert {status for _, status, _ in found} == {200}
    assert {prefix for name, _, prefix in found if name == "two.b"} == {"TWO"}
    assert {prefix for name, _, prefix in found if name == "one"} >= {"ONE", "NEW"}
    assert log.count("one: reloaded: NEW-factory") == 1
    counts = re.search(r"stopped: (\d+) requests accepted, (\d+) answered", log)
    assert counts and int(counts[1]) == int(counts[2]) == len(found) + 2


def test_a_damaged_bundle_is_not_loaded_and_the_index_says_why(pair: dict[str, Path]) -> None:
    with serving(pair, "--model-control") as own:
        (pair["one"] / "tokenizer.json").write_text("{}", encoding="utf-8")
        answer = control(own, "one", "load")
        assert (answer.status_code, "tokenizer.json" in answer.json()["error"]) == (500, True)
        assert index(own)["one"] == ("READY", "")
        assert prefixes(predict(own, model="one")) == {"ONE"}
        assert control(own, "one", "unload").status_code == 200
        assert control(own, "one", "load").status_code == 500
        state, reason = index(own)["one"]
        assert (state, "it was not loaded" in reason, "tokenizer.json" in reason) == ("UNAVAILABLE", True, True)
        assert predict(own, model="one").status_code == 503
        assert prefixes(predict(own, model="two.b")) == {"TWO"}
        assert index(own, ready=True) == {"two.b": ("READY", "")}
        wait_until(own, "one: not loaded: ")


def test_unload_waits_for_the_accepted_requests_and_may_be_repeated(pair: dict[str, Path]) -> None:
    with serving(pair, "--model-control", code=HANGING) as own, asked(own, model="one", text="slow slow") as statuses:
        wait_for(lambda: 'edgener_queue_texts{model="one"} 1.0' in httpx.get(f"{own.url}/metrics").text, own)
        assert control(own, "one", "unload").status_code == 200
        assert predict(own, model="one").status_code == 503
        wait_for(lambda: statuses, own)
        assert statuses == [200]
        assert control(own, "one", "unload").status_code == 200
        wait_until(own, "one: unloads the bundle: 1 text")


def test_a_server_without_any_loaded_model_is_alive_and_not_ready(pair: dict[str, Path]) -> None:
    with serving(pair, "--model-control") as own:
        for name in pair:
            assert control(own, name, "unload").status_code == 200
        for query in ("", "?deep=1"):
            answer = httpx.get(f"{own.url}/readyz{query}")
            assert (answer.status_code, answer.json()["error"]) == (503, "no model is loaded")
        assert httpx.get(f"{own.url}/healthz").status_code == 200
        assert httpx.get(f"{own.url}/v2/models/one").status_code == 503
        assert httpx.get(f"{own.url}/openapi.json").status_code == 200
        assert httpx.get(f"{own.url}/").status_code == 200
        assert control(own, "two.b", "load").status_code == 200
        assert httpx.get(f"{own.url}/readyz?deep=1").status_code == 200
        own.process.send_signal(signal.SIGHUP)  # what was unloaded stays so
        wait_until(own, "two.b: reloaded: TWO-factory")
        assert index(own)["one"][0] == "UNAVAILABLE"
        assert own.stop()[0] == 0


def test_loads_unloads_and_signals_at_once_leave_every_model_in_one_state(pair: dict[str, Path]) -> None:
    with serving(pair, "--model-control") as own:
        threads = [
            threading.Thread(target=control, args=(own, "one", what))
            for what in ("load", "unload", "load", "unload") * 3
        ]
        for thread in threads:
            thread.start()
            own.process.send_signal(signal.SIGHUP)
        for thread in threads:
            thread.join(SECONDS)
        assert control(own, "one", "load").status_code == 200
        assert prefixes(predict(own, model="one")) == {"ONE"}
        assert httpx.get(f"{own.url}/readyz?deep=1").status_code == 200
        assert own.stop()[0] == 0


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 200), (b"{}", 200), (b'{"parameters": {}}', 200),
        (b"[]", 400), (b"{", 400), (b'{"path": "/"}', 422), (b'{"parameters": []}', 422),
        (b'{"parameters": {"file:1/model.onnx": "AAAA"}}', 422), (b'{"parameters": {"config": "{}"}}', 422),
    ],
)  # fmt: skip
def test_what_a_load_may_say(content: bytes, status: int, client_of: Callable[..., Any]) -> None:
    answer = client_of(control=True).post("/v2/repository/models/tiny-factory/load", content=content)
    assert answer.status_code == status


def test_a_load_names_no_parameter_where_it_has_none(client_of: Callable[..., Any]) -> None:
    answer = client_of(control=True).post(
        "/v2/repository/models/tiny-factory/load", json={"parameters": {"config": "{}"}}
    )
    assert answer.json()["hint"] == "Known: none"


def test_a_web_page_loads_and_unloads_nothing(client_of: Callable[..., Any]) -> None:
    client = client_of(control=True)
    for what in ("load", "unload"):
        headers = {"Origin": "http://testserver"}
        assert client.post(f"/v2/repository/models/tiny-factory/{what}", headers=headers).status_code == 403
    assert client.post("/predict", json={"text": "a"}).status_code == 200


def test_load_and_unload_need_the_token(client_of: Callable[..., Any]) -> None:
    client = client_of("secret", control=True)
    for path in ("index", "models/tiny-factory/load", "models/tiny-factory/unload"):
        assert client.post(f"/v2/repository/{path}").status_code == 401


# --- one model does not hold up another


def test_beside_a_model_that_never_returns_the_other_goes_on_and_a_load_heals_it(pair: dict[str, Path]) -> None:
    with serving(pair, "--overdue", 2, "--timeout", 2, "--model-control", code=HANGING) as own:
        with asked(own, model="one", text="forever"):
            seconds = []
            while not any("it is used no more" in line for line in own.log):
                began = time.monotonic()
                assert prefixes(predict(own, model="two.b")) == {"TWO"}
                seconds.append(time.monotonic() - began)
        assert max(seconds) < 2
        wait_until(own, "one: overdue: a batch of 1 text")
        wait_until(own, "one: error: the model hangs")
        assert index(own) == {"one": ("UNAVAILABLE", "its batch did not return"), "two.b": ("READY", "")}
        answer = httpx.get(f"{own.url}/readyz")
        assert (answer.status_code, answer.json()["error"]) == (503, "model 'one': its batch did not return")
        assert httpx.get(f"{own.url}/v2/models/two.b/ready").status_code == 200
        assert 'edgener_overdue{model="one"} 1' in httpx.get(f"{own.url}/metrics").text
        assert predict(own, model="one").status_code == 503
        assert control(own, "one", "load").status_code == 200
        assert prefixes(predict(own, model="one")) == {"ONE"}
        assert httpx.get(f"{own.url}/readyz?deep=1").status_code == 200
        assert 'edgener_overdue{model="one"} 0' in httpx.get(f"{own.url}/metrics").text
        assert own.stop()[0] == 0  # though a thread never returns


def test_where_no_model_is_left_that_answers_the_process_ends_with_its_own_code(pair: dict[str, Path]) -> None:
    with serving(pair, "--overdue", 1, "--timeout", 1, code=HANGING) as own:
        with asked(own, model="one", text="forever"):
            wait_until(own, "one: it is used no more")
        with asked(own, model="two.b", text="forever"):
            code, log = own.wait()
    assert code == 7
    assert "two.b: error: the model hangs" in log


def test_a_bundle_that_never_loads_holds_up_neither_the_others_nor_the_stop(pair: dict[str, Path]) -> None:
    hanging = """
import time
from edgener_runtime.pipeline import TokenClassifier
load = TokenClassifier.load
def hang(bundle, *rest):
    while (bundle / "hang").exists():
        time.sleep(1)
    return load(bundle, *rest)
TokenClassifier.load = hang
"""
    with serving(pair, "--overdue", 1, "--timeout", 1, "--model-control", code=hanging) as own:
        (pair["one"] / "hang").touch()
        own.process.send_signal(signal.SIGHUP)
        wait_until(own, "two.b: reloaded")
        assert control(own, "two.b", "load").status_code == 200
        assert (prefixes(predict(own, model="one")), prefixes(predict(own, model="two.b"))) == ({"ONE"}, {"TWO"})
        own.process.send_signal(signal.SIGTERM)
        assert own.process.wait(60) == 0


def test_a_load_beside_a_run_that_hangs_is_used_at_once(pair: dict[str, Path]) -> None:
    with serving(pair, "--overdue", 4, "--timeout", 1, "--model-control", code=HANGING) as own:
        with asked(own, model="one", text="forever"):
            wait_for(lambda: 'edgener_queue_texts{model="one"} 1.0' in httpx.get(f"{own.url}/metrics").text, own)
            own.process.send_signal(signal.SIGHUP)
            wait_until(own, "one: reloaded")
            wait_for(lambda: predict(own, model="one").status_code == 200, own)
        wait_until(own, "one: that was the bundle before it was loaded again")
        assert prefixes(predict(own, model="one")) == {"ONE"}
        assert httpx.get(f"{own.url}/readyz").status_code == 200
        assert index(own)["one"] == ("READY", "")
        assert control(own, "one", "load").status_code == 200
        assert own.stop()[0] == 0


def test_texts_of_one_model_that_are_never_tokenized_hold_up_only_its_own(pair: dict[str, Path]) -> None:
    hanging = """
import time
from edgener_runtime.pipeline import TokenClassifier
count = TokenClassifier.count_subwords
def hang(self, texts):
    while any("forever" in text for text in texts):
        time.sleep(1)
    return count(self, texts)
TokenClassifier.count_subwords = hang
"""
    with serving(pair, "--timeout", 3, "--overdue", 3, code=hanging) as own:
        with contextlib.ExitStack() as stack:
            found = [stack.enter_context(asked(own, model="one", text="forever " * 400)) for _ in range(12)]
            while not any(found):
                answer = predict(own, model="two.b", text=f"{TEXT} {'oil leak ' * 300}")
                assert prefixes(answer) == {"TWO"}
        assert found == [[504]] * 12
        own.process.send_signal(signal.SIGTERM)
        assert own.process.wait(60) == 0


def test_a_full_queue_of_one_model_refuses_only_its_own_requests(pair: dict[str, Path]) -> None:
    with serving(pair, "--queue", 2, code=HANGING) as own, contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(asked(own, model="one", text="slow " * 5))
        wait_for(lambda: 'edgener_queue_texts{model="one"} 2.0' in httpx.get(f"{own.url}/metrics").text, own)
        assert predict(own, model="one").status_code == 429
        began = time.monotonic()
        assert prefixes(predict(own, model="two.b")) == {"TWO"}
        assert time.monotonic() - began < 4


def test_the_requests_of_one_model_leave_connections_for_the_other(pair: dict[str, Path]) -> None:
    with serving(pair, "--max-connections", 8, code=HANGING) as own, contextlib.ExitStack() as stack:
        found = [stack.enter_context(asked(own, model="one", text="slow " * 9)) for _ in range(8)]
        wait_for(lambda: sum(map(len, found)) >= 4, own)
        assert [status for statuses in found for status in statuses] == [429] * 4
        began = time.monotonic()
        assert prefixes(predict(own, model="two.b")) == {"TWO"}
        assert time.monotonic() - began < 8
        own.process.kill()


def test_the_requests_of_one_model_leave_memory_for_the_bodies_of_the_other(pair: dict[str, Path]) -> None:
    """Thirty bodies that are long though their texts are short would take all of it."""
    refused = []
    with serving(pair, "--body-memory", 8 << 20, code=HANGING) as own, contextlib.ExitStack() as stack:

        def ask() -> None:
            with contextlib.suppress(httpx.HTTPError):
                refused.append(padded(own, model="one", text="slow " * 9).status_code == 503)

        for _ in range(20):
            thread = threading.Thread(target=ask)
            thread.start()
            stack.callback(thread.join, SECONDS)
        wait_for(lambda: len(refused) >= 16, own)  # half of 8 MiB holds four
        began = time.monotonic()
        assert (prefixes(padded(own, model="two.b", text=TEXT)), time.monotonic() - began < 8) == ({"TWO"}, True)
        own.process.kill()


# --- the command


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no bundle to serve"),
        (("--model", "people"), "expected NAME=BUNDLE"),
        (("--model", "=out/a"), "expected NAME=BUNDLE"),
        (("--model", "people="), "expected NAME=BUNDLE"),
        (("--model", "a/b=out/a"), "the name 'a/b' does not fit a URL"),
        (("--model", "..=out/a"), "the name '..' does not fit a URL"),
        (("--model", "two words=out/a"), "the name 'two words' does not fit a URL"),
        (("--model", "泵=out/a"), "does not fit a URL"),
        (("--model", "a%2Fb=out/a"), "does not fit a URL"),
        (("--model", "a\nb=out/a"), r"the name 'a\nb' does not fit a URL"),
        (("--model", f"{'a' * 101}=out/a"), "does not fit a URL"),
        (("--model", "a=out/a", "--model", "b=out/b", "--model", "a=out/c"), "--model a= is given 2 times"),
        (("out/a", "--model", "b=out/b"), "both a BUNDLE and --model"),
    ],
)
def test_names_and_bundles_that_cannot_be_served_are_refused(
    arguments: tuple[str, ...], message: str, run: Callable[..., Any]
) -> None:
    done = run("serve", *arguments)
    assert (done.code, message in done.err) == (2, True), done.err


def test_a_bundle_that_cannot_be_loaded_is_named(pair: dict[str, Path], run: Callable[..., Any]) -> None:
    (pair["two.b"] / "tokenizer.json").write_text("{}", encoding="utf-8")
    done = run("serve", "--port", "0", *(word for name in pair for word in ("--model", f"{name}={pair[name]}")))
    assert (done.code, "model 'two.b': " in done.err) == (5, True), done.err
