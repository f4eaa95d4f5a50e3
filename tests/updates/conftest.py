"""What the tests of updates share: keys, small bundles, a publisher, a device, and a web server with faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .bench import Device, Publisher, make_keys
from .server import FaultyServer


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One key for each role."""
    return make_keys(tmp_path_factory.mktemp("keys") / "keys")


@pytest.fixture(scope="session")
def other_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Other keys, of an attacker or of the next year."""
    return make_keys(tmp_path_factory.mktemp("others") / "keys")


@pytest.fixture
def publisher(tmp_path: Path, keys: Path) -> Publisher:
    """A publisher with an empty repository."""
    return Publisher(tmp_path / "repository", keys)


@pytest.fixture
def device(tmp_path: Path, publisher: Publisher) -> Device:
    """A device that trusts the publisher's first root."""
    return Device(tmp_path / "device", publisher.folder)


@pytest.fixture
def server(publisher: Publisher) -> Iterator[FaultyServer]:
    """The repository on a web server."""
    with FaultyServer(publisher.folder) as serving:
        yield serving
