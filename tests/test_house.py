"""The rules of the architecture: who may import whom, how large things are, how fast help answers."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from edgener.data.readers.table import READERS

from .architecture import (
    PACKAGES,
    ROOT,
    class_names,
    crowded,
    folder_cycles,
    function_lengths,
    imported_by,
    imports,
    module_cycle,
    modules,
)

MODULES = modules()
SOURCES = {name: file.read_text(encoding="utf-8") for name, file in MODULES.items()}
GRAPH = imports()

MAY_IMPORT = {
    "edgener": {"edgener", "edgener_exporters", "edgener_runtime"},
    "edgener_exporters": {"edgener_exporters", "edgener_runtime"},
    "edgener_runtime": {"edgener_runtime"},
}
BESIDE = ("commissioning", "services", "bulk")  # none imports another, and the core imports none
# The runtime's packages from the lowest: each may import the tiers before its own, and its own without a cycle.
TIERS = (
    ("errors", "version"),
    ("base",),
    ("bundle", "machine", "text", "decoding"),
    ("backends",),
    ("inference",),
    ("monitoring",),
    ("explain", "pipeline", "aio"),
    ("golden",),
    ("",),  # the public face: edgener_runtime/__init__.py
    ("cli",),
    ("updates",),
    BESIDE,
    ("__main__",),
)
# What the build side takes of the runtime, beside its public face `edgener_runtime` itself.
SHARED = {
    "base": "files and records are written and read alike on both sides",
    "bundle": "the bundle's format",
    "errors": "one tree of errors",
    "golden": "golden vectors are made as they are checked",
    "pipeline": "parity is measured through the code that ships",
    "text": "tokens, windows and case classes are those of the device",
    "decoding": "so are entities",
    "inference.batches": "calibration runs the batches that the device runs",
    "inference.ragged": "positions count from where the device counts them",
    "inference.words": "PyTorch labels words as the runtime does",
    "backends.base": "a session's tuning",
    "backends.onnxruntime.library": "onnxruntime is imported there alone",
    "backends.tensorrt.profiles": "engines that are built ahead",
    "backends.tensorrt.sidecar": "engines that are built ahead",
    "services.secret_file": "a private key is a file as secret as a token",
    "monitoring.counts": "a bundle's reference is counted as the device counts its texts",
    "machine.cpu": "figures name the instruction set",
    "machine.devices": "the table of devices",
    "machine.operators": "a variant is judged only where its operators are installed",
    "machine.probe": "edgener doctor",
    "cli.commands": "both commands load theirs when they are called",
    "cli.console": "both commands look and end alike",
    "cli.options": "both commands name options alike",
    "cli.results": "results of long work are kept alike",
    "updates.release": "a repository is written and read alike",
    "commissioning.bench": "edgener bench, compare and report",
    "commissioning.selftest": "edgener report",
    "commissioning.engines": "edgener build-engine",
    "commissioning.cli": "edgener bench and build-engine take the runtime's options",
}
MOST_MODULES = 15
SHORT = 40
# Files of fewer lines, each with the reason why it is a file.
MAY_BE_SHORT = {
    "edgener.bench.texts": "the one step from labelled data to a benchmark's texts",
    "edgener.cli.doctor": "one command a file",
    "edgener.cli.release.calibration": "the options that export and search share",
    "edgener.compress.chart": "the one chart of a compression",
    "edgener.compress.recovery": "the settings of a candidate's training, apart from the flow",
    "edgener.data.align": "the one alignment of words and subwords, for training and parity",
    "edgener.data.readers.spacy": "one reader a file",
    "edgener.bundle.sign": "the one step that writes signatures",
    "edgener.cli.trust.password": "the one way in which commands get a password",
    "edgener.progress": "shared by the pipeline, the search and the commands",
    "edgener_exporters.distance": "the one distance of logits, rounded in one place",
    "edgener_exporters.libraries": "errors and logs of other libraries are mapped in one place",
    "edgener_exporters.quantise.int8_dynamic": "one variant a file",
    "edgener_exporters.tensorrt": "the one step from the lint to the runtime's engine build",
    "edgener_runtime.backends.onnxruntime.io_binding": "shared by the session and the CUDA graphs",
    "edgener_runtime.backends.onnxruntime.library": "the only import of onnxruntime",
    "edgener_runtime.backends.tensorrt.paths": "read at every start, without TensorRT's modules",
    "edgener_runtime.base.printable": "the one list of characters that are not shown as they are",
    "edgener_runtime.bulk.formats.table": "the table of formats",
    "edgener_runtime.cli.slim": "one command a file",
    "edgener_runtime.cli.verify": "one command a file",
    "edgener_runtime.commissioning.bench.drivers.scenarios": "the table of scenarios",
    "edgener_runtime.commissioning.bench.f1": "the score of answers, apart from how they are timed",
    "edgener_runtime.commissioning.bench.results.samples": "the encoding of samples in results",
    "edgener_runtime.commissioning.engines.cross_build": "uses what TensorRT for RTX alone has",
    "edgener_runtime.commissioning.engines.job": "the message between the build and its worker process",
    "edgener_runtime.commissioning.engines.layers": "the list of an engine's layers, for the sidecar",
    "edgener_runtime.commissioning.selftest.power": "one check a file",
    "edgener_runtime.decoding.offsets": "a pure conversion with tests of its own",
    "edgener_runtime.machine.probe.reading": "used by most modules of the probe",
    "edgener_runtime.services.http.limits": "read by the command without the server's libraries",
    "edgener_runtime.services.secret_file": "shared by the server and the bridge",
    "edgener_runtime.services.systemd": "shared by the server and the bridge",
    "edgener_runtime.text.cut": "shared with the build side",
    "edgener_runtime.text.windows": "a pure algorithm with property tests",
    "edgener_runtime.version": "the one place of the version, below everything that compares with it",
}
HEAVY = {"torch", "transformers", "onnx", "onnxruntime", "numpy", "rich", "matplotlib", "seqeval", "peft", "optimum"}
FOREIGN_TO_THE_DEVICE = {"torch", "transformers", "onnx", "optimum", "huggingface_hub", "accelerate", "peft"}


def roots(module: str, source: str) -> set[str]:
    """The top-level packages that a module imports, ours and others'."""
    every = {*PACKAGES, *FOREIGN_TO_THE_DEVICE, "onnxruntime"}
    found = imported_by(module, source, every)
    found |= {name.split(".")[0] for name in imported_by(module, source, MODULES)}
    return found - {module.split(".")[0]}


