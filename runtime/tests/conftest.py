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
from edgener_runtime.base.serde import to_dict
from edgener_runtime.bundle.golden_set import GoldenSet, GoldenVector
from edgener_runtime.bundle.manifest import Manifest, read_manifest
from edgener_runtime.bundle.verify import file_entry
from edgener_runtime.cli.main import main
from edgener_runtime.golden import golden_answer

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


GOLDEN_TEXTS = (
    "", "Please order 5 pcs 5892-44 for HX5885", "plc card rebuilt, new part Sick 1606-71",
    "11:12 B-9533 Feed pump 6/Impeller: High vibration", "泵",
)  # fmt: skip
GOLDEN_BAND, GOLDEN_LIMIT = 0.1, 0.2


@pytest.fixture(scope="session")
def golden_sets(bundle: Path) -> dict[str, dict[str, Any]]:
    """The golden vectors of each variant of the bundle, as its manifest would have them."""
    return {entry.name: _golden_set(bundle, entry.name) for entry in read_manifest(bundle).variants}


def _golden_set(bundle: Path, variant: str) -> dict[str, Any]:
    with TokenClassifier.load(bundle, "cpu", variant) as classifier:
        found = [(text, golden_answer(classifier, text)) for text in GOLDEN_TEXTS]
    vectors = tuple(
        GoldenVector(
            text, f"text {number}", own.subwords, own.entities if own.lead > 2 * GOLDEN_LIMIT else None,
            tuple(round(logit, 2) for logit in own.logits),
        )
        for number, (text, own) in enumerate(found)
    )  # fmt: skip
    return to_dict(GoldenSet(GOLDEN_BAND, GOLDEN_LIMIT, "evaluation", vectors))


@pytest.fixture
def golden_bundle(copy: Path, edit: Callable[..., Path], golden_sets: dict[str, dict[str, Any]]) -> Path:
    """The copy with golden vectors in the manifest of each variant."""
    for index, entry in enumerate(json.loads((copy / "manifest.json").read_text(encoding="utf-8"))["variants"]):
        edit("variants", index, golden=golden_sets[entry["name"]])
    return copy


DRIFTING = """
import os
from dataclasses import replace
from edgener_runtime.pipeline import TokenClassifier
true = TokenClassifier.logits
def logits(self, texts, padding=0):
    for scored in true(self, texts, padding):
        yield replace(scored, logits=scored.logits + os.path.exists({switch!r}))
TokenClassifier.logits = logits
"""


@pytest.fixture
def drift(tmp_path: Path) -> tuple[str, Path]:
    """Code for a process whose logits are all too large while a file exists, and that file."""
    switch = tmp_path / "drifts"
    return DRIFTING.format(switch=str(switch)), switch


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
