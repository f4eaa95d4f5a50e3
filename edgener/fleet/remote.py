"""The benchmark on one device: send the files, run it, fetch its result, and remove everything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from edgener_runtime.base.serde import to_dict
from edgener_runtime.commissioning.bench.spec import Spec
from edgener_runtime.errors import DeviceError

from .device_session import DeviceSession, LostError, start_session, sweep
from .hosts import Host
from .ssh import connected

_RESULT, _SPEC, _BUNDLE, _SITE, _VENV = "result.json", "spec.json", "bundle", "site", "venv"
_CLEANUP_SECONDS = 60.0  # seconds to stop, fetch what was measured, and remove everything
_OF_PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir")

Report = Callable[[str], None]


@dataclass(frozen=True)
class FleetJob:
    """What every device gets: the spec, the wheel that runs it, and a local folder for files that are made to send."""

    spec: Spec
    wheel: Path
    folder: Path


async def bench_on(host: Host, job: FleetJob, report: Report, keep: Callable[[bytes], None]) -> None:
    """Run the benchmark on a device; `keep` gets its result, or a partial one if it is interrupted.

    Raises DeviceError for any failure of the device; nothing remains there, or the error says what does.
    """
    try:
        async with asyncio.timeout(host.timeout), _open_session(host) as session:
            await _send_files(session, host, job, report)
            await _install(session, host, job, report)
            report("measuring")
            await _measure(session, host, job, report, keep)
    except TimeoutError:
        raise DeviceError(
            f"{host.address} did not finish within {host.timeout:g} s", "Increase `timeout` in hosts.yaml."
        ) from None


@asynccontextmanager
async def _open_session(host: Host) -> AsyncIterator[DeviceSession]:
    """A session that leaves nothing on the device, however it ends; else DeviceError with the folder's name."""
    async with connected(host) as connection:
        session = await start_session(host, connection)
        try:
            yield session
        except BaseException as error:
            if not await _is_clean(host, session):
                raise _left_behind(host, session, error) from error
            raise
        if not await _is_clean(host, session):
            raise _left_behind(host, session, None)


async def _is_clean(host: Host, session: DeviceSession) -> bool:
    started = session.started
    try:
        async with asyncio.timeout(_CLEANUP_SECONDS):
            if await session.leave():
                return True
    except (LostError, TimeoutError):
        pass
    return await sweep(host, session.folder, started)


def _left_behind(host: Host, session: DeviceSession, error: BaseException | None) -> DeviceError:
    before = f"{error.message}; then " if isinstance(error, DeviceError) else ""
    return DeviceError(
        f"{before}it is unknown whether {session.folder} on {host.address} was removed",
        f"Remove it: ssh {host.target} rm -rf {session.folder}",
    )


async def _send_files(session: DeviceSession, host: Host, job: FleetJob, report: Report) -> None:
    files = tuple(_files(host, job))
    report(f"copying {sum(file.stat().st_size for _, file in files) / 1e6:.1f} MB")
    for path, file in files:
        await session.put(path, file)


def _files(host: Host, job: FleetJob) -> Iterator[tuple[str, Path]]:
    """Each file's path on the device, and its path here."""
    bundle = Path(job.spec.bundle)
    for file in sorted(path for path in bundle.rglob("*") if path.is_file()):
        yield f"{_BUNDLE}/{file.relative_to(bundle).as_posix()}", file
    yield _SPEC, _spec_file(host, job)
    if host.install != "nothing":
        yield job.wheel.name, job.wheel
    if host.wheels:
        yield from ((f"wheels/{file.name}", file) for file in sorted(Path(host.wheels).glob("*.whl")))


def _spec_file(host: Host, job: FleetJob) -> Path:
    """Write the spec under the device's own name, texts included."""
    file = job.folder / f"{host.name}.json"
    file.write_text(json.dumps(to_dict(replace(job.spec, bundle=_BUNDLE, name=host.name))), encoding="ascii")
    return file


async def _install(session: DeviceSession, host: Host, job: FleetJob, report: Report) -> None:
    for number, command in enumerate(_installing(session, host, job)):
        if number == 0:
            report("installing")
        await _run(session, host, command, report)


def _installing(session: DeviceSession, host: Host, job: FleetJob) -> Iterator[list[str]]:
    """The commands for the device's `install` setting; they write only into the session's folder."""
    wheel = f"{session.folder}/{job.wheel.name}"
    if host.install == "runtime":
        yield [session.python, "-m", "zipfile", "-e", wheel, f"{session.folder}/{_SITE}"]
    if host.install == "everything":
        source = ["--no-index", "--find-links", f"{session.folder}/wheels"] if host.wheels else []
        yield [session.python, "-m", "venv", f"{session.folder}/{_VENV}"]
        yield [_python(session, host), *_OF_PIP, *source, f"{wheel}[cpu]"]


async def _measure(
    session: DeviceSession, host: Host, job: FleetJob, report: Report, keep: Callable[[bytes], None]
) -> None:
    """Run the benchmark; keep what it wrote even if it fails or is cancelled."""
    command = [_python(session, host), "-m", "edgener_runtime", "bench", f"{session.folder}/{_BUNDLE}"]
    command += ["--spec", f"{session.folder}/{_SPEC}", "--out", f"{session.folder}/{_RESULT}", "--progress", "lines"]
    try:
        await _run(session, host, command, report)
    except asyncio.CancelledError:
        async with asyncio.timeout(_CLEANUP_SECONDS):
            await session.stop(report)
            await _fetch_result(session, keep)
        raise
    except LostError:
        raise
    except DeviceError:
        await _fetch_result(session, keep)
        raise
    if not await _fetch_result(session, keep):
        raise DeviceError(f"the benchmark on {host.address} wrote no result", f"Run it there: ssh {host.target}")


async def _fetch_result(session: DeviceSession, keep: Callable[[bytes], None]) -> bool:
    content = await session.get(_RESULT)
    if content is not None:
        keep(content)
    return content is not None


async def _run(session: DeviceSession, host: Host, command: list[str], report: Report) -> None:
    """Run a command to its end. Raises DeviceError with its exit code and its last error."""
    output: list[str] = []

    def follow(line: str) -> None:
        if line.strip():
            output.append(line.strip())
            report(line)

    if code := await session.run(command, _environment(session, host), follow):
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise DeviceError(f"{_title(command)} on {host.address} {ended}: {_last_error(output)}")


def _environment(session: DeviceSession, host: Host) -> dict[str, str]:
    """Environment variables that keep a command's files in the session's folder."""
    folders = {"TMPDIR": session.folder, "XDG_CACHE_HOME": f"{session.folder}/cache", "PYTHONDONTWRITEBYTECODE": "1"}
    return folders | ({"PYTHONPATH": f"{session.folder}/{_SITE}"} if host.install == "runtime" else {})


def _python(session: DeviceSession, host: Host) -> str:
    return f"{session.folder}/{_VENV}/bin/python" if host.install == "everything" else session.python


def _title(command: list[str]) -> str:
    """A command's title for people: `pip install` for Python's `-m pip install`."""
    return "the benchmark" if "bench" in command else " ".join(part for part in command[2:4] if part.isalpha())


def _last_error(output: list[str]) -> str:
    """The output from the last error on, or its last line."""
    errors = [index for index, line in enumerate(output) if line.lower().startswith("error:")]
    return " ".join(output[errors[-1] :] if errors else output[-1:]) or "no output"
