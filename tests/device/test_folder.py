"""The folder for a device, in roots that hold Debian's Python and little else: no pip, no network, another user."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import BUNDLE, PLATFORMS, Root, section

pytestmark = pytest.mark.environment

MADE, ON_DEVICE = section("A device without pip")
PREDICT = ON_DEVICE.splitlines()[-1]
both = pytest.mark.parametrize("root", ["amd64", "arm64"], indirect=True)
x86_64 = pytest.mark.parametrize("root", ["amd64"], indirect=True)
SERVE = """
./edgener-runtime serve bundle --port 8080 &
server=$!
python3.11 - <<'PY'
import time, urllib.request
for attempt in range(600):
    try:
        print(urllib.request.urlopen("http://127.0.0.1:8080/readyz").read().decode())
        break
    except OSError:
        time.sleep(0.1)
PY
kill -TERM $server
wait $server
"""


def on_device(root: Root) -> str:
    """The page's commands for this architecture."""
    return "set -e\n" + ON_DEVICE.replace(PLATFORMS["arm64"], PLATFORMS[root.architecture])


def answered(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def entities(answer: dict[str, Any]) -> list[tuple[str, int, int]]:
    return [(entity["label"], entity["start"], entity["end"]) for entity in answer["entities"]]


@both
def test_it_answers_as_this_machine_does(root: Root, archives: Callable[[str], Path]) -> None:
    archive = archives(root.architecture)
    assert archive.name in MADE.replace(PLATFORMS["arm64"], PLATFORMS[root.architecture]), "the page names the archive"
    root.receive(archive)
    answer = answered(root.run(on_device(root)))
    text = answer["text"]
    here = subprocess.run(
        [sys.executable, "-m", "edgener_runtime", "predict", BUNDLE, text], capture_output=True, text=True, check=False
    )
    assert text in PREDICT and entities(answer), answer
    assert entities(answer) == entities(answered(here))


@x86_64
def test_it_serves_from_a_read_only_folder_whose_path_has_spaces(root: Root, archives: Callable[[str], Path]) -> None:
    root.receive(archives(root.architecture))
    unpacked = root.run(on_device(root).replace(PREDICT, ""))
    assert unpacked.returncode == 0, unpacked.stderr
    [folder] = (path for path in (root.folder / "tmp").iterdir() if path.is_dir())
    moved = folder.rename(root.folder / "tmp" / "一 device's folder")
    before = (
        f'ip link set lo up; mount --bind "{root.folder}" "{root.folder}"; mount -o remount,ro,bind "{root.folder}"'
    )
    script = f'cd "/tmp/{moved.name}"; if (: >x); then exit 99; fi\n{SERVE}'
    done = root.run(script, before)
    assert done.returncode == 0 and '"ready"' in done.stdout, done.stdout + done.stderr


@x86_64
def test_its_readme_says_how_to_install_a_service(root: Root, archives: Callable[[str], Path]) -> None:
    root.receive(archives(root.architecture))
    [folder] = (line.removeprefix("cd ") for line in on_device(root).splitlines() if line.startswith("cd "))
    script = f"""set -e
sudo() {{ "$@"; }}
systemctl() {{ :; }}
mkdir -p /etc/systemd/system
tar -xzf {folder}.tar.gz
cd {folder}
sed -n '/^## As a service/,$p' README.md | sed -n '/^```sh/,/^```/p' | grep -v '^```' >/tmp/steps
. /tmp/steps
eval "$(sed -n 's/^Environment=//p' /etc/systemd/system/edgener-serve.service)"
eval "$(sed -n 's/^ExecStart=//p' /etc/systemd/system/edgener-serve.service | sed 's/ serve / verify /')"
"""
    done = root.run(script, as_root=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (root.folder / "opt" / "edgener" / "bundle" / "manifest.json").is_file()


@x86_64
def test_a_root_without_python_is_told_which_one_is_needed(root: Root, archives: Callable[[str], Path]) -> None:
    root.receive(archives(root.architecture))
    (root.folder / "usr" / "bin" / "python3.11").unlink()
    done = root.run(on_device(root))
    assert done.returncode == 6 and "needs Python 3.11" in done.stderr, done.stdout + done.stderr


@x86_64
def test_the_folder_for_another_processor_is_refused(root: Root, archives: Callable[[str], Path]) -> None:
    root.receive(archives("arm64"))
    done = root.run("set -e\n" + ON_DEVICE)
    assert done.returncode == 6 and "this folder is for linux-aarch64" in done.stderr, done.stdout + done.stderr
