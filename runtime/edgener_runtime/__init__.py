"""Run edgener bundles on a device: text in, entities out."""

__version__ = "0.1.0"
