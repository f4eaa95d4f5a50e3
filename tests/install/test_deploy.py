"""The steps of the page on deployment, as written, in a root folder of their own: systemd alone is not there.

The folders that the steps write to are other folders in a mount namespace, and the server listens in a network
namespace, so this machine stays as it is. What systemd would do, start the unit's ExecStart, is done by hand.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.install

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "deploy.md").read_text(encoding="utf-8")
UNIT = (ROOT / "recipes" / "edgener-serve.service").read_text(encoding="utf-8")
WRITTEN = ("/opt", "/srv", "/etc/systemd/system")
# sudo and systemctl are not on every machine, and neither may touch this one
STEPS = """
set -e
for path in {written}; do mkdir -p "$path"; mount --bind "{root}$path" "$path"; done
sudo() {{ "$@"; }}
systemctl() {{ :; }}
{steps}
"""
SERVER = """
ip link set lo up
{start} &
for attempt in $(seq 600); do
    if {curl} > "{root}/answer"; then break; fi
    sleep 0.1
done
kill -TERM %1
wait %1
"""


def steps() -> tuple[list[str], str]:
    """The commands of the section on systemd, and the one that asks the server."""
    section = PAGE.partition("## systemd")[2]
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found
    *lines, last = found[1].splitlines()
    assert last.startswith("curl "), "the last step asks the server"
    return lines, last


def isolated(script: str, network: bool) -> subprocess.CompletedProcess[str]:
    command = ["unshare", "--mount", *(() if network else ("--net",)), "bash", "-c", script]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=900)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Empty folders in the place of those that the steps write to; removed after the test."""
    if not shutil.which("unshare") or isolated("mount --bind /opt /opt && ip link set lo up", network=False).returncode:
        pytest.skip("this user cannot have folders and a network apart from the machine's")
    for path in WRITTEN:
        (tmp_path / path[1:]).mkdir(parents=True)
    return tmp_path


def test_the_steps_end_in_a_server_that_is_ready(root: Path, exported: Path) -> None:
    lines, curl = steps()
    [start], [bundle] = (re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE) for name in ("ExecStart", "Environment"))
    text = "\n".join(lines).replace("out/bundle", str(exported))
    script = STEPS.format(written=" ".join(WRITTEN), root=root, steps=text)
    done = isolated(script, network=True)
    assert done.returncode == 0, done.stderr
    assert (root / "srv/edgener/bundle/manifest.json").is_file(), "the bundle stands where the unit looks for it"
    assert (root / "etc/systemd/system/edgener-serve.service").read_text(encoding="utf-8") == UNIT
    again = isolated(script, network=True)
    assert again.returncode == 0, again.stderr
    assert not (root / "srv/edgener/bundle/bundle").exists(), "a second deployment replaces the first"

    server = SERVER.format(start=f"{bundle}; {start}", curl=curl, root=root)
    served = isolated(STEPS.format(written=" ".join(WRITTEN), root=root, steps=server), network=False)
    assert served.returncode == 0, served.stderr
    assert '"ready"' in (root / "answer").read_text(encoding="utf-8")
