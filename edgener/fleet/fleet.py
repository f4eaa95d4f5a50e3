"""The benchmark on many devices at once: each has its own result, and a failure affects no other device."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgener_runtime.base.files import write_atomic
from edgener_runtime.bundle.verify import verify_files
from edgener_runtime.commissioning.bench.results.record import parse_result
from edgener_runtime.commissioning.bench.spec import Spec
from edgener_runtime.errors import DeviceError, EdgenerError, UserInputError

from .hosts import Host
from .remote import FleetJob, bench_on
from .ssh import check_asyncssh
from .wheel import check_wheel, runtime_wheel

MEASURED, FAILED = "measured", "failed"

Report = Callable[[str, str], None]
"""Takes a device's name and a line of its progress."""


@dataclass(frozen=True)
class HostOutcome:
    """The outcome of a device; `file` is its result, partial if the device failed during the measurement."""

    name: str
    address: str
    status: str
    seconds: float
    file: str | None = None
    reason: str = ""
    hint: str = ""


def run_on_hosts(
    hosts: Sequence[Host], spec: Spec, out: Path, report: Report, wheel: Path | None = None
) -> tuple[HostOutcome, ...]:
    """Run `spec` on all devices at once, and write NAME.json of each into `out` as it arrives.

    Ctrl-C stops all of them, and keeps what was measured. Raises UserInputError, BundleError or StorageError before
    anything is sent; the failure of a device is in its outcome.
    """
    check_asyncssh()
    verify_files(Path(spec.bundle))
    _check_output(hosts, out)
    with tempfile.TemporaryDirectory() as folder:
        job = FleetJob(spec, check_wheel(wheel) if wheel else runtime_wheel(Path(folder)), Path(folder))
        return asyncio.run(_all(hosts, job, out, report))


def _check_output(hosts: Sequence[Host], out: Path) -> None:
    """Refuse results of an earlier run: they could be mistaken for those of a device that fails now."""
    if there := [file for host in hosts if (file := out / f"{host.name}.json").exists()]:
        raise UserInputError(f"{there[0]} exists already", "Name another folder, or move its results away.")
    for host in hosts:
        if host.wheels and not any(Path(host.wheels).glob("*.whl")):
            raise UserInputError(f"{host.wheels} has no wheels", f"Fill it, or leave out `wheels` of {host.name}.")


async def _all(hosts: Sequence[Host], job: FleetJob, out: Path, report: Report) -> tuple[HostOutcome, ...]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_one(host, job, out, report)) for host in hosts]
    return tuple(task.result() for task in tasks)


async def _one(host: Host, job: FleetJob, out: Path, report: Report) -> HostOutcome:
    """The outcome of a device, whether it fails or not; only Ctrl-C ends all."""
    start, file = time.monotonic(), out / f"{host.name}.json"

    def keep(content: bytes) -> None:
        _keep(host, content, file)
        report(host.name, f"result: {file}")

    failure: EdgenerError | None = None
    try:
        await bench_on(host, job, lambda line: report(host.name, line), keep)
    except EdgenerError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - a fault of ours on one device must not affect the others
        failure = EdgenerError(f"internal error: {type(error).__name__}: {error}", "Please report it.")
    if failure:
        report(host.name, f"failed: {failure.message}")
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
        raise DeviceError(f"what {host.address} sent is damaged: {error}", "Run the benchmark again.") from None
    write_atomic(file, content)
