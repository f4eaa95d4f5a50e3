"""The folder of an unfinished compression: each step is done once, also where the process is killed between two."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from edgener_runtime.base.files import make_folder, staged_folder, write_atomic
from edgener_runtime.base.partial import locked
from edgener_runtime.base.serde import load_json, to_json
from edgener_runtime.errors import UserInputError

Record = TypeVar("Record")
_IDENTITY = "compression-inputs.json"


class WorkFolder:
    """The finished steps of a compression, for the same command to continue.

    `identity` is what the steps depend on, by name. Raises UserInputError where the folder has those of another one.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder = folder
        file = folder / _IDENTITY
        if not file.is_file():
            if folder.exists() and any(folder.iterdir()):
                raise UserInputError(f"{folder} exists and is not an unfinished compression", "Remove or rename it.")
            make_folder(folder)
            write_atomic(file, json.dumps(identity, indent=2) + "\n")
        self._check(file, json.loads(json.dumps(identity)))

    def _check(self, file: Path, identity: Mapping[str, Any]) -> None:
        try:
            before = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            before = {}
        others = [name for name, value in identity.items() if before.get(name) != value]
        if others:
            raise UserInputError(
                f"the unfinished compression in {self.folder} has another {' and '.join(others)}",
                "Name another --out, or remove that folder to start anew.",
            )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out until the end. Raises UserInputError where one is at work in the folder."""
        with locked(self.folder) as is_mine:
            if is_mine is False:
                raise UserInputError(
                    f"another process compresses in {self.folder}", "Wait until it ends, or name another --out."
                )
            yield

    def record(self, name: str, kind: type[Record], make: Callable[[], Record]) -> Record:
        """The record of a step: that of an earlier process, or made now and stored."""
        file = self.folder / f"{name}.json"
        if file.is_file():
            return load_json(kind, file)
        made = make()
        write_atomic(file, to_json(made))
        return made

    def checkpoint(self, name: str, marker: str, write: Callable[[Path], None]) -> Path:
        """A folder of a step: that of an earlier process, or written now; `marker` is one of its files."""
        final = self.folder / name
        if not (final / marker).is_file():
            with staged_folder(final, marker) as staging:
                write(staging)
        return final

    def remove(self) -> None:
        """Remove the folder, after the result was written."""
        shutil.rmtree(self.folder, ignore_errors=True)
