"""What the runtime's tests share: a small real bundle, what it is known to answer, and the command in this process.

tools/make_test_bundle.py of the repository made the bundle and golden.jsonl; nothing else of it is needed here.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from tokenizers import Tokenizer

from edgener_runtime import TokenClassifier
from edgener_runtime.bundle.manifest import Manifest, read_manifest
from edgener_runtime.bundle.verify import file_entry
from edgener_runtime.cli.main import main

HERE = Path(__file__).parent
MARKERS = (
    "gpu: needs an NVIDIA GPU and its driver", "tensorrt: needs an NVIDIA GPU and TensorRT", "jetson: needs a Jetson",
    "slow: takes long", "timing: measures time, or waits for it", "compat: to be repeated on each Python and processor",
    "trust: attacks and faults by the thousand; run by make test-trust",
)  # fmt: skip
settings.register_profile("edgener-runtime", deadline=None)  # a busy machine is not a failure
settings.load_profile("edgener-runtime")


def pytest_configure(config: pytest.Config) -> None:
    """The suite also runs where the repository's settings are not at hand."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The bundle as committed. Not to be changed."""
    return HERE / "bundle"


@pytest.fixture(scope="session")
def manifest(bundle: Path) -> Manifest:
    """Its manifest."""
    return read_manifest(bundle)


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    """A copy of the bundle to damage."""
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


@pytest.fixture
def owner(tmp_path: Path) -> Callable[[str], Any]:
    """`owner("release")` has a key, whose public part is in a file, and signs bundles."""
    pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec", reason="pip install edgener-runtime[trust]")
    from .owners import Owner

    return lambda name: Owner(tmp_path, name)


def list_again(bundle: Path) -> None:
    """Give every file that the manifests list its present size and hash, those of the variants first."""
    root = bundle / "manifest.json"
    for file in (*sorted((bundle / "variants").glob("*.json")), root):
        record = json.loads(file.read_text(encoding="utf-8"))
        variants = record.get("variants", [record])
        for entry in (*record["files"], *(variant.get("manifest", variant.get("file")) for variant in variants)):
            entry |= {key: value for key, value in asdict(file_entry(bundle, bundle / entry["path"])).items() if value}
        file.write_text(json.dumps(record), encoding="utf-8")


@pytest.fixture(scope="session")
def relist() -> Callable[[Path], None]:
    """`relist(bundle)` makes a bundle whole after its files were changed."""
    return list_again


@pytest.fixture
def edit(copy: Path) -> Callable[..., Path]:
    """`edit("tokenizer", stride=3)` changes fields of the copy's manifest, below the names given; returns the copy.

    `edit("variants", 1, "needs", ...)` changes the manifest of a variant, and its hash in the root.
    """

    def change(*below: str | int, **fields: Any) -> Path:
        root = copy / "manifest.json"
        file, names, entry = root, below, None
        record = json.loads(root.read_text(encoding="utf-8"))
        if below[:1] == ("variants",) and "manifest" in record["variants"][below[1]]:
            entry, names = record["variants"][below[1]]["manifest"], below[2:]
            file = copy / entry["path"]
        changed = inner = json.loads(file.read_text(encoding="utf-8"))
        for name in names:
            inner = inner[name]
        inner.update(fields)
        file.write_text(json.dumps(changed), encoding="utf-8")
        if entry is not None:
            entry |= {key: value for key, value in asdict(file_entry(copy, file)).items() if value}
            root.write_text(json.dumps(record), encoding="utf-8")
        return copy

    return change


@pytest.fixture(scope="session", params=["the manifest says how many", "the manifest does not say"])
def short_of_embeddings(request: pytest.FixtureRequest, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle with a subword more in its tokenizer, ZX-9, than the model has embeddings for. Not to be changed."""
    folder = Path(shutil.copytree(bundle, tmp_path_factory.mktemp("short") / "bundle"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    rows = tokenizer.get_vocab_size()
    tokenizer.add_tokens(["ZX-9"])
    tokenizer.save(str(folder / "tokenizer.json"))
    list_again(folder)
    record = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    record["tokenizer"]["embeddings"] = rows if request.param == "the manifest says how many" else None
    (folder / "manifest.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def golden() -> list[dict[str, Any]]:
    """Texts with their entities as [label, start, end, score] by aggregation, and who said so."""
    lines = (HERE / "golden.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


@pytest.fixture(scope="session")
def classifier(bundle: Path) -> Iterator[TokenClassifier]:
    """The FP32 variant on the CPU. Not to be changed."""
    with TokenClassifier.load(bundle, "cpu", "fp32") as loaded:
        yield loaded


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """`run("predict", bundle, stdin=b"...")` is the command in this process."""

    def call(*arguments: object, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        written = capsys.readouterr()
        return Done(int(ended.value.code or 0), written.out, written.err)

    return call