def violations(module: str, source: str) -> set[str]:
    """What a source file imports and may not."""
    package = module.split(".")[0]
    forbidden = set(PACKAGES) - MAY_IMPORT[package]
    return roots(module, source) & (forbidden | (FOREIGN_TO_THE_DEVICE if package == "edgener_runtime" else set()))


def tier(module: str) -> int:
    """The place of a module of the runtime among TIERS."""
    first = module.split(".")[1] if "." in module else ""
    return next(index for index, names in enumerate(TIERS) if first in names)


def climbs(module: str, targets: set[str]) -> set[str]:
    """Imports that reach up, or over from one package of BESIDE to another."""
    ours = {name for name in targets if name.split(".")[0] == "edgener_runtime"}
    own = module.split(".")[1] if "." in module else ""
    over = {name for name in ours if own in BESIDE and set(name.split(".")[1:2]) & (set(BESIDE) - {own})}
    return {name for name in ours if tier(name) > tier(module)} | over


def not_shared(module: str, targets: set[str]) -> set[str]:
    """Modules of the runtime that the build side takes and that are not among SHARED."""
    if module.split(".")[0] == "edgener_runtime":
        return set()
    inner = {name.removeprefix("edgener_runtime.") for name in targets if name.startswith("edgener_runtime.")}
    return {name for name in inner if not any(name == each or name.startswith(f"{each}.") for each in SHARED)}


def too_short(sources: dict[str, str]) -> set[str]:
    """Files of fewer lines than SHORT, packages' `__init__` aside."""
    return {
        name
        for name, source in sources.items()
        if MODULES[name].name not in ("__init__.py", "__main__.py") and len(source.splitlines()) < SHORT
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_points_back(package: str) -> None:
    ours = [name for name in MODULES if name.split(".")[0] == package]
    assert {name: found for name in ours if (found := violations(name, SOURCES[name]))} == {}


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("edgener_runtime.base.files", "import edgener.data"),
        ("edgener_runtime.base.files", "from transformers import AutoModel"),
        ("edgener_runtime.base.files", "def f():\n    import torch"),
        ("edgener_exporters.variants", "from edgener import checkpoint"),
    ],
)
def test_a_forbidden_import_is_found(module: str, line: str) -> None:
    assert violations(module, line)


def test_no_module_imports_itself_through_others() -> None:
    assert module_cycle(GRAPH) == []
    assert folder_cycles(GRAPH) == []


def test_a_planted_cycle_is_found() -> None:
    back = {"edgener_runtime.errors": {"edgener_runtime.base.files"}}
    assert module_cycle(GRAPH | back)
    bench, selftest = "edgener_runtime.commissioning.bench.f1", "edgener_runtime.commissioning.selftest.page"
    planted = GRAPH | {bench: GRAPH[bench] | {selftest}}
    assert module_cycle(planted) == []
    assert folder_cycles(planted)


