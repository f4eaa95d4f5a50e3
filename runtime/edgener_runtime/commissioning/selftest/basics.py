"""The first checks: the machine, the bundle, and whether a variant loads on the requested device."""

from __future__ import annotations

import time
from typing import Any

from edgener_runtime.errors import ProviderError

from .context import Outcome, SelftestContext


def probe_machine(context: SelftestContext) -> Outcome:
    """Probe the machine; this never fails."""
    from .machine import probe_all

    context.probe = probe_all()
    return Outcome(_summary(context.probe))


def verify(context: SelftestContext) -> Outcome:
    """Check every file's SHA-256. Raises BundleError."""
    from edgener_runtime.bundle.verify import entries_here, verify_bundle

    context.manifest = verify_bundle(context.request.bundle)
    count = len(entries_here(context.request.bundle, context.manifest))
    return Outcome(f"{count} files, all as in the manifest")


def load(context: SelftestContext) -> Outcome:
    """Load the variant on the requested device and run one text. Raises ProviderError, DeviceError."""
    from edgener_runtime.pipeline import TokenClassifier

    request = context.request
    start = time.perf_counter()
    context.classifier = TokenClassifier.load(request.bundle, request.device, request.variant, request.threads)
    loaded = time.perf_counter()
    context.classifier.predict(context.texts[0])
    answered = time.perf_counter()
    what = f"{context.variant.name} on {context.classifier.provider}"
    if request.emulated_by:
        return Outcome(what)
    return Outcome(what, {"load_seconds": loaded - start, "first_call_ms": 1000 * (answered - loaded)})


def provider(context: SelftestContext) -> Outcome:
    """Compare the provider of the loaded session with the requested device. Raises ProviderError."""
    found = context.classifier.explain()
    expected = providers_of(context.request.device)
    if found.provider not in expected:
        raise ProviderError(
            f"{context.request.device} was requested, which is {' or '.join(expected)}; "
            f"{found.provider} runs {found.variant}",
            "See what is missing: edgener-runtime devices",
        )
    return Outcome(f"{found.provider}, {found.library}; {'; '.join(found.reasons)}")


def providers_of(device: str) -> tuple[str, ...]:
    """The providers that a session on a device may have, one for each device that this name covers."""
    from edgener_runtime.backends.tensorrt.session import PROVIDER
    from edgener_runtime.machine.devices import DEVICES, device_named

    named = device_named(device)
    targets = [DEVICES[name] for name in named.stands_for] or [named]
    return tuple(PROVIDER if target.opener == "engine" else target.provider for target in targets)


def _summary(probe: dict[str, Any]) -> str:
    """The most important findings in one line."""
    driver, jetson = probe.get("driver") or {}, probe.get("jetson") or {}
    gpus = ", ".join(gpu["name"] for gpu in driver.get("gpus", ())) or driver.get("why") or "no GPU was probed"
    return f"{jetson.get('model') or 'no Jetson'}; {gpus}"
