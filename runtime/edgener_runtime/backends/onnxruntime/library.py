"""The only place that imports onnxruntime."""

from __future__ import annotations

import os
from typing import Any

from edgener_runtime.base.install import install_line
from edgener_runtime.errors import ProviderError


def load_onnxruntime() -> Any:
    """The onnxruntime module. Raises ProviderError with the install line where there is none."""
    # Since 1.32 or earlier (not in 1.23) it sends events to Microsoft, and stores them in the user's cache before,
    # unless this is set before the import. The runtime makes no network calls.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ImportError as error:
        raise ProviderError(f"onnxruntime cannot be loaded: {error}", install_line("cpu")) from None
    return onnxruntime
