"""The bench on one device: copied there, run, its result brought home, and everything removed."""

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

from .device_session import LostError, Talk, begin, sweep
from .hosts import Host
from .ssh import connected

_RESULT, _SPEC, _BUNDLE, _SITE, _VENV = "result.json", "spec.json", "bundle", "site", "venv"
_LAST_WORDS = 60.0  # seconds to stop, bring home what was measured, and remove everything
_OF_PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir")

Tell = Callable[[str], None]


@dataclass(frozen=True)
class FleetJob:
    """What every device gets: the spec, the wheel that runs it, and a local folder for files that are made to send."""

    spec: Spec
    wheel: Path
    folder: Path


async def bench_on(host: Host, job: FleetJob, tell: Tell, keep: Callable[[bytes], None]) -> None:
    """Run the bench on a device; `keep` gets its result, or what there is of it when it breaks off.

    Raises DeviceError where the device fails in any way; nothing is left there, or the error says what is.
    """
    try:
        async with asyncio.timeout(host.timeout), _talking(host) as talk:
            await _bring(talk, host, job, tell)
            await _install(talk, host, job, tell)
            tell("measuring")
            await _measure(talk, host, job, tell, keep)
    except TimeoutError:
        raise DeviceError(
            f"{host.address} was not done within {host.timeout:g} s", "Give it longer: `timeout` in hosts.yaml."
        ) from None


@asynccontextmanager
async def _talking(host: Host) -> AsyncIterator[Talk]:
    """A visit that leaves nothing behind, however it ends; else DeviceError with the folder's name."""
    async with connected(host) as connection:
        talk = await begin(host, connection)
        try:
            yield talk
        except BaseException as error:
            if not await _is_clean(host, talk):
                raise _left_behind(host, talk, error) from error
            raise
        if not await _is_clean(host, talk):
            raise _left_behind(host, talk, None)


async def _is_clean(host: Host, talk: Talk) -> bool:
    started = talk.started
    try:
        async with asyncio.timeout(_LAST_WORDS):
            if await talk.leave():
                return True
    except (LostError, TimeoutError):
        pass
    return await sweep(host, talk.folder, started)


def _left_behind(host: Host, talk: Talk, error: BaseException | None) -> DeviceError:
    before = f"{error.message}; then " if isinstance(error, DeviceError) else ""
    return DeviceError(
        f"{before}nothing tells that {talk.folder} on {host.address} was removed",
        f"See that it is gone: ssh {host.target} rm -rf {talk.folder}",
    )


async def _bring(talk: Talk, host: Host, job: FleetJob, tell: Tell) -> None:
    files = tuple(_files(host, job))
    tell(f"copying {sum(file.stat().st_size for _, file in files) / 1e6:.1f} MB")
    for path, file in files:
        await talk.put(path, file)


def _files(host: Host, job: FleetJob) -> Iterator[tuple[str, Path]]:
    """Where each file goes, and where it is here."""
    bundle = Path(job.spec.bundle)
    for file in sorted(path for path in bundle.rglob("*") if path.is_file()):
        yield f"{_BUNDLE}/{file.relative_to(bundle).as_posix()}", file
    yield _SPEC, _spec_file(host, job)
    if host.install != "nothing":
        yield job.wheel.name, job.wheel
    if host.wheels:
        yield from ((f"wheels/{file.name}", file) for file in sorted(Path(host.wheels).glob("*.whl")))


def _spec_file(host: Host, job: FleetJob) -> Path:
    """Write the spec with the device's own name, texts included."""
    file = job.folder / f"{host.name}.json"
    file.write_text(json.dumps(to_dict(replace(job.spec, bundle=_BUNDLE, name=host.name))), encoding="ascii")
    return file


async def _install(talk: Talk, host: Host, job: FleetJob, tell: Tell) -> None:
    for number, command in enumerate(_installing(talk, host, job)):
        if number == 0:
            tell("installing")
        await _run(talk, host, command, tell)


def _installing(talk: Talk, host: Host, job: FleetJob) -> Iterator[list[str]]:
    """Commands that make what `install` says; all of it stands in the visit's folder."""
    wheel = f"{talk.folder}/{job.wheel.name}"
    if host.install == "runtime":
        yield [talk.python, "-m", "zipfile", "-e", wheel, f"{talk.folder}/{_SITE}"]
    if host.install == "everything":
        source = ["--no-index", "--find-links", f"{talk.folder}/wheels"] if host.wheels else []
        yield [talk.python, "-m", "venv", f"{talk.folder}/{_VENV}"]
        yield [_python(talk, host), *_OF_PIP, *source, f"{wheel}[cpu]"]


async def _measure(talk: Talk, host: Host, job: FleetJob, tell: Tell, keep: Callable[[bytes], None]) -> None:
    """The bench itself; what it has written is kept also where it fails, or is not wanted any longer."""
    command = [_python(talk, host), "-m", "edgener_runtime", "bench", f"{talk.folder}/{_BUNDLE}"]
    command += ["--spec", f"{talk.folder}/{_SPEC}", "--out", f"{talk.folder}/{_RESULT}", "--progress", "lines"]
    try:
        await _run(talk, host, command, tell)
    except asyncio.CancelledError:
        async with asyncio.timeout(_LAST_WORDS):
            await talk.stop(tell)
            await _bring_home(talk, keep)
        raise
    except LostError:
        raise
    except DeviceError:
        await _bring_home(talk, keep)
        raise
    if not await _bring_home(talk, keep):
        raise DeviceError(f"the bench on {host.address} wrote no result", f"Run it there: ssh {host.target}")


async def _bring_home(talk: Talk, keep: Callable[[bytes], None]) -> bool:
    content = await talk.get(_RESULT)
    if content is not None:
        keep(content)
    return content is not None


async def _run(talk: Talk, host: Host, command: list[str], tell: Tell) -> None:
    """Run a command to its end. Raises DeviceError with its exit code and its last words."""
    said: list[str] = []

    def listen(line: str) -> None:
        if line.strip():
            said.append(line.strip())
            tell(line)

    if code := await talk.run(command, _environment(talk, host), listen):
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise DeviceError(f"{_named(command)} on {host.address} {ended}: {_last_words(said)}")


def _environment(talk: Talk, host: Host) -> dict[str, str]:
    """What keeps a command's traces in the visit's folder."""
    places = {"TMPDIR": talk.folder, "XDG_CACHE_HOME": f"{talk.folder}/cache", "PYTHONDONTWRITEBYTECODE": "1"}
    return places | ({"PYTHONPATH": f"{talk.folder}/{_SITE}"} if host.install == "runtime" else {})


def _python(talk: Talk, host: Host) -> str:
    return f"{talk.folder}/{_VENV}/bin/python" if host.install == "everything" else talk.python


def _named(command: list[str]) -> str:
    """What a command is, for a person: `pip install` of Python's `-m pip install`."""
    return "the bench" if "bench" in command else " ".join(part for part in command[2:4] if part.isalpha())


def _last_words(said: list[str]) -> str:
    """From the last error on, or the last line."""
    errors = [index for index, line in enumerate(said) if line.lower().startswith("error:")]
    return " ".join(said[errors[-1] :] if errors else said[-1:]) or "it said nothing"
