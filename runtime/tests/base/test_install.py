"""The install line of a copy from a checkout, a wheel, a repository, the package index, or from nobody knows where."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgener_runtime.base.install import checkout_line, install_line, published_line

PUBLISHED = 'pip install "edgener-runtime[cpu]"'
Plant = Callable[..., None]


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plant:
    """`plant({"url": ...})` installs a distribution with that direct_url.json, ahead of any other."""

    def plant(origin: object = None, name: str = "edgener_runtime", text: str | None = None) -> None:
        info = tmp_path / "site" / f"{name}-0.1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 0.1.0\n")
        if origin is not None or text is not None:
            (info / "direct_url.json").write_text(json.dumps(origin) if text is None else text)
        monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])

    return plant


def test_an_editable_checkout_is_installed_again_from_there(plant: Plant, tmp_path: Path) -> None:
    (tmp_path / "runtime").mkdir()
    plant({"url": (tmp_path / "runtime").as_uri(), "dir_info": {"editable": True}})
    assert install_line("cpu") == f'pip install --editable "{tmp_path}/runtime[cpu]"  # published: {PUBLISHED}'


def test_a_checkout_that_was_copied_into_the_environment(plant: Plant, tmp_path: Path) -> None:
    (tmp_path / "runtime").mkdir()
    plant({"url": (tmp_path / "runtime").as_uri(), "dir_info": {}})
    assert install_line("cpu").startswith(f'pip install "edgener-runtime[cpu] @ file://{tmp_path}/runtime"  # ')


def test_a_local_wheel(plant: Plant, tmp_path: Path) -> None:
    wheel = tmp_path / "edgener_runtime-0.1.0-py3-none-any.whl"
    wheel.touch()
    plant({"url": wheel.as_uri(), "archive_info": {"hash": "sha256=00"}})
    assert install_line("serve,mqtt") == (
        f'pip install "edgener-runtime[serve,mqtt] @ {wheel.as_uri()}"  '
        '# published: pip install "edgener-runtime[serve,mqtt]"'
    )


def test_a_commit_of_a_repository(plant: Plant) -> None:
    repository = {"vcs": "git", "commit_id": "0123abc"}
    plant({"url": "https://host.example/edgener.git", "vcs_info": repository, "subdirectory": "runtime"})
    expected = "edgener-runtime[cpu] @ git+https://host.example/edgener.git@0123abc#subdirectory=runtime"
    assert install_line("cpu") == f'pip install "{expected}"  # published: {PUBLISHED}'


def test_a_copy_from_the_package_index(plant: Plant) -> None:
    plant()
    assert install_line("cpu") == PUBLISHED


def test_a_copy_without_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    assert install_line("cpu") == PUBLISHED


def test_an_origin_that_is_gone_is_not_named(plant: Plant, tmp_path: Path) -> None:
    """As after the installation of a wheel that was copied to a device and removed."""
    plant({"url": (tmp_path / "gone.whl").as_uri(), "archive_info": {}})
    assert install_line("cpu") == PUBLISHED


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": 3}', '{"dir_info": {"editable": true}}', '{"url": "here"}'])
def test_a_damaged_origin_is_not_named(plant: Plant, text: str) -> None:
    plant(text=text)
    assert install_line("cpu") == PUBLISHED


@pytest.mark.parametrize("name", ["a b", "a$HOME", 'a"b', "a'b$c", "ä`ls`"])
@pytest.mark.parametrize("editable", [True, False])
def test_a_shell_reads_the_line_as_it_is_meant(plant: Plant, tmp_path: Path, name: str, editable: bool) -> None:
    folder = tmp_path / name
    folder.mkdir()
    plant({"url": folder.as_uri(), "dir_info": {"editable": editable}})
    script = f"pip() {{ printf '%s\\n' \"$@\"; }}; {install_line('cpu')}"
    words = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
    by_url = ["install", f"edgener-runtime[cpu] @ {folder.as_uri()}"]
    assert words == (["install", "--editable", f"{folder}[cpu]"] if editable else by_url)


def test_the_build_side_has_lines_of_its_own(plant: Plant, tmp_path: Path) -> None:
    plant({"url": tmp_path.as_uri(), "dir_info": {"editable": True}}, name="edgener")
    published = 'pip install "edgener[fleet]"'
    assert install_line("fleet", "edgener") == f'pip install --editable "{tmp_path}[fleet]"  # published: {published}'


def test_documents_show_the_line_of_a_checkout() -> None:
    assert checkout_line("cpu") == f'pip install "./runtime[cpu]"  # published: {PUBLISHED}'
    assert checkout_line("", "edgener") == 'pip install "."  # published: pip install "edgener"'
    assert shlex.split(published_line("cpu")) == ["pip", "install", "edgener-runtime[cpu]"]
