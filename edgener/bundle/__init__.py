"""Bundles: the folders that devices get."""
