"""Signatures of bundles: their format, and the policy that says which a device requires."""

from .check import check_signatures
from .policy import Policy, required_policy

__all__ = ["Policy", "check_signatures", "required_policy"]
