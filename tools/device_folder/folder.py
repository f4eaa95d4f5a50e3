"""The folder that a device gets, and its archive: the same packages and bundle give the same bytes."""

from __future__ import annotations

import gzip
import json
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

from edgener_runtime.base.files import staged_folder
from edgener_runtime.base.partial import partial

from .wheels import GLIBC, MACHINES, NAME, Target, name_and_version, run_pip

DESCRIPTION = "device.json"
INSTALLED = "/opt/edgener"  # where the units look for the folder
SERVICES = ("serve", "mqtt")  # extras that have a unit
_TEMPLATES = Path(__file__).parent
_RECIPES = _TEMPLATES.parents[1] / "recipes"


def make_folder(out: Path, target: Target, wheels: Sequence[Path], extras: Sequence[str], bundle: Path | None) -> Path:
    """A folder below `out` with the packages, the launcher, units, and the bundle; it replaces an earlier one."""
    packages = dict(map(name_and_version, wheels))
    final = out / f"{NAME}-{packages[NAME]}-{target.platform}-python{target.python}"
    with staged_folder(final, DESCRIPTION) as folder:
        _install(wheels, target, folder / "packages")
        if bundle:
            shutil.copytree(bundle, folder / "bundle")
        services = [name for name in SERVICES if name in extras]
        for name in services:
            _write(folder / "systemd" / f"edgener-{name}.service", _unit(name, bundle is not None))
        _write(folder / DESCRIPTION, _description(target, packages))
        _write(folder / "README.md", _readme(target, packages[NAME], services, bundle is not None))
        _write(folder / "start.py", (_TEMPLATES / "start.py").read_text(encoding="utf-8"))
        launcher = (_TEMPLATES / "launcher.sh").read_text(encoding="utf-8")
        _write(folder / NAME, launcher.replace("@PYTHON@", target.python))
        (folder / NAME).chmod(0o755)
    return final


def make_archive(folder: Path) -> Path:
    """FOLDER.tar.gz beside it, with nothing in it that depends on when, where or by whom it was made."""
    final = folder.with_name(f"{folder.name}.tar.gz")
    with partial(final, Path.touch) as temporary:
        with (
            temporary.open("wb") as file,
            gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
        ):
            for path in (folder, *sorted(folder.rglob("*"))):
                name = path.relative_to(folder.parent).as_posix()
                archive.add(path, name, recursive=False, filter=_anonymous)
        temporary.replace(final)
    return final


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry


def _install(wheels: Sequence[Path], target: Target, packages: Path) -> None:
    """Unpack them; by their names, as pip would note their paths on this machine."""
    pins = ["==".join(name_and_version(wheel)) for wheel in wheels]
    options = ["--no-index", "--no-deps", "--no-compile", "--find-links", wheels[0].parent, "--target", packages]
    run_pip("install", target, *options, *pins)
    shutil.rmtree(packages / "bin", ignore_errors=True)  # scripts that start this machine's Python


def _unit(service: str, has_bundle: bool) -> str:
    """The unit of recipes/, with the paths of the folder on a device."""
    text = (_RECIPES / f"edgener-{service}.service").read_text(encoding="utf-8")
    text = text[text.index("[Unit]") :].replace("/opt/edgener/bin/edgener-runtime", f"{INSTALLED}/edgener-runtime")
    if has_bundle:
        text = text.replace("/srv/edgener/bundle", f"{INSTALLED}/bundle")
    return f"# Linted, not installed where it was made. This folder in {INSTALLED}, see its README.md.\n{text}"


def _description(target: Target, packages: dict[str, str]) -> str:
    fields = {"schema_version": 1, "platform": target.platform, "python": target.python}
    described = {**fields, "glibc": ".".join(map(str, GLIBC)), "packages": dict(sorted(packages.items()))}
    return json.dumps(described, indent=2) + "\n"


def _readme(target: Target, version: str, services: Sequence[str], has_bundle: bool) -> str:
    text = (_TEMPLATES / "README.md").read_text(encoding="utf-8")
    if not services:
        text = text[: text.index("\n## ")]
    return text.format(
        version=version,
        python=target.python,
        machine=MACHINES[target.platform],
        glibc=".".join(map(str, GLIBC)),
        bundle="bundle" if has_bundle else "/srv/edgener/bundle",
        installed=INSTALLED,
        service=services[0] if services else "",
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
