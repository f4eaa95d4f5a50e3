"""Bundles: the folder a device gets."""
