"""A TensorRT session against doubles: of TensorRT, made of the real bindings' signatures, and of CUDA's runtime.

Neither is the real thing. What they prove is the order of calls, that buffers and copies are right, and that all is
freed, for every version's interface. Answers are compared with onnxruntime's on the CPU.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from edgener_runtime.backends.tensorrt.cudart import SIGNATURES
from edgener_runtime.backends.tensorrt.profiles import Profile
from edgener_runtime.backends.tensorrt.session import EngineSession
from edgener_runtime.errors import BundleError, DeviceError, EdgenerError, ProviderError, UserInputError

from .doubles import VERSIONS
from .stage import CLEAN, REBUILD, Stage, compute, feeds_of, library, stage

__all__ = ["compute", "library", "stage"]  # fixtures
NEVER_FAIL = {"cudaGetLastError"}  # it asks for an error
GIVING_BACK = {"cudaFree", "cudaFreeHost", "cudaStreamDestroy", "cudaGraphDestroy", "cudaGraphExecDestroy"}


@pytest.fixture
def session(stage: Stage) -> Iterator[EngineSession]:
    opened = stage.open()
    yield opened
    opened.close()


# --- answers


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_s_interface_gives_the_graph_s_logits(version: str, stage: Stage) -> None:
    stage.version = version
    session = stage.open()
    for rows, subwords in [(1, 16), (1, 17), (8, 64), (3, 5), (1, 16), (1, 64), (8, 64)]:
        feeds = feeds_of(rows, subwords, rows + subwords)
        np.testing.assert_array_equal(session.run(feeds), stage.plan.compute(feeds))
    session.close()
    assert stage.left() == CLEAN


def test_types_of_the_engine_are_served(stage: Stage) -> None:
    stage.plan.inputs = dict.fromkeys(stage.plan.inputs, "INT32")
    stage.plan.outputs = {"logits": "HALF"}
    session, feeds = stage.open(), feeds_of(2, 8)
    logits = session.run(feeds)
    session.close()
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, stage.plan.compute(feeds), atol=2e-2)


def test_inputs_that_the_engine_has_not_are_left_out(stage: Stage) -> None:
    del stage.plan.inputs["token_type_ids"]
    whole = stage.plan.compute
    stage.plan.compute = lambda feeds: whole({**feeds, "token_type_ids": np.zeros_like(feeds["input_ids"])})
    session, feeds = stage.open(), feeds_of(1, 16)
    np.testing.assert_array_equal(session.run(feeds), stage.plan.compute(feeds))
    session.close()


def test_rows_that_a_profile_wants_are_added_and_thrown_away(stage: Stage) -> None:
    stage.plan.profiles = (Profile((4, 1), (8, 32), (8, 64)),)
    session = stage.open()
    for rows in (1, 3, 5):
        feeds = feeds_of(rows, 16)
        np.testing.assert_allclose(session.run(feeds), stage.plan.compute(feeds), atol=1e-5)
    session.close()


def test_logits_are_the_caller_s_own(session: EngineSession) -> None:
    first = session.run(feeds_of(1, 16, 1))
    kept = first.copy()
    session.run(feeds_of(1, 16, 2))
    np.testing.assert_array_equal(first, kept)


def test_threads_get_their_own_answers(session: EngineSession, stage: Stage) -> None:
    wrong: list[int] = []

    def ask(seed: int) -> None:
        for turn in range(10):
            feeds = feeds_of(1 + (seed + turn) % 8, 16, seed)
            if not np.array_equal(session.run(feeds), stage.plan.compute(feeds)):
                wrong.append(seed)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# --- the order of calls


def calls(stage: Stage, run: Callable[[], object]) -> list[str]:
    """The names of what a run calls, in order."""
    before = len(stage.cuda.noted)
    run()
    return [line.partition("(")[0].rpartition(".")[2] for line in stage.cuda.noted[before:]]


def test_shapes_come_before_addresses_and_the_stream_is_waited_for(session: EngineSession, stage: Stage) -> None:
    feeds = feeds_of(3, 16)
    copies = ["cudaMemcpyAsync"] * 3
    run = [*copies, "execute_async_v3", "cudaMemcpyAsync", "cudaStreamSynchronize"]
    setup = ["set_input_shape"] * 3 + ["set_tensor_address"] * 4
    assert calls(stage, lambda: session.run(feeds)) == [*setup, *run]
    assert calls(stage, lambda: session.run(feeds)) == run  # the shape is still set


def test_a_shape_that_was_captured_runs_in_one_call(session: EngineSession, stage: Stage) -> None:
    assert calls(stage, lambda: session.run(feeds_of(1, 32))) == ["cudaGraphLaunch", "cudaStreamSynchronize"]
    session.run(feeds_of(1, 17))  # in the context of the profile, so that the graph's stays as it was captured
    assert calls(stage, lambda: session.run(feeds_of(1, 32))) == ["cudaGraphLaunch", "cudaStreamSynchronize"]


def test_every_length_is_warm_before_the_first_request(session: EngineSession) -> None:
    assert session.shapes.lengths == (16, 32, 64)
    assert [(each.rows, each.subwords, each.no_graph) for each in session.warmed] == [
        (1, length, None) for length in session.shapes.lengths
    ]
    assert session.notes == ("CUDA graphs for 1x16, 1x32, 1x64",)


def test_the_doubles_find_what_is_out_of_order(session: EngineSession, stage: Stage) -> None:
    """Proof that the tests above would fail: addresses before shapes, a read before the stream is waited for."""
    context, resources = session._contexts[0], session._resources
    for name in resources.inputs:
        context._context.set_tensor_address(name, resources.inputs[name].device)
        context._context.set_input_shape(name, (1, 16))
    assert not context._context.execute_async_v3(resources.stream)
    context.set_shape((1, 16))
    resources.logits.view((1, 16, 15))[:] = 7
    context.enqueue()
    assert (resources.logits.view((1, 16, 15)) == 7).all()
    resources.cudart.synchronise(resources.stream)
    assert not (resources.logits.view((1, 16, 15)) == 7).any()


@pytest.mark.parametrize("made", ["an attribute", "a method", "an argument"])
def test_the_double_has_nothing_that_tensorrt_has_not(made: str, session: EngineSession) -> None:
    context = session._contexts[0]._context
    with pytest.raises((AttributeError, AssertionError)):
        if made == "an attribute":
            context.shape = (1, 16)
        elif made == "a method":
            context.execute_async_v4(0)
        else:
            context.set_input_shape("input_ids", (1, 16), 0)


# --- what cannot run


@pytest.mark.parametrize(("rows", "subwords"), [(9, 16), (1, 65), (8, 100)])
def test_a_shape_outside_every_profile_is_reported(rows: int, subwords: int, session: EngineSession) -> None:
    with pytest.raises(DeviceError, match=rf"{rows}x{subwords} is in none .*: 1x1 1x32 1x64; 1x1 8x32 8x64") as raised:
        session.run(feeds_of(rows, subwords))
    assert raised.value.hint and REBUILD in raised.value.hint
    session.run(feeds_of(8, 64))  # and the session goes on


def test_an_input_that_the_bundle_does_not_give_is_reported(session: EngineSession) -> None:
    feeds = feeds_of(1, 16)
    del feeds["token_type_ids"]
    with pytest.raises(BundleError, match="the engine also takes token_type_ids"):
        session.run(feeds)


def test_inputs_of_several_shapes_are_refused_and_not_stretched(session: EngineSession) -> None:
    feeds = {**feeds_of(3, 16), "attention_mask": np.ones((1, 16), dtype=np.int64)}
    with pytest.raises(UserInputError, match=r"the inputs differ in shape: .*attention_mask 1x16"):
        session.run(feeds)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"outputs": {"scores": "FLOAT"}}, "the engine gives scores"),
        ({"outputs": {"logits": "FLOAT", "states": "FLOAT"}}, "the engine gives logits, states"),
        ({"outputs": {"logits": "BF16"}}, "logits is BF16, expected one of INT64"),
        ({"labels": -1}, "expected logits"),
    ],
)
def test_an_engine_of_another_kind_is_refused(fields: dict[str, Any], expected: str, stage: Stage) -> None:
    for name, value in fields.items():
        setattr(stage.plan, name, value)
    with pytest.raises(BundleError, match=expected) as raised:
        stage.open()
    assert raised.value.hint == REBUILD
    del raised
    assert stage.left() == CLEAN


def test_a_plan_that_tensorrt_refuses_is_reported_with_its_reason(stage: Stage) -> None:
    with pytest.raises(ProviderError, match="cannot load the engine: the plan is empty") as raised:
        stage.open(b"")
    assert raised.value.hint == REBUILD
    del raised
    assert stage.left() == CLEAN


# --- everything is freed, whatever happens


def test_closing_frees_all_and_once(stage: Stage) -> None:
    session = stage.open()
    session.run(feeds_of(2, 16))
    assert stage.cuda.live() == {"device memory": 5, "pinned memory": 4, "stream": 1, "executable graph": 3}
    session.close()
    session.close()
    assert stage.left() == CLEAN
    with pytest.raises(EdgenerError, match="the session was closed"):
        session.run(feeds_of(2, 16))


@pytest.mark.parametrize("before", [0, 1, 4])
@pytest.mark.parametrize("name", sorted(set(SIGNATURES) - NEVER_FAIL))
def test_a_call_of_cuda_that_fails_leaves_nothing_behind(name: str, before: int, stage: Stage) -> None:
    """While the session is opened, runs or is closed, whenever that call comes."""
    stage.cuda.fail(name, before)
    session = None
    fault = ""
    try:
        session = stage.open()
        session.run(feeds_of(2, 16))
        session.close()
    except DeviceError as error:
        fault = error.message
    notes = session.notes if session else ()
    if session:
        session.close()
        del session
    if name.startswith(("cudaStreamBegin", "cudaStreamEnd", "cudaGraphInst")) and before < 3:
        assert any("as the test wants it" in note for note in notes)  # it runs without that graph, and says so
        assert fault == ""
    held, alive, faults = stage.left()
    assert (alive, faults) == ([], [])
    refused = name in GIVING_BACK and any("as the test wants it" in text for text in (fault, *notes))
    assert sum(held.values()) == (1 if refused else 0)  # what CUDA does not free is lost, and reported


@pytest.mark.parametrize("name", ["cudaMalloc", "cudaMallocHost"])
def test_too_little_memory_is_reported_with_what_to_do(name: str, stage: Stage) -> None:
    stage.cuda.fail(name, 1, 2)
    with pytest.raises(DeviceError, match=f"{name} failed: cudaErrorMemoryAllocation") as raised:
        stage.open()
    assert raised.value.hint and "GPU memory" in raised.value.hint


@pytest.mark.parametrize(
    "refused",
    [
        "Runtime.deserialize_cuda_engine",
        "ICudaEngine.create_execution_context",
        "IExecutionContext.set_optimization_profile_async",
        "IExecutionContext.set_input_shape",
        "IExecutionContext.set_tensor_address",
        "IExecutionContext.execute_async_v3",
    ],
)
@pytest.mark.parametrize("when", ["at once", "later"])
def test_what_tensorrt_refuses_is_reported_with_its_reason(refused: str, when: str, stage: Stage) -> None:
    session = stage.open() if when == "later" else None
    stage.plan.refuse.add(refused)
    try:
        with pytest.raises((DeviceError, ProviderError), match=f"{refused.partition('.')[2]} as the test wants it"):
            session = session or stage.open()
            session.run(feeds_of(2, 16))
            if refused.startswith(("Runtime", "ICuda")) or "profile" in refused:
                stage.open()  # what is only called when a session is opened
    finally:
        if session:
            session.close()
        session = None
    assert stage.left() == CLEAN
