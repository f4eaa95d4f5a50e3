"""What an update costs in bytes and requests, measured on one device and multiplied for a fleet.

    python benchmarks/update_costs.py BUNDLE --variant int8-dynamic --out FILE.json
    python benchmarks/update_costs.py --table FILE.json --devices 1000000

Publishes BUNDLE with keys of its own, serves it on this machine, and pulls it as a device does: the first time; when
nothing is new; after a refresh; a version in which only that variant changed (a byte of its weights); and a version in
which only another variant did. Wants a bundle of which each variant has a manifest of its own.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click

from edgener.bundle.build import write_manifest
from edgener.bundle.keys import KeyFiles, write_keys
from edgener.publish.keys import ROLES, read_keyring
from edgener.publish.publish import publish, refresh
from edgener_runtime.base.files import write_atomic
from edgener_runtime.bundle.manifest import read_manifest
from edgener_runtime.bundle.slim import slim
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.updates.destination import FolderDestination
from edgener_runtime.updates.pull import PullRequest, pull

STAGES = (("1 %", 0.01), ("10 %", 0.1), ("50 %", 0.5), ("100 %", 1.0))
CHECKS = (("once a day", 1), ("once an hour", 24))
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


@dataclass(frozen=True)
class Cost:
    """Bytes and requests of one pull, and the size of the variant's graph."""

    received: int
    requests: int
    missing: int


@dataclass(frozen=True)
class Costs:
    """Each kind of pull, for a bundle and a variant."""

    bundle: str
    variant: str
    variant_bytes: int
    first: Cost
    unchanged: Cost
    refreshed: Cost
    this_variant_changed: Cost
    other_variant_changed: Cost


def main(bundle: Path, variant: str, folder: Path) -> Costs:
    """Measure in an empty folder."""
    keys, repository, work = folder / "keys", folder / "repository", folder / "bundle"
    for role in ROLES:
        write_keys(KeyFiles.named(keys / role), "")
    ring = read_keyring([keys], lambda name: "")
    shutil.copytree(bundle, work)
    manifest = read_manifest(work)
    other = next(entry.name for entry in manifest.variants if entry.name != variant)

    def release() -> None:
        publish(work, verify_bundle(work), slim, repository, "stable", ring, 100.0, 14, {})

    release()
    root = repository / "metadata" / "1.root.json"
    with served(repository) as url:
        request = PullRequest(url, variant, "stable", "device")

        def cost() -> Cost:
            done = pull(request, FolderDestination(folder / "device", verify_bundle), folder / "state", root)
            return Cost(done.received, done.requests, done.missing)

        first, unchanged = cost(), cost()
        refresh(repository, ring, 14)
        refreshed = cost()
        change(work, variant)
        release()
        this = cost()
        change(work, other)
        release()
        return Costs(
            manifest.name, variant, manifest.variant(variant).file.size, first, unchanged, refreshed, this, cost()
        )


def change(bundle: Path, variant: str) -> None:
    """Another version of one variant: one bit of its weights, and manifests that say so."""
    from dataclasses import replace

    from edgener_runtime.bundle.verify import file_entry

    manifest = read_manifest(bundle)
    entry = manifest.variant(variant)
    path = bundle / entry.file.path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    changed = replace(entry, file=file_entry(bundle, path))
    variants = tuple(changed if each.name == variant else each for each in manifest.variants)
    for each in variants:
        (bundle / "variants" / f"{each.name}.json").unlink()
    (bundle / "manifest.json").unlink()
    shown = {file.path for file in manifest.measured_files}
    if manifest.measured:
        (bundle / manifest.measured).unlink()
    write_manifest(replace(manifest, variants=variants), bundle, shown)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder on a web server of this machine."""

    class StaticFiles(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(StaticFiles, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def table(costs: Costs, devices: int) -> str:
    """The costs of a fleet in Markdown."""
    kinds = (
        ("first bundle", costs.first),
        (f"only {costs.variant} changed", costs.this_variant_changed),
        ("only another variant changed", costs.other_variant_changed),
        ("nothing new", costs.unchanged),
        ("nothing new, after a refresh", costs.refreshed),
    )
    lines = [
        f"{costs.variant} of {costs.bundle}, {costs.variant_bytes:,} bytes:", "",
        f"| a pull | bytes | requests | {devices:,} devices | their requests |", "| --- | --- | --- | --- | --- |",
        *(
            f"| {name} | {cost.received:,} | {cost.requests} | {size(cost.received * devices)} | "
            f"{cost.requests * devices:,} |"
            for name, cost in kinds
        ),
        "", f"| {devices:,} devices look | bytes a day | requests a second, if spread evenly |", "| --- | --- | --- |",
        *(
            f"| {name} | {size(costs.unchanged.received * devices * often)} | "
            f"{costs.unchanged.requests * devices * often / 86400:,.0f} |"
            for name, often in CHECKS
        ),
        "", f"| share of a release in which only {costs.variant} changed | devices | bytes |", "| --- | --- | --- |",
        *(
            f"| {name} | {round(devices * share):,} | {size(costs.this_variant_changed.received * devices * share)} |"
            for name, share in STAGES
        ),
    ]  # fmt: skip
    return "\n".join(lines)


def size(count: float) -> str:
    """Bytes in the largest unit of which there is one, with three digits."""
    unit = 0
    while count >= 1000 and unit < len(UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.3g} {UNITS[unit]}"


def read_costs(file: Path) -> Costs:
    """The costs of a committed result."""
    fields = json.loads(file.read_text(encoding="utf-8"))
    return Costs(**{name: Cost(**value) if isinstance(value, dict) else value for name, value in fields.items()})


@click.command()
@click.argument("bundle", required=False, type=click.Path(path_type=Path, exists=True))
@click.option("--variant", default="int8-dynamic", show_default=True)
@click.option("--out", type=click.Path(path_type=Path))
@click.option("--table", "measured", type=click.Path(path_type=Path, exists=True), help="Print the table of a result.")
@click.option("--devices", default=1_000_000, show_default=True)
def command(bundle: Path | None, variant: str, out: Path | None, measured: Path | None, devices: int) -> None:
    """Measure what updates of BUNDLE cost, or print what was measured."""
    if measured is not None:
        click.echo(table(read_costs(measured), devices))
        return
    if bundle is None or out is None:
        raise click.UsageError("give BUNDLE and --out, or --table")
    with tempfile.TemporaryDirectory() as folder:
        costs = main(bundle, variant, Path(folder))
    write_atomic(out, json.dumps(asdict(costs), indent=2) + "\n")
    click.echo(table(costs, devices))


if __name__ == "__main__":
    command()
