"""Run the runtime in this folder, or say why this device cannot; it has to be readable by any Python 3."""

import json
import os
import platform
import sys

HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - old Pythons print their version below
DEVICE_ERROR = 6


def find_fault(needed):
    """What is wrong and what to do, or None; each of `needed` is what device.json says."""
    version = "%d.%d" % sys.version_info[:2]
    if version != needed["python"]:
        return (
            "this folder needs Python %s, and %s is Python %s" % (needed["python"], sys.executable, version),
            "Install Python %s, or make a folder for this one: PYTHON_VERSION=%s" % (needed["python"], version),
        )
    machine = "linux-" + platform.machine().replace("arm64", "aarch64").replace("amd64", "x86_64")
    if machine != needed["platform"] or sys.maxsize < 2**32:
        bits = "64" if sys.maxsize > 2**32 else "32"
        return (
            "this folder is for %s, and %s runs on %s with %s bits"
            % (needed["platform"], sys.executable, machine, bits),
            "Make a folder for this device with PLATFORM=linux-x86_64 or linux-aarch64.",
        )
    found = find_glibc()
    if found < [int(part) for part in needed["glibc"].split(".")]:
        has = "glibc %d.%d" % tuple(found) if found else "another C library"
        return (
            "this folder needs glibc %s or newer, and this system has %s" % (needed["glibc"], has),
            "Use a system with a newer glibc, such as Debian 10 or Ubuntu 20.04.",
        )
    if os.pathsep in HERE:
        return ("the path of this folder has a %r in it: %s" % (os.pathsep, HERE), "Move the folder elsewhere.")
    return None


def find_glibc():
    """The version of glibc as numbers; nothing where the C library is another one, such as musl."""
    try:
        name, version = os.confstr("CS_GNU_LIBC_VERSION").split()
    except (AttributeError, OSError, ValueError):
        return []
    return [int(part) for part in version.split(".")[:2]] if name == "glibc" else []


def main():
    """Check, and run the command with the packages of this folder before all others."""
    with open(os.path.join(HERE, "device.json")) as file:  # noqa: PTH118, PTH123
        fault = find_fault(json.load(file))
    if fault:
        sys.stderr.write("error: %s\n  %s\n" % fault)
        sys.exit(DEVICE_ERROR)
    packages = os.path.join(HERE, "packages")  # noqa: PTH118
    sys.path[0] = packages
    os.environ["PYTHONPATH"] = packages  # for the processes that the runtime starts
    sys.argv[0] = os.path.join(HERE, "edgener-runtime")  # noqa: PTH118
    from edgener_runtime.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
