"""The command that installs an extra of ours: for the copy that runs, with the published form beside it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

RUNTIME, BUILD_SIDE = "edgener-runtime", "edgener"
# Where each distribution lies in a checkout.
_FOLDERS = {RUNTIME: "./runtime", BUILD_SIDE: "."}


def install_line(extra: str, distribution: str = RUNTIME) -> str:
    """The command that adds `extra` to the installed copy of `distribution`.

    A copy that was installed from a checkout, a wheel or a repository (PEP 610) is installed from there again; the
    published form stands behind it, as a comment of the shell. It is the published form alone for a copy from the
    package index, or whose origin is unknown or gone.
    """
    requirement = _of_origin(_origin(distribution), extra, distribution)
    return _beside(requirement, extra, distribution) if requirement else published_line(extra, distribution)


def published_line(extra: str, distribution: str = RUNTIME) -> str:
    """The command for a machine that has the package index and nothing of ours."""
    return f"pip install {_quoted(_with_extra(distribution, extra))}"


def checkout_line(extra: str, distribution: str = RUNTIME) -> str:
    """The command in the folder of a checkout, with the published form behind it, as documents show it."""
    return _beside(_quoted(_with_extra(_FOLDERS[distribution], extra)), extra, distribution)


def _beside(requirement: str, extra: str, distribution: str) -> str:
    return f"pip install {requirement}  # published: {published_line(extra, distribution)}"


def _origin(distribution: str) -> dict[str, Any]:
    """The direct_url.json of an installed distribution; empty where pip wrote none or it is damaged."""
    from importlib import metadata  # loads email and zipfile: not for every start

    try:
        found = json.loads(metadata.distribution(distribution).read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("url"), str) else {}


def _of_origin(origin: dict[str, Any], extra: str, distribution: str) -> str:
    """What pip is to be given, quoted for a shell; empty where the origin is unknown or gone."""
    from urllib.parse import urlsplit
    from urllib.request import url2pathname  # loads http: not for every start

    url = urlsplit(origin.get("url", ""))
    if url.scheme == "file":
        path = Path(url2pathname(url.path))
        if not path.exists():
            return ""
        if origin.get("dir_info", {}).get("editable"):
            return f"--editable {_quoted(_with_extra(str(path), extra))}"
    if not url.scheme:
        return ""
    return _quoted(f"{_with_extra(distribution, extra)} @ {_address(origin)}")


def _address(origin: dict[str, Any]) -> str:
    """The URL as pip takes it: with the commit and the folder of a repository."""
    url: str = origin["url"]
    if repository := origin.get("vcs_info"):
        url = f"{repository['vcs']}+{url}@{repository['commit_id']}"
    return f"{url}#subdirectory={origin['subdirectory']}" if "subdirectory" in origin else url


def _with_extra(name: str, extra: str) -> str:
    return f"{name}[{extra}]" if extra else name


def _quoted(requirement: str) -> str:
    return shlex.quote(requirement) if set(requirement) & set('"$`\\!') else f'"{requirement}"'
