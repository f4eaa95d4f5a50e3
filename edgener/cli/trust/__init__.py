"""Commands that sign bundles and verify signatures."""
