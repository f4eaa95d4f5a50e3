"""The journal of a store: which bundles it has, how each did, and what happened to them in which order.

The clock of a device may be years off, so that order is counted; times are for people. Only the link says which bundle
is active. A switch of the link is announced in the journal first: one that a power cut interrupted is then completed or
dropped by what the link says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timezone

NEW, TRIAL, GOOD, FAILED, FOUND = STATES = "new", "trial", "good", "failed", "found"
"""Never active; active and not yet confirmed; confirmed; rolled back from; found without a record of how it did."""
_FOLDER = re.compile(r"[0-9a-f]{16}(-[0-9]+)?")
_MOST_COUNT = 2**53
_MOST_EVENTS = 500  # the latest


@dataclass(frozen=True)
class StoredBundle:
    """A bundle of the store, in `folder` below the store's `bundles`.

    `activated` counts up with each activation, 0: never. On trial, `trial` answers are required before it counts as
    good, and `starts` processes that loaded it have not ended in order. `reason` says why it is not active any more, or
    why it failed.
    """

    version: str
    name: str
    folder: str
    state: str = NEW
    activated: int = 0
    trial: int = 0
    starts: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class StoreEvent:
    """Something that happened, in the order of `number`; `time` is that of the device's clock."""

    number: int
    time: str
    action: str
    version: str
    reason: str | None = None


@dataclass(frozen=True)
class Switch:
    """A switch of the link from one version (None: there was none) to another; `failed`: because the first failed."""

    version: str
    previous: str | None
    reason: str
    failed: bool = False
    trial: int = 0


@dataclass(frozen=True)
class StoreJournal:
    """The records of a store; a changed journal is a new one."""

    bundles: tuple[StoredBundle, ...] = ()
    events: tuple[StoreEvent, ...] = ()
    number: int = 0
    pending: Switch | None = None
    schema_version: int = 1

    def check(self) -> None:
        """Raise ValueError where a record cannot be one of ours: its folder would be removed some day."""
        for entry in self.bundles:
            if not _FOLDER.fullmatch(entry.folder) or entry.state not in STATES:
                raise ValueError(f"a bundle in the folder {entry.folder!r} in the state {entry.state!r}")
        counts = [self.number, *(event.number for event in self.events)]
        counts += [count for entry in self.bundles for count in (entry.activated, entry.trial, entry.starts)]
        counts += [self.pending.trial] if self.pending else []
        if not all(0 <= count < _MOST_COUNT for count in counts):
            raise ValueError("a count that nothing has reached")

    def find(self, version: str | None) -> StoredBundle | None:
        """The bundle of a version, if the store has it."""
        return next((entry for entry in self.bundles if entry.version == version), None)

    def with_bundle(self, entry: StoredBundle) -> StoreJournal:
        """With a bundle, in place of that of its version."""
        others = tuple(other for other in self.bundles if other.version != entry.version)
        return replace(self, bundles=(*others, entry))

    def without(self, versions: Iterable[str]) -> StoreJournal:
        """Without the bundles of these versions."""
        gone = set(versions)
        return replace(self, bundles=tuple(entry for entry in self.bundles if entry.version not in gone))

    def noting(self, action: str, version: str, reason: str | None = None) -> StoreJournal:
        """With an event."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        event = StoreEvent(self.number + 1, now, action, version, reason)
        return replace(self, number=event.number, events=(*self.events[-_MOST_EVENTS + 1 :], event))

    def candidates(self, active: str | None) -> list[StoredBundle]:
        """What a rollback may return to, best first: the good by their last activation, then the unconfirmed."""
        order = {GOOD: 0, TRIAL: 1, FOUND: 2}
        found = [entry for entry in self.bundles if entry.state in order and entry.version != active]
        return sorted(found, key=lambda entry: (order[entry.state], -entry.activated))

    def resolved(self, active: str | None) -> StoreJournal:
        """With the announced switch completed where the link made it, and dropped where it did not."""
        if self.pending is None:
            return self
        switch, known = self.pending, replace(self, pending=None)
        if active != switch.version:
            return known.noting("interrupted", switch.version, switch.reason)
        return known._completed(switch)

    def _completed(self, switch: Switch) -> StoreJournal:
        done = self.noting("rollback" if switch.failed else "activate", switch.version, switch.reason)
        old, new = done.find(switch.previous), done.find(switch.version)
        if old:
            reason = switch.reason if switch.failed else f"replaced by {switch.version}"
            done = done.with_bundle(replace(old, state=FAILED if switch.failed else old.state, reason=reason))
        if new:
            if switch.failed:
                state, trial = new.state, new.trial
            else:
                state, trial = TRIAL if switch.trial else GOOD, switch.trial
            fresh = replace(new, state=state, activated=done.number, trial=trial, starts=0, reason=None)
            done = done.with_bundle(fresh)
        return done
