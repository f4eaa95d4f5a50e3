"""Run the runtime in this folder, or say why this device cannot; Python 3.6 reads it too, to be told that it is old."""

import json
import os
import platform
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEVICE_ERROR = 6  # the exit code of edgener_runtime.errors.DeviceError


def find_fault(needed):
    """What is wrong and what to do, or None; `needed` is what device.json says."""
    faults = (_wrong_python(needed["python"]), _wrong_machine(needed["platform"]), _wrong_library(needed["glibc"]))
    if os.pathsep in str(HERE):
        return f"the path of this folder has a {os.pathsep!r} in it: {HERE}", "Move the folder elsewhere."
    return next(filter(None, faults), None)


def _wrong_python(needed):
    found = "{}.{}".format(*sys.version_info)
    if found != needed:
        fix = f"Install Python {needed}, or make a folder for this one: make device-folder PYTHON_VERSION={found} ..."
        return f"this folder needs Python {needed}, and {sys.executable} is Python {found}", fix
    return None


def _wrong_machine(needed):
    found, bits = f"linux-{platform.machine()}", 64 if sys.maxsize > 2**32 else 32
    if (found, bits) != (needed, 64):
        fix = f"Make a folder for this device: make device-folder PLATFORM={found} ..." if bits == 64 else None
        message = f"this folder is for {needed} with 64 bits, and {sys.executable} is for {found} with {bits}"
        return message, fix or "Use a system with 64 bits."
    return None


def _wrong_library(needed):
    found = _glibc()
    if found < tuple(map(int, needed.split("."))):
        has = "glibc {}.{}".format(*found) if found else "another C library"
        message = f"this folder needs glibc {needed} or newer, and this system has {has}"
        return message, "Use a system with a newer glibc, such as Debian 11 or Ubuntu 22.04."
    return None


def _glibc():
    """The version of glibc; empty where the C library is another one, such as musl."""
    try:
        name, version = os.confstr("CS_GNU_LIBC_VERSION").split()
    except (AttributeError, OSError, ValueError):
        return ()
    return tuple(map(int, version.split(".")[:2])) if name == "glibc" else ()


def main():
    """Check the device, and run the command with the packages of this folder before all others."""
    fault = find_fault(json.loads((HERE / "device.json").read_text(encoding="utf-8")))
    if fault:
        sys.stderr.write("error: {}\n  {}\n".format(*fault))
        sys.exit(DEVICE_ERROR)
    packages = str(HERE / "packages")
    sys.path[0] = packages
    os.environ["PYTHONPATH"] = packages  # for the processes that the runtime starts
    sys.argv[0] = str(HERE / "edgener-runtime")
    from edgener_runtime.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
