"""Is this checkout ready for a release? Versions, changelog, documents and built files agree; exit code 1 if not.

    python tools/release_check.py [--tag v0.1.0] [--dist dist]

With --tag, the tag is the version and the changelog's section has a date. With --dist, the folder holds a wheel and a
source distribution of each distribution, complete and of this version. Needs nothing but Python 3.11.
"""

from __future__ import annotations

import argparse
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomllib

ROOT = Path(__file__).resolve().parents[1]
# The folder of each distribution, the module that a version stands in, and each package that a distribution carries.
FOLDERS = {"edgener": ".", "edgener-runtime": "runtime", "edgener-ops": "runtime/ops"}
MODULES = {"edgener": "edgener/__init__.py", "edgener-runtime": "runtime/edgener_runtime/version.py"}
PACKAGES = {
    "edgener": ("edgener", "edgener_exporters"),
    "edgener-runtime": ("edgener_runtime",),
    "edgener-ops": ("edgener_ops",),
}
MACHINES = ("x86_64", "aarch64")  # that there are wheels of the operators for; they have no source distribution
DOCUMENTS = ("README.md", "runtime/README.md", "docs/**/*.md", "CONTRIBUTING.md", "SECURITY.md")
INSTALL_PAGE = "docs/**/install.md"
# A requirement (edgener==0.1.0), or the name of a built file (edgener_runtime-0.1.0-py3-none-any.whl).
_MENTION = re.compile(r"\bedgener(?:[-_]runtime)?(?:\[[\w,]+\])?(?:==|-)(\d+\.\d+\.\d+\w*)")
_SECTION = re.compile(r"^## (?P<version>\S+)(?: \((?P<when>[^)]*)\))?$", re.MULTILINE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def project(root: Path, name: str) -> dict[str, Any]:
    """The `project` table of a distribution."""
    file = root / FOLDERS[name] / "pyproject.toml"
    table: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    return table


def check_versions(root: Path) -> Iterator[str]:
    """All distributions and their modules have one version, and edgener pins the runtime of that version."""
    version = project(root, "edgener")["version"]
    for name in FOLDERS:
        if (found := project(root, name)["version"]) != version:
            yield f"{name} has version {found}, edgener has {version}"
    for module in MODULES.values():
        if f'__version__ = "{version}"' not in (root / module).read_text(encoding="utf-8"):
            yield f'{module} does not say __version__ = "{version}"'
    pins = [line for line in project(root, "edgener")["dependencies"] if line.startswith("edgener-runtime")]
    if [line.partition("]==")[2] for line in pins] != [version]:
        yield f"edgener requires {pins}, expected edgener-runtime[...]=={version}"


def check_changelog(root: Path, release: bool) -> Iterator[str]:
    """The first section is about the version and says something; it has a date where this is a release."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    version = project(root, "edgener")["version"]
    sections = list(_SECTION.finditer(text))
    if not sections or sections[0]["version"] != version:
        yield f"CHANGELOG.md does not begin with a section for {version}: ## {version} (YYYY-MM-DD)"
        return
    end = sections[1].start() if len(sections) > 1 else len(text)
    if "\n- " not in text[sections[0].end() : end]:
        yield f"CHANGELOG.md has no entry for {version}"
    if release and not _DATE.fullmatch(sections[0]["when"] or ""):
        yield f"CHANGELOG.md: the section of {version} has no date, found {sections[0]['when']!r}"


def check_tag(root: Path, tag: str) -> Iterator[str]:
    """A tag is the version behind a v."""
    expected = f"v{project(root, 'edgener')['version']}"
    if tag != expected:
        yield f"the tag is {tag}, expected {expected}"


def check_documents(root: Path) -> Iterator[str]:
    """Every version of ours in the documents is this one, and the page on installation names it."""
    version = project(root, "edgener")["version"]
    for path in sorted(path for pattern in DOCUMENTS for path in root.glob(pattern)):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for found in _MENTION.findall(line):
                if found != version:
                    yield f"{path.relative_to(root)}:{number} names version {found}, this is {version}"
    pages = [path.read_text(encoding="utf-8") for path in root.glob(INSTALL_PAGE)]
    if not pages or not all(version in _MENTION.findall(page) for page in pages):
        yield f"{INSTALL_PAGE} does not name version {version}"


def check_dists(root: Path, dist: Path) -> Iterator[str]:
    """The folder holds the files of each distribution, and nothing else."""
    version = project(root, "edgener")["version"]
    expected = {file for name in PACKAGES for file in dist_files(name, version)}
    found = {path.name for path in dist.glob("*")}
    yield from (f"{name} is missing from {dist}" for name in sorted(expected - found))
    yield from (f"{name} is not expected in {dist}" for name in sorted(found - expected))
    for name in PACKAGES:
        for file in sorted(set(dist_files(name, version)) & found):
            names = names_in(dist / file)
            required = [*(f"{package}/py.typed" for package in PACKAGES[name]), "LICENSE"]
            yield from (
                f"{each} is missing from {file}" for each in required if not any(name.endswith(each) for name in names)
            )


def dist_files(name: str, version: str) -> tuple[str, ...]:
    """The names of a distribution's wheel and source distribution, or of its wheels for each machine."""
    stem = f"{name.replace('-', '_')}-{version}"
    if name == "edgener-ops":
        return tuple(f"{stem}-py3-none-manylinux_2_28_{machine}.whl" for machine in MACHINES)
    return f"{stem}-py3-none-any.whl", f"{stem}.tar.gz"


def names_in(archive: Path) -> list[str]:
    """The files in a wheel or a source distribution."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.namelist()
    with tarfile.open(archive) as source:
        return source.getnames()


def problems(root: Path, tag: str | None = None, dist: Path | None = None) -> list[str]:
    """Everything that stands in the way of a release."""
    found = [*check_versions(root), *check_changelog(root, tag is not None), *check_documents(root)]
    found += check_tag(root, tag) if tag else ()
    found += check_dists(root, dist) if dist else ()
    return found


def main(arguments: list[str] | None = None) -> int:
    """Print each problem on stderr, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tag", help="the tag that is released, such as v0.1.0")
    parser.add_argument("--dist", type=Path, help="the folder of built files")
    options = parser.parse_args(arguments)
    found = problems(ROOT, options.tag, options.dist)
    for problem in found:
        print(problem, file=sys.stderr)  # noqa: T201
    if not found:
        print("ready: versions, changelog, documents and built files agree")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
