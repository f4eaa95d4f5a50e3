"""`edgener-runtime install`, `list`, `activate`, `rollback` and `gc`: the bundles of this device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgener_runtime.base.printable import escaped
from edgener_runtime.base.serde import to_json
from edgener_runtime.cli.console import write_line
from edgener_runtime.cli.options import Command, require_signature_option, with_options
from edgener_runtime.machine.devices import DEVICES

if TYPE_CHECKING:
    from edgener_runtime.bundle.manifest import Manifest
    from edgener_runtime.bundle.store.journal import StoredBundle
    from edgener_runtime.bundle.store.store import Store

_STORE = click.option(
    "--store", "root", type=click.Path(path_type=Path), required=True, envvar="EDGENER_STORE", show_envvar=True,
    help="Folder of the store.",
)  # fmt: skip
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
_CHECKS = (
    require_signature_option,
    click.option("--device", type=click.Choice(DEVICES), default="auto", show_default=True, help="Where to test it."),
    click.option("--variant", default="auto", show_default=True, help="Variant of the bundle to test."),
    click.option(
        "--trial", type=click.IntRange(0), default=100, show_default=True,
        help="Answers of a service before the bundle counts as good; 0: its selftest is enough.",
    ),
)  # fmt: skip


def _checked(command: Command) -> Command:
    """The options of the checks; the command gets `store`, which runs them."""

    def with_store(
        *, root: Path, device: str, variant: str, trial: int, require_signature: Path | None, **parameters: Any
    ) -> Any:
        from edgener_runtime.bundle.store.store import BundleChecks, Store
        from edgener_runtime.bundle.verify import verify_bundle
        from edgener_runtime.commissioning.selftest.run import require_selftest

        def verify(bundle: Path) -> Manifest:
            return verify_bundle(bundle, require_signature)

        def selftest(bundle: Path) -> None:
            require_selftest(bundle, device, variant)

        return command(store=Store(root, BundleChecks(verify, selftest), trial), **parameters)

    with_store.__doc__, with_store.__name__ = command.__doc__, command.__name__
    return with_options(with_store, (_STORE, *_CHECKS, _JSON))


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--no-activate", is_flag=True, help="Only install it, and leave the active bundle.")
@click.option("--again", is_flag=True, help="Also install a version that has failed on this device before.")
@_checked
def install(store: Store, bundle: Path, no_activate: bool, again: bool, as_json: bool) -> None:
    """Copy BUNDLE into the store, test it, and activate it.

    Whatever interrupts this, the active bundle stays whole. Services load the new one at a SIGHUP. Exit 5: the bundle
    is damaged, or has failed here before; 3 and 6: it failed its selftest.

    \b
    Example:
      edgener-runtime install out/bundle --store out/store
    """
    _print(store.install(bundle, not no_activate, again), as_json)


@click.command("list")
@_STORE
@_JSON
def list_bundles(root: Path, as_json: bool) -> None:
    """List the bundles of the store, with why each was left.

    \b
    Example:
      edgener-runtime list --store out/store
    """
    from edgener_runtime.bundle.store.store import Store

    found = Store(root).listing()
    if as_json:
        write_line(escaped(to_json(found).rstrip("\n")))
        return
    if found.damage:
        click.echo(f"warning: {root}: {escaped(found.damage)}", err=True)
    marks: dict[str | None, str] = dict.fromkeys(found.removed, "files removed")
    marks[found.active] = "active"
    for entry in found.bundles:
        _print(entry, False, marks.get(entry.version, ""))


@click.command()
@click.argument("version")
@_checked
def activate(store: Store, version: str, as_json: bool) -> None:
    """Test the bundle of VERSION again, and make it the active one.

    The first digits of the version are enough.

    \b
    Example:
      edgener-runtime activate 4f0c --store out/store
    """
    _print(store.activate(version), as_json)


@click.command()
@_STORE
@click.option("--reason", default="by hand", show_default=True, help="Reason that the journal records.")
@_JSON
def rollback(root: Path, reason: str, as_json: bool) -> None:
    """Return to the last good bundle.

    The bundle that was active counts as failed: it returns only by `activate` or `install --again`.

    \b
    Example:
      edgener-runtime rollback --store out/store --reason "misses part numbers"
    """
    from edgener_runtime.bundle.store.store import Store

    _print(Store(root).rollback(reason), as_json)


@click.command()
@_STORE
@click.option("--keep", type=click.IntRange(1), default=3, show_default=True, help="Bundles to keep for a rollback.")
def gc(root: Path, keep: int) -> None:
    """Remove old bundles.

    The active one stays, and so do those that were never activated.

    \b
    Example:
      edgener-runtime gc --store out/store --keep 2
    """
    from edgener_runtime.bundle.store.store import Store

    for version in Store(root).gc(keep):
        write_line(f"{version}\tremoved")


def _print(entry: StoredBundle, as_json: bool, mark: str = "") -> None:
    if as_json:
        write_line(escaped(to_json(entry).rstrip("\n")))
        return
    fields = (entry.version, entry.name, entry.state, mark, entry.reason or "")
    write_line("\t".join(map(escaped, fields)).rstrip("\t"))
