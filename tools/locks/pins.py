"""The pins of a lock file: a requirement and its hashes each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})\b")


@dataclass(frozen=True)
class Pin:
    """A package in one version, with the markers of where it applies, and the SHA-256 of each file that is taken."""

    requirement: Requirement
    hashes: frozenset[str]

    @property
    def name(self) -> str:
        """The name as indexes spell it."""
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        """Its version. Raises ValueError where it is not pinned to one."""
        [clause] = self.requirement.specifier
        if clause.operator != "==" or clause.version.endswith(".*"):
            raise ValueError(f"{self.requirement} is not pinned to one version")
        return clause.version


def read_pins(file: Path) -> list[Pin]:
    """The pins of a file, in its order."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    entries = [entry for entry in "\n".join(lines).replace("\\\n", " ").splitlines() if entry.strip()]
    return [Pin(Requirement(entry.partition(" --hash=")[0]), frozenset(_HASH.findall(entry))) for entry in entries]
