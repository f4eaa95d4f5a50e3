"""The wheels of the runtime and of all that it requires, for another machine and another Python than this one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PathDistribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from edgener_runtime.errors import EdgenerError, UserInputError

NAME = "edgener-runtime"
MACHINES = {"linux-x86_64": "x86_64", "linux-aarch64": "aarch64"}
GLIBC = (2, 28)  # what onnxruntime's wheels need
_OLDEST_TAG = 17  # manylinux_2_17 is manylinux2014, the oldest that wheels still have
_NOT_FOUND = re.compile(r"No matching distribution found for (\S+)|Cannot install (\S+)")  # the second if it is pinned


@dataclass(frozen=True)
class Target:
    """What the packages have to run on: `linux-aarch64`, `3.11`."""

    platform: str
    python: str

    @property
    def pip_options(self) -> list[str]:
        """Options for wheels of this target only."""
        tags = [f"manylinux_2_{minor}" for minor in range(GLIBC[1], _OLDEST_TAG - 1, -1)] + ["manylinux2014"]
        platforms = [word for tag in tags for word in ("--platform", f"{tag}_{MACHINES[self.platform]}")]
        return ["--only-binary=:all:", "--implementation", "cp", "--python-version", self.python, *platforms]

    @property
    def markers(self) -> dict[str, str]:
        """The values of environment markers there; pip itself takes those of the Python that runs it."""
        version = {"python_version": self.python, "python_full_version": f"{self.python}.0"}
        python = {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
        system = {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"}
        machine = {"platform_machine": MACHINES[self.platform], "platform_release": "", "platform_version": ""}
        return {**version, **python, **system, **machine, "implementation_version": f"{self.python}.0"}

    def applies(self, requirement: Requirement, extras: Iterable[str] = ()) -> bool:
        """Whether it is required on this target, with these extras of the package that requires it."""
        marker = requirement.marker
        return marker is None or any(marker.evaluate({**self.markers, "extra": extra}) for extra in (*extras, ""))


def collect_wheels(project: Path, extras: Sequence[str], target: Target, constraints: Path, work: Path) -> list[Path]:
    """The runtime's wheel and those of all it requires on the target, downloaded into a folder below `work`.

    Raises UserInputError with the name of a package that has no wheel for the target.
    """
    runtime = _build(project, work / "built")
    pins = work / "constraints.txt"
    pins.write_text("".join(f"{pin}\n" for pin in _pins(constraints, target)), encoding="utf-8")
    wanted = [_without_marker(each) for each in _requirements(runtime, extras, target)]
    while True:  # each turn adds a package that pip left out, whose markers it read for this machine's Python
        folder = work / f"wheels-{len(wanted)}"
        run_pip("download", target, "--dest", folder, "--constraint", pins, *wanted)
        shutil.copy(runtime, folder)
        needed, missing = _required(folder, extras, target)
        if not missing:
            return needed
        wanted += missing


def run_pip(command: str, target: Target, *arguments: object) -> None:
    """A command of pip about wheels for the target; an error names the package that has none."""
    options = ["--quiet", "--disable-pip-version-check", *target.pip_options, *map(str, arguments)]
    done = subprocess.run([sys.executable, "-m", "pip", command, *options], capture_output=True, text=True, check=False)
    if not done.returncode:
        return
    if found := _NOT_FOUND.search(done.stderr):
        needed = f"{target.platform} with Python {target.python} and glibc {GLIBC[0]}.{GLIBC[1]}"
        hint = "Try another PYTHON_VERSION, or other versions with CONSTRAINTS=FILE. pip says:\n"
        raise UserInputError(f"there is no wheel of {found[1] or found[2]} for {needed}", hint + _errors(done.stderr))
    raise EdgenerError(f"pip {command} failed:\n{_errors(done.stderr)}")


def name_and_version(wheel: Path) -> tuple[str, str]:
    """Those in a wheel's file name, the name in its normal form."""
    name, version, *_ = parse_wheel_filename(wheel.name)
    return name, str(version)


def _build(project: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, project]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EdgenerError(f"the wheel of {project} cannot be built:\n{done.stdout}{done.stderr}")
    [wheel] = folder.glob("*.whl")
    return wheel


def _required(folder: Path, extras: Sequence[str], target: Target) -> tuple[list[Path], list[str]]:
    """The wheels in a folder that the runtime needs on the target, and the requirements that none of them meets."""
    wheels = {name_and_version(path)[0]: path for path in sorted(folder.glob("*.whl"))}
    waiting, seen, missing = [(NAME, tuple(extras))], set(), set()
    while waiting:
        if (package := waiting.pop()) in seen:
            continue
        seen.add(package)
        for requirement in _requirements(wheels[package[0]], package[1], target):
            if (name := canonicalize_name(requirement.name)) in wheels:
                waiting.append((name, tuple(sorted(requirement.extras))))
            else:
                missing.add(_without_marker(requirement))
    return [wheels[name] for name in sorted({name for name, _ in seen})], sorted(missing)


def _requirements(wheel: Path, extras: Iterable[str], target: Target) -> list[Requirement]:
    with zipfile.ZipFile(wheel) as archive:
        [metadata] = (path for path in zipfile.Path(archive).iterdir() if path.name.endswith(".dist-info"))
        lines = PathDistribution(metadata).requires or ()
    return [each for each in map(Requirement, lines) if target.applies(each, extras)]


def _pins(constraints: Path, target: Target) -> Iterator[str]:
    lines = (line.partition("#")[0].strip() for line in constraints.read_text(encoding="utf-8").splitlines())
    yield from (_without_marker(pin) for pin in map(Requirement, filter(None, lines)) if target.applies(pin))


def _without_marker(requirement: Requirement) -> str:
    return str(requirement).partition(";")[0].strip()


def _errors(output: str) -> str:
    return "\n".join(line for line in output.splitlines() if line.startswith("ERROR: ")) or output
