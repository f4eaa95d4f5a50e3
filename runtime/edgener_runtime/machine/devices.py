"""THE table of devices: it drives the commands' choices, what is checked before a session, errors, docs and tests."""

from __future__ import annotations

from dataclasses import dataclass

from edgener_runtime.errors import UserInputError

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
NOT_RUN = "not run on a device yet"


@dataclass(frozen=True)
class Device:
    """One place to run a bundle.

    A variant runs there if its `needs.providers` names `provider`. `needs` are keys of `needs.NEEDS`, what the machine
    must have, asked in this order. `opener` is a key of `session.OPENERS`. `stands_for` others: the first of them that
    this machine has is taken. `subwords` is how many padded ones of one run keep the device busy, None where that is
    the tuning's to say. Only what is `proven` was run on such a device.
    """

    name: str
    description: str
    provider: str = ""
    needs: tuple[str, ...] = ()
    opener: str = "onnxruntime"
    stands_for: tuple[str, ...] = ()
    subwords: int | None = None
    proven: bool = False


_GPU_SUBWORDS = 4096  # eight windows of 512: a GPU is idle with less. An estimate, not measured

DEVICES = {
    device.name: device
    for device in (
        Device(
            "auto",
            "the first of tensorrt (with an engine that was prepared), cuda and cpu that this machine has",
            stands_for=("tensorrt", "cuda", "cpu"),
            proven=True,
        ),
        Device(
            "cpu",
            "onnxruntime on this machine's cores",
            provider=CPU,
            needs=("provider",),
            proven=True,
        ),
        Device(
            "cuda",
            "onnxruntime on an NVIDIA GPU",
            provider=CUDA,
            needs=("provider", "driver", "one onnxruntime"),
            subwords=_GPU_SUBWORDS,
            proven=True,
        ),
        Device(
            "tensorrt",
            "a TensorRT engine that `edgener-runtime prepare` built on this GPU, without onnxruntime",
            provider=TENSORRT,
            needs=("driver", "tensorrt", "engine"),
            opener="engine",
            subwords=_GPU_SUBWORDS,
        ),
        Device(
            "tensorrt-ort",
            "onnxruntime's TensorRT provider, which builds its engine at the first load",
            provider=TENSORRT,
            needs=("provider", "driver", "one onnxruntime"),
            subwords=_GPU_SUBWORDS,
        ),
        Device(
            "jetson",
            "on a Jetson: tensorrt where an engine was prepared, else cuda",
            needs=("jetson",),
            stands_for=("tensorrt", "cuda"),
        ),
    )
}

PROVIDERS = {device.name: device.provider for device in DEVICES.values() if device.provider}
"""Device to the execution provider that a variant must name to run there."""


def device_named(name: str) -> Device:
    """A row of the table. Raises UserInputError with the names there are."""
    if name not in DEVICES:
        raise UserInputError(f"there is no device {name!r}", f"Choose one of: {', '.join(DEVICES)}")
    return DEVICES[name]
