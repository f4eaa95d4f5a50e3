"""The first checks: the machine, the bundle, and whether a variant loads where it was asked to run."""

from __future__ import annotations

import time
from typing import Any

from edgener_runtime.errors import ProviderError

from .context import Bench, Outcome


def probe_machine(bench: Bench) -> Outcome:
    """Find out what the machine has; never a fault of its own."""
    from .machine import probe_all

    bench.probe = probe_all()
    return Outcome(_told(bench.probe))


def verify(bench: Bench) -> Outcome:
    """Check every file's SHA-256. Raises BundleError."""
    from edgener_runtime.bundle.verify import verify_bundle

    bench.manifest = verify_bundle(bench.request.bundle)
    count = len(bench.manifest.files) + len(bench.manifest.variants)
    return Outcome(f"{count} files, all as in the manifest")


def load(bench: Bench) -> Outcome:
    """Load the variant where it was asked to run, and let it answer once. Raises ProviderError, DeviceError."""
    from edgener_runtime.pipeline import TokenClassifier

    request = bench.request
    begun = time.perf_counter()
    bench.classifier = TokenClassifier.load(request.bundle, request.device, request.variant, request.threads)
    loaded = time.perf_counter()
    bench.classifier.predict(bench.texts[0])
    answered = time.perf_counter()
    what = f"{bench.variant.name} on {bench.classifier.provider}"
    if request.emulated_by:
        return Outcome(what)
    return Outcome(what, {"load_seconds": loaded - begun, "first_call_ms": 1000 * (answered - loaded)})


def provider(bench: Bench) -> Outcome:
    """Compare what the loaded session says that it runs on with what was asked for. Raises ProviderError."""
    told = bench.classifier.explain()
    meant = providers_of(bench.request.device)
    if told.provider not in meant:
        raise ProviderError(
            f"{bench.request.device} was asked for, which is {' or '.join(meant)}; {told.provider} runs {told.variant}",
            "See what is missing: edgener-runtime devices",
        )
    return Outcome(f"{told.provider}, {told.library}; {'; '.join(told.reasons)}")


def providers_of(device: str) -> tuple[str, ...]:
    """What a session on a device may say of itself, one for each device that this one stands for."""
    from edgener_runtime.backends.tensorrt.session import PROVIDER
    from edgener_runtime.machine.devices import DEVICES, device_named

    asked = device_named(device)
    places = [DEVICES[name] for name in asked.stands_for] or [asked]
    return tuple(PROVIDER if place.opener == "engine" else place.provider for place in places)


def _told(probe: dict[str, Any]) -> str:
    """The line of what was found that people look for first."""
    driver, jetson = probe.get("driver") or {}, probe.get("jetson") or {}
    gpus = ", ".join(gpu["name"] for gpu in driver.get("gpus", ())) or driver.get("why") or "no GPU was looked for"
    return f"{jetson.get('model') or 'no Jetson'}; {gpus}"
