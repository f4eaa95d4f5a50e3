"""Each handler answers its own kind of error, and passes any other on, which then is an internal error."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra serve is not installed")

from edgener_runtime.services.http import error_responses


@pytest.mark.parametrize("name", ["request_error", "route_error", "classifier_error"])
def test_a_handler_raises_an_error_that_is_not_its_own(name: str) -> None:
    request: Any = None
    with pytest.raises(KeyError, match="of another kind"):
        asyncio.run(getattr(error_responses, name)(request, KeyError("of another kind")))
