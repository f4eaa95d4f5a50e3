"""The built-in factory data set: maintenance orders, shift logs and alarms, generated from a seed."""

from .generate import factory_splits

__all__ = ["factory_splits"]
