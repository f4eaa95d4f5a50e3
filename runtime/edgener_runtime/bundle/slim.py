"""The smallest complete bundle of one variant: every file as it was, so that what signed the whole signs it too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgener_runtime.base.files import staged_folder
from edgener_runtime.errors import UserInputError

from .manifest import MANIFEST, FileEntry, Manifest, VariantEntry, VariantRequirements, read_manifest
from .signatures.format import is_signature
from .verify import read_verified, verify_files


def slim(bundle: Path, variant: str, out: Path) -> Manifest:
    """Write at `out` a bundle with one variant of `bundle`, beside it those of `kept_variants`, and without reports.

    The manifest of the new bundle. Raises BundleError where a file is damaged, UserInputError where there is no such
    variant or the bundle has one manifest for all, StorageError.
    """
    manifest = read_manifest(bundle)
    kept = kept_variants(manifest, variant)
    with staged_folder(out, MANIFEST) as staging:
        for entry in needed_entries(manifest, kept):
            _write(staging / entry.path, read_verified(bundle, entry))
        for name in (MANIFEST, *filter(None, (manifest.measured,)), *_signatures(bundle)):
            _write(staging / name, (bundle / name).read_bytes())
        return verify_files(staging)


def kept_variants(manifest: Manifest, variant: str) -> tuple[VariantEntry, ...]:
    """A variant, and where its operators are those of edgener-ops, the first that runs without them on its providers.

    A device without these operators, or with those of another version, then still answers.
    """
    if not manifest.references:
        raise UserInputError(
            f"bundle {manifest.name} of schema {manifest.schema_version} has one manifest for all variants",
            "Export it again with this version, then slim it: edgener export",
        )
    entry = manifest.variant(variant)
    stock = [other for other in manifest.variants if can_replace(other.requirements, entry.requirements)]
    return entry, *stock[:1]


def can_replace(stock: VariantRequirements, native: VariantRequirements) -> bool:
    """Whether a variant that needs edgener-ops can be replaced by one that does not: on one of its providers."""
    shared = set(stock.providers) & set(native.providers)
    return bool(native.operators and not stock.operators and shared)


def needed_entries(manifest: Manifest, variants: tuple[VariantEntry, ...]) -> tuple[FileEntry, ...]:
    """The files with a hash that a bundle of these variants needs: all of theirs, and the common ones but reports."""
    return tuple(entry for entry in replace(manifest, variants=variants).entries if not entry.optional)


def _signatures(bundle: Path) -> list[str]:
    return sorted(path.name for path in bundle.iterdir() if is_signature(path.name))


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
