"""make device-folder PLATFORM=linux-aarch64 BUNDLE=out/bundle: what was asked for, and what to type next."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import tomllib
from packaging.specifiers import SpecifierSet

from edgener_runtime.bundle.verify import verify_files
from edgener_runtime.errors import EdgenerError, UserInputError

from .folder import make_archive, make_folder
from .wheels import MACHINES, Target, collect_wheels

ROOT = Path(__file__).resolve().parents[2]
PROVIDERS = {"cpu", "cuda"}  # extras of which a device has one
_VERSION = re.compile(r"3\.\d+")


@click.command()
@click.option("--platform", required=True)
@click.option("--python-version", default="3.11")
@click.option("--extras", default="serve,mqtt")
@click.option("--bundle", default="", help="A bundle to put into the folder.")
@click.option("--constraints", default=ROOT / "constraints.txt", type=click.Path(path_type=Path))
@click.option("--out", default="out/device", type=click.Path(path_type=Path))
def main(platform: str, python_version: str, extras: str, bundle: str, constraints: Path, out: Path) -> None:
    """Make a folder that runs the runtime on a device without pip and without a network, and a .tar.gz of it."""
    try:
        project = tomllib.loads((ROOT / "runtime" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        target = Target(_platform(platform), _python(python_version, project["requires-python"]))
        chosen = _extras(extras, project)
        if bundle:
            verify_files(Path(bundle))
        with tempfile.TemporaryDirectory() as work:
            wheels = collect_wheels(ROOT / "runtime", chosen, target, _constraints(constraints), Path(work))
            folder = make_folder(out, target, wheels, chosen, Path(bundle) if bundle else None)
        archive = make_archive(folder)
    except EdgenerError as error:
        click.echo(f"error: {error.message}", err=True)
        if error.hint:
            click.echo(f"  {error.hint}", err=True)
        sys.exit(error.exit_code)
    click.echo(f"{folder}: {len(wheels)} packages; {archive.name}: {archive.stat().st_size / 1e6:.0f} MB")
    click.echo(f"It needs Python {target.python} on the device. Copy it there, and unpack it:")
    click.echo(f"  scp {archive} DEVICE:")
    click.echo(f"  ssh DEVICE 'tar -xzf {archive.name} && {folder.name}/edgener-runtime devices'")


def _platform(given: str) -> str:
    if given not in MACHINES:
        raise UserInputError(f"PLATFORM is {given!r}, expected one of: {', '.join(MACHINES)}")
    return given


def _python(given: str, supported: str) -> str:
    if not _VERSION.fullmatch(given) or given not in SpecifierSet(supported):
        raise UserInputError(f"PYTHON_VERSION is {given!r}, expected a version such as 3.11; supported: {supported}")
    return given


def _extras(given: str, project: dict[str, Any]) -> list[str]:
    """Those given, and cpu where no provider is among them."""
    named, known = set(filter(None, given.split(","))), project["optional-dependencies"]
    if unknown := sorted(named - set(known)):
        raise UserInputError(f"EXTRAS has {', '.join(unknown)}, expected of: {', '.join(known)}")
    return sorted(named if named & PROVIDERS else {*named, "cpu"})


def _constraints(given: Path) -> Path:
    if not given.is_file():
        raise UserInputError(f"CONSTRAINTS is {given}, which is not a file")
    return given


if __name__ == "__main__":
    main()