def test_the_runtime_is_built_in_tiers() -> None:
    ours = {name: targets for name, targets in GRAPH.items() if name.split(".")[0] == "edgener_runtime"}
    assert {name: found for name, targets in ours.items() if (found := climbs(name, targets))} == {}


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("edgener_runtime.pipeline", "from edgener_runtime.services.http import app"),
        ("edgener_runtime.pipeline", "def f():\n    from edgener_runtime.commissioning.tune import tune"),
        ("edgener_runtime.cli.predict", "import edgener_runtime.services.mqtt.bridge"),
        ("edgener_runtime.base.files", "from edgener_runtime.bundle.manifest import Manifest"),
        ("edgener_runtime.services.http.app", "from edgener_runtime.commissioning.tune import tune"),
        ("edgener_runtime.pipeline", "from edgener_runtime.bulk.run import run_job"),
        ("edgener_runtime.bulk.run", "from edgener_runtime.services.stop_signals import StopSignals"),
    ],
)
def test_an_import_that_reaches_up_is_found(module: str, line: str) -> None:
    assert climbs(module, imported_by(module, line, MODULES))


def test_the_build_side_takes_what_is_shared() -> None:
    assert {name: found for name, targets in GRAPH.items() if (found := not_shared(name, targets))} == {}


def test_what_is_not_shared_is_found() -> None:
    assert not_shared("edgener.pipeline", {"edgener_runtime.services.http.app"}) == {"services.http.app"}


def test_nothing_is_shared_in_vain() -> None:
    taken = {
        target.removeprefix("edgener_runtime.")
        for name, targets in GRAPH.items()
        if name.split(".")[0] != "edgener_runtime"
        for target in targets
    }
    assert [each for each in SHARED if not any(f"{name}.".startswith(f"{each}.") for name in taken)] == []


def test_folders_are_small() -> None:
    assert crowded(MODULES, MOST_MODULES) == {}


def test_a_sixteenth_module_is_found() -> None:
    more = [f"edgener_runtime.base.more{number}" for number in range(MOST_MODULES)]
    assert crowded([*MODULES, *more], MOST_MODULES).keys() == {"edgener_runtime.base"}


def test_a_class_name_stands_for_one_class() -> None:
    assert {name: found for name, found in class_names(SOURCES).items() if len(found) > 1} == {}


def test_a_class_name_for_two_is_found() -> None:
    planted = SOURCES | {"edgener.planted": "class Entity: ..."}
    assert class_names(planted)["Entity"] == ["edgener_runtime.decoding.entity", "edgener.planted"]


def test_onnxruntime_is_imported_in_one_place() -> None:
    """Left to itself, it asks the network for where to send its events: everyone goes through load_onnxruntime."""
    library = "edgener_runtime.backends.onnxruntime.library"
    found = [name for name, source in SOURCES.items() if "onnxruntime" in roots(name, source)]
    beside = [name for name in found if name != library and "load_onnxruntime()" not in SOURCES[name]]
    assert library in found and beside == []


def test_functions_are_short() -> None:
    lengths = sorted(length for source in SOURCES.values() for length in function_lengths(source))
    assert statistics.median(lengths) < 10
    assert statistics.quantiles(lengths, n=10)[-1] < 30
    assert lengths[-1] <= 60


def test_a_long_function_is_measured() -> None:
    assert [*function_lengths("def f():\n" + "    x = 1\n" * 70)] == [71]


def test_files_are_short() -> None:
    assert [name for name, source in SOURCES.items() if len(source.splitlines()) > 350] == []


def test_files_that_are_very_short_have_a_reason() -> None:
    assert too_short(SOURCES) - MAY_BE_SHORT.keys() == set()
    assert MAY_BE_SHORT.keys() - too_short(SOURCES) == set()


@pytest.mark.parametrize("command", ["edgener.cli.main", "edgener_runtime.cli.main"])
def test_help_loads_nothing_heavy(command: str) -> None:
    code = f"import sys, {command}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stdout.split()) == set()


@pytest.mark.timing
@pytest.mark.parametrize("command", ["edgener", "edgener-runtime"])
def test_help_answers_within_300_ms(command: str) -> None:
    script = Path(sys.executable).with_name(command)
    assert min(seconds_of([str(script), "--help"]) for _ in range(5)) < 0.3


def seconds_of(command: list[str]) -> float:
    """CPU time: what the command itself takes, however busy the machine is."""
    # bytecode is cached as it is for an installed program, whatever the environment of the tests says
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def untested(readers: Iterable[str], folder: Path = ROOT / "tests" / "data" / "readers") -> set[str]:
    """The readers without a test module of their name that has a test."""
    modules = {name: folder / f"test_{name.replace('-', '_')}.py" for name in readers}
    return {name for name, file in modules.items() if not file.is_file() or "def test_" not in file.read_text()}


def test_every_reader_has_a_test_module() -> None:
    assert untested(READERS) == set()


def test_an_untested_reader_is_found(tmp_path: Path) -> None:
    (tmp_path / "test_conll.py").write_text("def test_it() -> None: ...\n")
    (tmp_path / "test_brat.py").write_text("# nothing yet\n")
    assert untested(["conll", "brat", "new-format"], tmp_path) == {"brat", "new-format"}
    assert untested([*READERS, "planted"]) == {"planted"}
