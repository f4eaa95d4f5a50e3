"""One server for all that only ask, and applications for those that hold the classifier back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.services.http.connections.bind import TlsFiles

from .running import OPENSSL, Held, Running, certificate, serving

TOKEN = "correct-horse-battery-staple"


@pytest.fixture(scope="session")
def server(bundle: Path) -> Iterator[Running]:
    """A server in a process of its own that asks for the token."""
    with serving(bundle, "--max-text", 500, "--queue", 32, token=TOKEN) as running:
        yield running


@pytest.fixture(scope="session")
def token() -> str:
    """That server's token."""
    return TOKEN


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """A certificate for 127.0.0.1 that signs itself."""
    if OPENSSL is None:
        pytest.skip("no openssl on this machine")
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def held(classifier: TokenClassifier) -> Held:
    """The classifier behind a gate that stands open."""
    return Held(classifier)


@pytest.fixture
def client_of(held: Held) -> Iterator[Callable[..., Any]]:
    """`client_of(token=..., queue=2)` asks an application with these limits; its `service` is at hand."""
    from starlette.testclient import TestClient

    from edgener_runtime.services.http.app import create_app
    from edgener_runtime.services.http.limits import Limits
    from edgener_runtime.services.http.models.served import ModelSource, ServedModel
    from edgener_runtime.services.http.service import Service

    with ExitStack() as open_clients:

        def made(token: str | None = None, control: bool = False, **limits: Any) -> Any:
            source = ModelSource(lambda: held)  # type: ignore[arg-type,return-value]
            service = Service([ServedModel(source, Limits(**limits))], Limits(**limits), control)
            client = TestClient(create_app(service, token), raise_server_exceptions=False)
            client.service = service  # type: ignore[attr-defined]
            return open_clients.enter_context(client)

        yield made
        held.gate.set()


@pytest.fixture
def client(client_of: Callable[..., Any]) -> Any:
    """An application with default limits, unless given."""
    return client_of()
