"""What a bundle says of the libraries that made it."""

from __future__ import annotations

import importlib.metadata

import onnxruntime
import pytest

from edgener.bundle import provenance


def test_onnxruntime_is_recorded_also_where_another_distribution_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As onnxruntime-gpu does: `edgener export` broke off beside it."""

    def version(name: str) -> str:
        if name == "onnxruntime":
            raise importlib.metadata.PackageNotFoundError(name)
        return importlib.metadata.version(name)

    monkeypatch.setattr(provenance, "version", version)
    assert provenance.library_versions()["onnxruntime"] == onnxruntime.__version__
