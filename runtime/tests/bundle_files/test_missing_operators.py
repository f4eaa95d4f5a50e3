"""A variant with operators of edgener-ops where they are not installed: the next one runs, or an error says why."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.backends import choose
from edgener_runtime.errors import BundleError, ProviderError

from .mutations import relist
from .wire_edit import Field, encode, message, text, varint

pytestmark = pytest.mark.compat


def value(number: int, name: str, kind: int, *sizes: int) -> Field:
    """An input or output of a graph; a size of 0 is any."""
    shape = [message(1, varint(1, size) if size else text(2, "any")) for size in sizes]
    return message(number, text(1, name), message(2, message(1, varint(1, kind), message(2, *shape))))


@pytest.fixture
def native(edit: Callable[..., Path]) -> Path:
    """A bundle whose first variant needs operators of version 1; its graph has inputs and an output, and no node."""
    bundle = edit("variants", 0, "needs", operators=1)
    root = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    record = json.loads((bundle / "variants" / "int8-dynamic.json").read_text(encoding="utf-8"))
    inputs = [value(11, name, 7, 0) for name in ("input_ids", "position_ids", "token_type_ids", "offsets")]
    graph = encode([message(7, *inputs, value(12, "logits", 1, 0, len(root["labels"])))])
    (bundle / record["file"]["path"]).write_bytes(graph)
    (bundle / "variants" / "int8-native.json").write_text(json.dumps(record | {"name": "int8-native"}))
    (bundle / "variants" / "int8-dynamic.json").unlink()
    root["variants"][0]["name"] = "int8-native"
    root["variants"][0]["manifest"]["path"] = "variants/int8-native.json"
    (bundle / "manifest.json").write_text(json.dumps(root), encoding="utf-8")
    relist(bundle)
    return bundle


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "edgener_ops", None)
    choose._warn_once.cache_clear()


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_the_next_variant_runs_and_that_is_explained_and_logged_once(
    device: str, native: Path, without: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with TokenClassifier.load(native, device) as classifier:
                assert classifier.variant.name == "fp32" and classifier.predict("oil leak")
                assert "int8-native passed over: its operators are not installed" in str(classifier.explain())
    (logged,) = [record.getMessage() for record in caplog.records]
    assert logged.startswith("int8-native passed over") and "[ops]" in logged


def test_asked_for_by_name_it_is_an_error_with_the_install_line(
    native: Path, without: None, run: Callable[..., Any]
) -> None:
    for device in ("auto", "cpu"):
        with pytest.raises(ProviderError, match="its operators are not installed") as caught:
            TokenClassifier.load(native, device, "int8-native")
        assert caught.value.exit_code == 6 and "[ops]" in str(caught.value.hint)
    done = run("predict", native, "--variant", "int8-native", stdin=b"oil leak")
    assert done.code == 6 and "[ops]" in done.err and "Traceback" not in done.err


def test_a_bundle_with_nothing_else_says_what_to_install(native: Path, without: None) -> None:
    for file in (native / "variants").glob("fp32.*"):
        file.unlink()
    for device in ("auto", "cpu"):
        with pytest.raises(ProviderError, match="its operators are not installed") as caught:
            TokenClassifier.load(native, device)
        assert "[ops]" in str(caught.value.hint)


def test_a_variant_behind_the_one_that_runs_is_not_warned_of(
    native: Path, without: None, caplog: pytest.LogCaptureFixture
) -> None:
    record = json.loads((native / "manifest.json").read_text(encoding="utf-8"))
    record["variants"].reverse()
    (native / "manifest.json").write_text(json.dumps(record), encoding="utf-8")
    with caplog.at_level(logging.WARNING), TokenClassifier.load(native, "cpu") as classifier:
        assert "int8-native passed over" in str(classifier.explain())
    assert not caplog.records


def test_a_library_that_is_none_is_reported(native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package whose library is damaged."""
    folder = tmp_path / "edgener_ops"
    folder.mkdir()
    (folder / "libedgener_ops.so").write_bytes(b"not a library")
    package: Any = ModuleType("edgener_ops")
    package.__file__, package.OPSET_VERSION = str(folder / "__init__.py"), 1
    package.library_path, package.instruction_sets = lambda: folder / "libedgener_ops.so", lambda: ("avx2",)
    monkeypatch.setitem(sys.modules, "edgener_ops", package)
    with pytest.raises(ProviderError, match="libedgener_ops") as caught:
        TokenClassifier.load(native, "cpu", "int8-native")
    assert "--force-reinstall edgener-ops" in str(caught.value.hint) and caught.value.exit_code == 6


def test_a_graph_for_padded_batches_is_refused_where_the_manifest_names_operators(edit: Callable[..., Path]) -> None:
    bundle = edit("variants", 0, "needs", operators=1)
    with pytest.raises(BundleError, match=r"has the inputs input_ids, attention_mask.*position_ids.*offsets"):
        TokenClassifier.load(bundle, "cpu", "int8-dynamic")
