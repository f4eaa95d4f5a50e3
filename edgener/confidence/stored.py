"""Score settings in a bundle's manifest: put in and taken out again, to the byte.

Nothing else of a bundle changes, so that what was measured of it still holds; only signatures do not.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from edgener_runtime.base.files import check_replaceable, sha256_of, staged_folder
from edgener_runtime.base.serde import to_dict
from edgener_runtime.bundle.manifest import MANIFEST, MEASURED, Manifest
from edgener_runtime.bundle.signatures.format import SIGNED, signature_files
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.decoding.entity import ScoreSettings
from edgener_runtime.errors import UserInputError

FIELD = "scores"  # of the manifest, and of its provenance


def check_changeable(bundle: Path, manifest: Manifest, out: Path | None) -> None:
    """Raise UserInputError where a bundle cannot get score settings at `out`, or in its own place without one.

    For before the measurement, which takes long.
    """
    if not manifest.references:
        raise UserInputError(
            f"{bundle} is of schema {manifest.schema_version}, which has no score settings",
            "Export it again with this version: edgener export",
        )
    if out is not None:
        check_replaceable(out.resolve(), MANIFEST)
        if bundle.resolve() in out.resolve().parents:
            raise UserInputError(f"{out} lies within {bundle}", "Name a folder beside it.")
    if (out is None or out.resolve() == bundle.resolve()) and (signed := signatures(bundle)):
        raise UserInputError(
            f"{bundle} is signed, and {signed[0].name} does not hold for a changed manifest",
            "Write another bundle, then sign it: --out NEW, and edgener sign NEW --key KEY",
        )


def write_scores(bundle: Path, settings: ScoreSettings, record: dict[str, Any], out: Path) -> Manifest:
    """Write a bundle with these score settings, without signatures, at `out`, which may be its own place.

    `record` is what the provenance says of them. Raises BundleError, StorageError.
    """
    with staged_folder(out, MANIFEST) as staging:
        shutil.copytree(
            bundle, staging, dirs_exist_ok=True, ignore=lambda *_: {each.name for each in signatures(bundle)}
        )
        root = staging / MANIFEST
        root.write_bytes(with_scores(root.read_bytes(), settings, record))
        if (staging / MEASURED).exists():
            speeds = json.loads((staging / MEASURED).read_bytes())
            (staging / MEASURED).write_bytes(_canonical(speeds | {"manifest": sha256_of(root)}))
        return verify_bundle(staging)


def with_scores(manifest: bytes, settings: ScoreSettings, record: dict[str, Any]) -> bytes:
    """A manifest with score settings in place of those it has; a runtime that does not know the field refuses it."""
    fields = json.loads(without_scores(manifest))
    fields["provenance"][FIELD] = record
    return _canonical(fields | {FIELD: to_dict(settings), "critical": [*fields["critical"], FIELD]})


def without_scores(manifest: bytes) -> bytes:
    """A manifest as it was exported; one without score settings is returned as it is."""
    fields = json.loads(manifest)
    if fields.pop(FIELD, None) is None:
        return manifest
    fields["provenance"].pop(FIELD, None)
    return _canonical(fields | {"critical": [name for name in fields["critical"] if name != FIELD]})


def _canonical(record: dict[str, Any]) -> bytes:
    import rfc8785

    return rfc8785.dumps(record)


def signatures(bundle: Path) -> list[Path]:
    """The signatures of a bundle, none of which holds for a changed manifest."""
    return [path for signed in SIGNED for path in signature_files(bundle, signed)]
