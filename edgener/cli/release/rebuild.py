"""`edgener rebuild`: a bundle exported again from what its provenance records, and compared."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from edgener_runtime.base.printable import escaped
from edgener_runtime.errors import BundleError

if TYPE_CHECKING:
    from edgener.bundle.rebuild import RecordedExport


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Compare the new export with BUNDLE.")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="The checkpoint [default: the folder of its name beside BUNDLE].",
)
@click.option("--data", metavar="SOURCE", help="The evaluation data [default: the source that BUNDLE names].")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Keep the new export [default: it is removed]."
)
def rebuild(bundle: Path, check: bool, checkpoint: Path | None, data: str | None, out: Path | None) -> None:
    """Export BUNDLE again as it was exported, and compare the two.

    The options and the SOURCE_DATE_EPOCH are those that BUNDLE records.

    --check compares every file but measured.json and those with speeds in them, and prints what differs. The score
    settings that edgener thresholds added are no part of an export; a note says so. Exit 0: all are the same. Exit 2:
    the checkpoint is another one. Exit 5: a file differs, or BUNDLE itself is damaged.

    \b
    Examples:
      edgener rebuild out/bundle --check
      edgener rebuild out/bundle --check --checkpoint kept/checkpoint --data kept/test.jsonl --out out/again
    """
    if not check and out is None:
        raise click.UsageError("give --check, --out, or both")
    from edgener.bundle.rebuild import compared_files, differences, recorded_export, require_checkpoint
    from edgener_runtime.bundle.verify import verify_files

    manifest = verify_files(bundle)
    recorded = recorded_export(bundle, manifest)
    checkpoint = checkpoint or bundle.absolute().parent / manifest.name
    require_checkpoint(checkpoint, manifest)
    with TemporaryDirectory(prefix="edgener-rebuild-") as temporary:
        again = out or Path(temporary) / "bundle"
        _export(checkpoint, data or recorded.data, again, recorded, out is None)
        different = list(differences(bundle, again)) if check else []
    if manifest.scores:
        click.echo(
            f"note: {bundle} has score settings, which edgener thresholds added; they are not compared", err=True
        )
    for each in different:
        click.echo(escaped(str(each)))
    if different:
        raise BundleError(
            f"{bundle} is not what its inputs give: {len(different)} of {len(compared_files(bundle))} files differ",
            "Compare the versions and hashes of the two manifests; --out keeps the new export.",
        )
    if check:
        click.echo(f"{bundle}: {len(compared_files(bundle))} files, all the same when exported again")
    if out:
        click.echo(f"bundle: {out}")


def _export(checkpoint: Path, data: str, out: Path, recorded: RecordedExport, is_temporary: bool) -> None:
    """Run `edgener export` as it was run, with its tables on stderr."""
    from .export import export

    # the last option of a name counts: none that a bundle records names another place
    words = [str(checkpoint), *recorded.arguments, "--data", data, "--out", str(out)]
    shown = _WithoutFolder(out) if is_temporary else sys.stderr
    with redirect_stdout(shown), _source_date_epoch(recorded.epoch):
        export.main(words, "edgener export", standalone_mode=False)


class _WithoutFolder(io.TextIOBase):
    """Writes lines to stderr, but for those that name a folder which is gone when they are read."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._line = ""

    @property
    def encoding(self) -> str:  # type: ignore[override] # nothing sets it
        """The encoding of stderr, which decides how a table is drawn."""
        return sys.stderr.encoding

    def write(self, text: str) -> int:
        """Keep what is not a whole line yet."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            if self._folder not in line:
                sys.stderr.write(f"{line}\n")
        return len(text)


@contextmanager
def _source_date_epoch(seconds: int | None) -> Iterator[None]:
    """SOURCE_DATE_EPOCH as it was when the bundle was exported: this number, or not set."""
    from edgener.bundle.evidence import EPOCH

    before = os.environ.pop(EPOCH, None)
    try:
        if seconds is not None:
            os.environ[EPOCH] = str(seconds)
        yield
    finally:
        os.environ.pop(EPOCH, None)
        if before is not None:
            os.environ[EPOCH] = before
