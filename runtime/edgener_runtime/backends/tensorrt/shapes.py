"""The batches that an engine's profiles take, and the lengths that batches are padded to."""

from __future__ import annotations

from collections.abc import Sequence

from edgener_runtime.backends.base import LENGTHS, BatchShapes

from .profiles import Profile, Shape


def shapes_of(profiles: Sequence[Profile], lengths: Sequence[int] = ()) -> BatchShapes:
    """The batches that a session of an engine takes, padded to `lengths`."""
    spans = ((profile.maximum[0], profile.minimum[1], profile.maximum[1]) for profile in profiles)
    return BatchShapes(tuple(lengths), tuple(spans))


def lengths_of(profiles: Sequence[Profile]) -> tuple[int, ...]:
    """The lengths to pad to: those of LENGTHS that a profile takes, and the longest of each profile."""
    ends = {profile.maximum[1] for profile in profiles}
    return tuple(sorted(ends | {length for length in LENGTHS if any(_takes(profile, length) for profile in profiles)}))


def fitting(profiles: Sequence[Profile], rows: int, subwords: int) -> tuple[int, Shape] | None:
    """The number of the smallest profile that takes a batch, and the shape to run it in.

    The shape may have more rows than the batch, where the profile has a minimum; their logits are discarded. None where
    no profile takes the batch.
    """
    found = [
        (profile.maximum[0] * profile.maximum[1], number, max(rows, profile.minimum[0]))
        for number, profile in enumerate(profiles)
        if profile.takes(max(rows, profile.minimum[0]), subwords)
    ]
    if not found:
        return None
    _, number, filled = min(found)
    return number, (filled, subwords)


def _takes(profile: Profile, subwords: int) -> bool:
    return profile.takes(profile.minimum[0], subwords)
