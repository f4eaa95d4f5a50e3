"""THE table of devices: the commands' choices, checks, errors, docs and tests are derived from it."""

from __future__ import annotations

from dataclasses import dataclass

from edgener_runtime.errors import UserInputError

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
"""onnxruntime's names of the execution providers."""
NOT_RUN = "not run on a device yet"
AUTO = "auto"


@dataclass(frozen=True)
class Device:
    """A device that a bundle can run on.

    A variant runs on it if the variant's `requirements.providers` include `provider`. `requirements` are keys of
    requirements.REQUIREMENTS, checked in this order; `software` is a key of probe.install.INSTALLERS, which gives the
    command that installs what is missing; `opener` is a key of backends.open.OPENERS. A device that `stands_for`
    others becomes the first of them that is available. `subwords` is the number of padded subwords that keep the
    device busy in one run, or None where the tuning decides. `run_on` is the hardware on which we ran it; empty: none.
    """

    name: str
    description: str
    provider: str = ""
    requirements: tuple[str, ...] = ()
    software: str = ""
    opener: str = "onnxruntime"
    stands_for: tuple[str, ...] = ()
    subwords: int | None = None
    run_on: str = ""

    @property
    def proven(self) -> bool:
        """Whether we ran it on such a device."""
        return bool(self.run_on)


_GPU_SUBWORDS = 4096  # eight windows of 512: a GPU is idle with less. An estimate, not measured
_ON_GPU = ("onnxruntime", "provider", "driver", "one onnxruntime", "libraries")

DEVICES = {
    device.name: device
    for device in (
        Device(
            AUTO,
            "the first of tensorrt (with an engine that was prepared), cuda and cpu that this machine has",
            stands_for=("tensorrt", "cuda", "cpu"),
            run_on="yes, as cpu",
        ),
        Device(
            "cpu",
            "onnxruntime on this machine's cores",
            provider=CPU,
            requirements=("onnxruntime", "one onnxruntime", "provider"),
            software="onnxruntime",
            run_on="yes, on x86-64; on arm64 under qemu's emulation",
        ),
        Device(
            "cuda",
            "onnxruntime on an NVIDIA GPU",
            provider=CUDA,
            requirements=_ON_GPU,
            software="onnxruntime-gpu",
            subwords=_GPU_SUBWORDS,
            run_on="yes, on an H200: FP32 and FP16",
        ),
        Device(
            "tensorrt",
            "a TensorRT engine that `edgener-runtime prepare` built on this GPU, without onnxruntime",
            provider=TENSORRT,
            requirements=("driver", "tensorrt", "libraries", "engine"),
            software="tensorrt",
            opener="engine",
            subwords=_GPU_SUBWORDS,
        ),
        Device(
            "tensorrt-ort",
            "onnxruntime's TensorRT provider, which builds its engine at the first load",
            provider=TENSORRT,
            requirements=_ON_GPU,
            software="onnxruntime-tensorrt",
            subwords=_GPU_SUBWORDS,
        ),
        Device(
            "jetson",
            "on a Jetson: tensorrt where an engine was prepared, else cuda",
            requirements=("jetson", "jetpack"),
            software="tensorrt",
            stands_for=("tensorrt", "cuda"),
        ),
    )
}


def device_named(name: str) -> Device:
    """A row of the table. Raises UserInputError with the names there are."""
    if name not in DEVICES:
        raise UserInputError(f"there is no device {name!r}", f"Choose one of: {', '.join(DEVICES)}")
    return DEVICES[name]


def hardware_devices() -> dict[str, Device]:
    """Every device but `auto`, which is not hardware."""
    return {name: device for name, device in DEVICES.items() if name != AUTO}


def engine_devices() -> tuple[str, ...]:
    """The devices that run engines from `edgener-runtime prepare`, themselves or through one that they stand for."""
    return tuple(
        name
        for name, device in hardware_devices().items()
        if "engine" in (each.opener for each in (device, *(DEVICES[other] for other in device.stands_for)))
    )


def provider_title(provider: str) -> str:
    """An execution provider as people call it: CPU, CUDA, TensorRT."""
    return provider.removesuffix("ExecutionProvider").replace("Tensorrt", "TensorRT")
