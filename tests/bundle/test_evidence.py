"""What a bundle says of itself: valid for others' validators, covered by the signature, the same again, and true."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage

from edgener.bundle.build import EVIDENCE, write_evidence
from edgener.bundle.evidence import EPOCH, build_time
from edgener.parity.compare import ParityReport
from edgener.parity.gate import Verdict
from edgener_runtime.base.files import sha256_of
from edgener_runtime.base.serde import from_data
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import UserInputError

BOM, STATEMENT, CARD = EVIDENCE
Validate = Callable[[str], Any]


@pytest.fixture(autouse=True)
def no_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(EPOCH, raising=False)


@pytest.fixture
def validate() -> Validate:
    """The faults that the library's own validator finds in a BOM."""
    pytest.importorskip("jsonschema")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6).validate_str


def read(bundle: Path, name: str) -> Any:
    return json.loads((bundle / name).read_text(encoding="utf-8"))


def test_the_manifest_lists_all_of_it(exported: Path) -> None:
    listed = {entry.path for entry in verify_bundle(exported).files}
    assert set(EVIDENCE) <= listed


def test_the_bom_is_valid(exported: Path, validate: Validate) -> None:
    text = (exported / BOM).read_text(encoding="utf-8")
    assert validate(text) is None
    broken = json.loads(text)
    broken["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["metrics"] = []
    assert validate(json.dumps(broken)) is not None, "the validator reads the card too"


def test_the_bom_has_the_files_the_data_and_the_libraries(exported: Path) -> None:
    bom = read(exported, BOM)
    assert bom["metadata"]["component"]["type"] == "machine-learning-model"
    found = {part["bom-ref"]: part for part in bom["components"]}
    for path in ("tokenizer.json", "variants/fp32.onnx", "variants/int8-dynamic.onnx"):
        assert found[f"file:{path}"]["hashes"] == [{"alg": "SHA-256", "content": sha256_of(exported / path)}]
    assert {"data:train", "data:valid", "data:test", "data:evaluation"} <= found.keys()
    versions = verify_bundle(exported).provenance["versions"]
    (runtime,) = (part for part in bom["components"] if part["name"] == "onnxruntime")
    assert (runtime["version"], runtime["purl"]) == (
        versions["onnxruntime"],
        f"pkg:pypi/onnxruntime@{versions['onnxruntime']}",
    )


def test_the_statement_is_valid_and_names_what_is_here(exported: Path) -> None:
    record = read(exported, STATEMENT)
    statement = Statement.copy_from_pb(ParseDict(record, StatementMessage()))
    statement.validate()
    ParseDict(record["predicate"], Provenance())
    for subject in record["subject"]:
        assert subject["digest"]["sha256"] == sha256_of(exported / subject["name"])
    definition = record["predicate"]["buildDefinition"]
    names = {each.get("name") for each in definition["resolvedDependencies"]}
    assert {"checkpoint/model.safetensors", "checkpoint/config.json", "torch"} <= names
    assert any(name.startswith("evaluation: builtin:factory") for name in names)


def test_the_card_has_what_was_measured(exported: Path) -> None:
    card = (exported / CARD).read_text(encoding="utf-8")
    parity = (exported / "parity.md").read_text(encoding="utf-8")
    manifest = verify_bundle(exported)
    for entry in manifest.variants:
        (line,) = (line for line in parity.splitlines() if line.startswith(f"| {entry.name} |"))
        assert line in card
        assert (
            f"| {entry.name} | {entry.precision} | {entry.file.size / 1e6:.1f} MB | {entry.file.sha256[:12]} |" in card
        )
    assert "fine-tuned from package:cognition/model" in card
    for label in ("EQUIPMENT", "FAULT"):
        assert f"| {label} |" in card


def report_of(record: dict[str, Any]) -> ParityReport:
    """A report from parity.json, without its judgements."""
    fields = {name: value for name, value in record.items() if name not in ("judgements", "verdict")}
    return replace(from_data(ParityReport, fields, "parity.json"), verdict=Verdict(record["verdict"]))


@pytest.fixture
def write_again(exported: Path, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """`write_again(name="x")` writes the evidence of the bundle again, with other fields in its manifest."""
    reports = [report_of(record) for record in read(exported, "parity.json")]

    def write(arguments: tuple[str, ...] = (), **fields: Any) -> dict[str, str]:
        (tmp_path / "tokenizer.json").write_bytes((exported / "tokenizer.json").read_bytes())
        write_evidence(replace(verify_bundle(exported), **fields), reports, arguments, tmp_path)
        return {name: (tmp_path / name).read_text(encoding="utf-8") for name in EVIDENCE}

    return write


def test_it_is_the_same_again(exported: Path, write_again: Callable[..., dict[str, str]]) -> None:
    assert write_again() == write_again()
    for name, text in write_again().items():
        assert text == (exported / name).read_text(encoding="utf-8"), name


def test_a_time_comes_from_source_date_epoch_alone(
    write_again: Callable[..., dict[str, str]], validate: Validate, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "timestamp" not in json.loads(write_again()[BOM])["metadata"]
    monkeypatch.setenv(EPOCH, "1700000000")
    found = write_again()
    assert json.loads(found[BOM])["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"
    assert json.loads(found[STATEMENT])["predicate"]["runDetails"]["metadata"]["finishedOn"] == "2023-11-14T22:13:20Z"
    assert "2023-11-14" in found[CARD]
    assert validate(found[BOM]) is None and write_again() == found
    for wrong in ("", "yesterday", "1e9", "9" * 30):
        monkeypatch.setenv(EPOCH, wrong)
        with pytest.raises(UserInputError, match=EPOCH):
            build_time()


def test_names_of_any_language_and_markup_stay_text(
    write_again: Callable[..., dict[str, str]], validate: Validate
) -> None:
    found = write_again(("--label-names", "人名,地名"), name="报警 <b>|x")
    assert validate(found[BOM]) is None
    assert json.loads(found[BOM])["metadata"]["component"]["name"] == "报警 <b>|x"
    assert "报警 &lt;b&gt;" in found[CARD].splitlines()[0]
    assert "人名,地名" in found[STATEMENT]


def test_a_checkpoint_without_a_record_says_so(write_again: Callable[..., dict[str, str]], exported: Path) -> None:
    provenance = {**verify_bundle(exported).provenance, "training": None}
    found = write_again(provenance=provenance)
    assert "has no record of its training" in found[CARD]
    assert "data:train" not in found[BOM]
