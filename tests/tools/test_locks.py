"""The lock files agree with what the distributions require, have hashes, and name no index and no machine."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import tomllib
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tools.locks.audit import main
from tools.locks.pins import Pin, read_pins

ROOT = Path(__file__).resolve().parents[2]
DEVICE, RELEASE = ROOT / "locks" / "device.txt", ROOT / "locks" / "release.txt"
MACHINES = ("x86_64", "aarch64")
EXTRAS = ("cpu", "serve", "mqtt", "trust", "update", "oci")
PYTHONS = {DEVICE: ("3.10", "3.11", "3.12", "3.13", "3.14"), RELEASE: ("3.11", "3.12", "3.13")}
LEFT_OUT = {"edgener-runtime", "torch"}  # ours, and the one whose CPU build comes from another index


def environment(python: str, machine: str) -> dict[str, str]:
    return {
        "python_version": python, "python_full_version": f"{python}.1", "platform_machine": machine,
        "sys_platform": "linux", "os_name": "posix", "platform_system": "Linux", "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }  # fmt: skip


def required(file: Path) -> list[Requirement]:
    """What a lock file is made for."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    runtime = tomllib.loads((ROOT / "runtime" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = runtime["optional-dependencies"]
    if file == DEVICE:
        return [Requirement(line) for line in (*runtime["dependencies"], *(line for e in EXTRAS for line in extras[e]))]
    project, group = table["project"], table["dependency-groups"]["release"]
    ours = [line for extra in ("cpu", "trust", "update") for line in extras[extra]]
    pkcs11 = project["optional-dependencies"]["pkcs11"]
    return [Requirement(line) for line in (*project["dependencies"], *runtime["dependencies"], *ours, *pkcs11, *group)]


def faults(pins: list[Pin], wanted: list[Requirement], where: dict[str, str]) -> list[str]:
    """Requirements that no pin, two pins or a pin of another version answers there."""
    here: dict[str, list[str]] = {}
    for pin in pins:
        if pin.requirement.marker is None or pin.requirement.marker.evaluate(where):
            here.setdefault(pin.name, []).append(pin.version)
    found = [f"{name}: {versions}" for name, versions in here.items() if len(versions) > 1]
    for each in wanted:
        name = canonicalize_name(each.name)
        applies = each.marker is None or each.marker.evaluate({**where, "extra": ""})
        if applies and name not in LEFT_OUT and not any(map(each.specifier.contains, here.get(name, []))):
            found.append(f"{each}: {here.get(name, 'not pinned')}")
    return found


def constraints() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("file", [DEVICE, RELEASE], ids=lambda file: file.name)
@pytest.mark.parametrize("machine", MACHINES)
def test_all_that_is_required_is_pinned_on_each_python_and_machine(file: Path, machine: str) -> None:
    pins = read_pins(file)
    names = {pin.name for pin in pins}
    tested = [each for each in constraints() if canonicalize_name(each.name) in names]
    assert len(tested) > 5
    for python in PYTHONS[file]:
        assert faults(pins, required(file) + tested, environment(python, machine)) == [], python


@pytest.mark.parametrize("file", [DEVICE, RELEASE], ids=lambda file: file.name)
def test_each_pin_has_hashes_and_no_address(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    pins = read_pins(file)
    assert len(pins) > 40 and all(pin.version and pin.hashes for pin in pins)
    assert len({digest for pin in pins for digest in pin.hashes}) == text.count("--hash=")
    assert not re.search(r"://|--(?:extra-)?index|--find-links|(?:^| )/|@ ", text)
    compiled = {pin.name: pin for pin in pins if pin.name in ("numpy", "onnxruntime", "tokenizers", "cryptography")}
    assert compiled and all(len(pin.hashes) > 5 for pin in compiled.values()), "a wheel for each platform"


def test_nothing_of_cuda_is_locked_for_the_build_side() -> None:
    """torch requires more packages of CUDA? They belong into tools/locks/cuda.txt."""
    assert [pin.name for pin in read_pins(RELEASE) if re.match(r"nvidia|cuda|triton|torch", pin.name)] == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("click==8.5.1", "click==8.0.1", "click"),
        ("click==8.5.1", "klick==8.5.1", "click>=8.1: not pinned"),
        ("numpy==2.4.6 ; python_full_version >= '3.11'", "numpy==2.4.6", "numpy"),
    ],
)
def test_a_planted_disagreement_is_found(tmp_path: Path, old: str, new: str, fault: str) -> None:
    text = DEVICE.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "device.txt").write_text(text.replace(old, new), encoding="utf-8")
    found = faults(read_pins(tmp_path / "device.txt"), required(DEVICE), environment("3.10", "aarch64"))
    assert found and found[0].startswith(fault)


def test_a_range_is_not_a_pin(tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text("click==8.* \\\n    --hash=sha256:" + "0" * 64 + "\n", encoding="utf-8")
    [pin] = read_pins(tmp_path / "lock.txt")
    with pytest.raises(ValueError, match="is not pinned to one version"):
        pin.version  # noqa: B018


FAKE = """\
import json, sys
database = sys.argv[sys.argv.index("--vulnerability-service") + 1]
words = open(sys.argv[-1]).read().split()
if database in {silent}:
    sys.exit("requests.exceptions.ConnectionError: " + database)
bad = {bad}
entries = [dict(name=w.split("==")[0], version=w.split("==")[1],
                vulns=[dict(id="PYSEC-1", fix_versions=["9"])] if w in bad else []) for w in words]
print(json.dumps(dict(dependencies=entries, fixes=[])))
sys.exit(any(entry["vulns"] for entry in entries))
"""


@pytest.mark.parametrize(
    ("silent", "bad", "code", "said"),
    [
        ((), ["urllib3==1.26.4"], 0, "pins: no known vulnerability, by pypi"),
        (("pypi",), ["urllib3==1.26.4"], 0, "by osv"),
        ((), ["urllib3==1.26.4", "numpy==2.2.6"], 3, "numpy 2.2.6: PYSEC-1, fixed in 9"),
        (("pypi", "osv"), [], 4, "osv: requests.exceptions.ConnectionError: osv\nSKIPPED"),
        ((), [], 4, "pypi: it knows of no vulnerability in urllib3==1.26.4, which has some"),
    ],
)
def test_an_audit_has_an_answer_a_finding_or_a_reason(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], silent: tuple[str, ...], bad: list[str], code: int, said: str
) -> None:
    """With a double of pip-audit: no database of vulnerabilities is in reach of every machine."""
    program = tmp_path / "pip-audit"
    program.write_text(f"#!{sys.executable}\n" + FAKE.format(silent=silent, bad=bad), encoding="utf-8")
    program.chmod(0o755)
    assert main(str(program), str(DEVICE)) == code
    out, err = capfd.readouterr()
    assert said in out + err
