"""What this machine is and has: CPU, memory, GPUs and their driver, NVIDIA's libraries, packages, and the Jetson."""

from __future__ import annotations

from .record import Probe, probe

__all__ = ["Probe", "probe"]
