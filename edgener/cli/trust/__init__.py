"""Commands that sign bundles, verify signatures, and export bundles again."""
