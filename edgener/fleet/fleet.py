"""The bench on many devices at once: each has its own result, and one that fails takes no other with it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgener_runtime.base.files import write_atomic
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.commissioning.bench.results.record import parse_result
from edgener_runtime.commissioning.bench.spec import Spec
from edgener_runtime.errors import DeviceError, EdgenerError, UserInputError

from .hosts import Host
from .remote import FleetJob, bench_on
from .ssh import check_asyncssh
from .wheel import check_wheel, runtime_wheel

MEASURED, FAILED = "measured", "failed"

Tell = Callable[[str, str], None]
"""Takes a device's name and a line of what goes on there."""


@dataclass(frozen=True)
class HostOutcome:
    """How it went on a device; `file` is its result, which of a failed one holds what was measured before."""

    name: str
    address: str
    status: str
    seconds: float
    file: str | None = None
    reason: str = ""
    hint: str = ""


def run_on_hosts(
    hosts: Sequence[Host], spec: Spec, out: Path, tell: Tell, wheel: Path | None = None
) -> tuple[HostOutcome, ...]:
    """Run what `spec` asks on all devices at once, and write NAME.json of each into `out` as it comes.

    Ctrl-C stops them all, and keeps what was measured. Raises UserInputError, BundleError or StorageError before
    anything is sent; what goes wrong with a device stands in its outcome.
    """
    check_asyncssh()
    verify_bundle(Path(spec.bundle))
    _check_place(hosts, out)
    with tempfile.TemporaryDirectory() as folder:
        job = FleetJob(spec, check_wheel(wheel) if wheel else runtime_wheel(Path(folder)), Path(folder))
        return asyncio.run(_all(hosts, job, out, tell))


def _check_place(hosts: Sequence[Host], out: Path) -> None:
    """Nothing of an earlier run may be taken for what a device that fails has found."""
    if there := [file for host in hosts if (file := out / f"{host.name}.json").exists()]:
        raise UserInputError(f"{there[0]} is there already", "Name another folder, or move its results away.")
    for host in hosts:
        if host.wheels and not any(Path(host.wheels).glob("*.whl")):
            raise UserInputError(f"{host.wheels} holds no wheels", f"Fill it, or leave `wheels` of {host.name} out.")


async def _all(hosts: Sequence[Host], job: FleetJob, out: Path, tell: Tell) -> tuple[HostOutcome, ...]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_one(host, job, out, tell)) for host in hosts]
    return tuple(task.result() for task in tasks)


async def _one(host: Host, job: FleetJob, out: Path, tell: Tell) -> HostOutcome:
    """The outcome of a device, whatever it is; only Ctrl-C ends all."""
    start, file = time.monotonic(), out / f"{host.name}.json"

    def keep(content: bytes) -> None:
        _keep(host, content, file)
        tell(host.name, f"result: {file}")

    failure: EdgenerError | None = None
    try:
        await bench_on(host, job, lambda line: tell(host.name, line), keep)
    except EdgenerError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - a fault of ours on one device takes no other's result with it
        failure = EdgenerError(f"internal error: {type(error).__name__}: {error}", "Please report it.")
    if failure:
        tell(host.name, f"failed: {failure.message}")
    return HostOutcome(
        host.name, host.address, FAILED if failure else MEASURED, round(time.monotonic() - start, 1),
        str(file) if file.exists() else None, failure.message if failure else "", failure.hint or "" if failure else "",
    )  # fmt: skip


def _keep(host: Host, content: bytes, file: Path) -> None:
    try:
        parse_result(content.decode("utf-8"), f"what {host.address} sent")
    except UserInputError as error:
        raise DeviceError(error.message, error.hint) from None
    except UnicodeDecodeError as error:
        raise DeviceError(f"what {host.address} sent is damaged: {error}", "Run the bench again.") from None
    write_atomic(file, content)
