"""`edgener-runtime pull`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgener_runtime.base.printable import escaped
from edgener_runtime.cli.console import write_line
from edgener_runtime.cli.options import FiniteRange, require_signature_option
from edgener_runtime.errors import UserInputError

if TYPE_CHECKING:
    from edgener_runtime.updates.destination import Destination
    from edgener_runtime.updates.pull import PullResult

_MACHINE_ID = Path("/etc/machine-id")


@click.command()
@click.argument("source")
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    envvar="EDGENER_STORE",
    show_envvar=True,
    metavar="DIR",
    help="Store that tests and activates the bundle.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Bundle folder to exchange, in place of a store."
)
@click.option("--variant", required=True, help="Variant that this device runs; no other is fetched.")
@click.option("--channel", default="stable", show_default=True, help="Channel of releases.")
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Trusted root, a copy of the publisher's metadata/1.root.json; needed the first time.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of what was trusted and fetched [default: STORE/updates or OUT.updates].",
)
@click.option("--device-id", metavar="TEXT", help="Name of this device in a staged roll-out [default: its machine-id].")
@click.option("--bandwidth", type=FiniteRange(min=0.001), metavar="KB", help="Most kilobytes per second to use.")
@require_signature_option
@click.option("--dry-run", is_flag=True, help="Say what would be fetched, and fetch only signed metadata.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def pull(
    source: str,
    store: Path | None,
    out: Path | None,
    variant: str,
    channel: str,
    root: Path | None,
    state: Path | None,
    device_id: str | None,
    bandwidth: float | None,
    require_signature: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Update this device from a repository that edgener publish made.

    SOURCE is a URL (https://), a folder, or a tar archive of a repository. Only files that are missing are fetched,
    and a transfer that was cut is continued. Everything is verified against the trusted root before it is used, and
    the store activates the bundle once it has passed its selftest. The name of the device is never sent.

    Exit 5: something is not signed as it must be, is older than what this device has seen, or has expired.
    Exit 6: the source cannot be reached. In both cases the bundle stays as it was.

    \b
    Example:
      edgener-runtime pull https://updates.example/ner --store out/store --variant int8-dynamic --root root.json
    """
    from edgener_runtime.updates import pull as updates
    from edgener_runtime.updates.destination import STATE
    from edgener_runtime.updates.transports.base import TransferBounds

    place = out or store
    if place is None or (out and store):
        raise click.UsageError("give --store or --out, and not both")
    bounds = TransferBounds(bandwidth=bandwidth * 1000 if bandwidth else None)
    request = updates.PullRequest(source, variant, channel, device_id or _machine_id(), bounds, dry_run)
    kept = state or (out.with_name(f"{out.name}.{STATE}") if out else place / STATE)
    result = updates.pull(request, _destination(store, out, variant, require_signature), kept, root)
    write_line(json.dumps(asdict(result)) if as_json else escaped(_summary(result, place)))


def _destination(store: Path | None, out: Path | None, variant: str, keys: Path | None) -> Destination:
    from edgener_runtime.bundle.manifest import Manifest
    from edgener_runtime.bundle.store.store import BundleChecks, Store
    from edgener_runtime.bundle.verify import verify_bundle
    from edgener_runtime.commissioning.selftest.run import require_selftest
    from edgener_runtime.updates.destination import FolderDestination, StoreDestination

    def verify(bundle: Path) -> Manifest:
        return verify_bundle(bundle, keys)

    if out is not None:
        return FolderDestination(out, verify)
    checks = BundleChecks(verify, lambda bundle: require_selftest(bundle, "auto", variant))
    return StoreDestination(Store(str(store), checks), variant)


def _summary(result: PullResult, place: Path) -> str:
    transfer = f"{result.received:,} bytes in {result.requests} requests"
    if result.state == "waiting":
        return f"{result.channel}: no release is meant for this device yet ({transfer})"
    release = f"{result.channel}: release {result.version} for {result.share:g} % of the devices"
    if result.state == "refused":
        return f"{release}\n{place}: unchanged, as this release is not tried again: {result.reason} ({transfer})"
    if result.state == "unchanged":
        return f"{release}\n{place}: up to date ({transfer})"
    files = f"{result.missing} of {result.files} files, {result.missing_bytes:,} of {result.size:,} bytes"
    if result.state == "planned":
        return f"{release}\nto fetch: {files}\n{place}: unchanged, as this was a dry run ({transfer})"
    return f"{release}\nfetched: {files}\n{place}: updated and verified ({transfer})"


def _machine_id() -> str:
    try:
        found = _MACHINE_ID.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        found = ""
    if not found:
        raise UserInputError(f"this device has no {_MACHINE_ID}", "Name it yourself: --device-id TEXT")
    return found
