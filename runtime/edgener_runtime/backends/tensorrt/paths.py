"""Paths of engines and their files: beside the bundle, whose own files are all listed in its manifest."""

from __future__ import annotations

import re
from pathlib import Path

from edgener_runtime.errors import BundleError

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def engines_folder(bundle: Path) -> Path:
    """`out/bundle.engines` for `out/bundle`."""
    folder = bundle.resolve()
    return folder.with_name(f"{folder.name}.engines")


def engine_file(bundle: Path, variant: str) -> Path:
    """`out/bundle.engines/fp16.engine`. Raises BundleError where the variant's name would lead out of the folder."""
    if not _PLAIN_NAME.fullmatch(variant):
        raise BundleError(f"a variant of {bundle} has a name that is not a file name: {variant!r}", "Copy it again.")
    return engines_folder(bundle) / f"{variant}.engine"


def sidecar_file(engine: Path) -> Path:
    """The file that describes an engine: `fp16.engine.json`."""
    return engine.with_name(f"{engine.name}.json")


def layers_file(engine: Path) -> Path:
    """The layers of an engine as TensorRT's inspector reports them: `fp16.engine.layers.json`."""
    return engine.with_name(f"{engine.name}.layers.json")


def timing_cache_file(folder: Path, version: str, gpu: str) -> Path:
    """The timing cache that later builds reuse; it is valid for one TensorRT and one GPU."""
    name = re.sub(r"[^a-z0-9.]+", "-", f"{gpu}-{version}".lower())
    return folder / f"timing-{name}.cache"
