"""What one tier holds, and what goes when something else comes: bookkeeping only, no I/O, no clock.

The policy is W-TinyLFU (Einziger, Friedman, Manes 2017), made aware of sizes by aggregated victims (Einziger,
Eytan, Friedman, Manes: "Lightweight Robust Size Aware Cache Management", ACM Transactions on Storage 18(3),
2022): a newcomer lives in a small window; to stay it must have been asked for more often than all those
together that would go for it. So a model seen once never throws out what is used often.

Invariants: what is in use or pinned never goes; the bytes held are never more than the budget.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from cloud.cache.key import ModelKey
from cloud.cache.sketch import Sketch
from cloud.errors import BusyError
from edge_agent.errors import ConfigError

_WINDOW_SHARE = 0.05
_PROTECTED_SHARE = 0.8
_PINNED_SHARE = 0.5
_RETRY_S = 1.0


@dataclass(slots=True)
class _Entry:
    size_bytes: int
    region: _Region
    users: int = 0


class _Region:
    """Models in the order of their last use, and the bytes of them all."""

    def __init__(self) -> None:
        self.entries: OrderedDict[ModelKey, _Entry] = OrderedDict()
        self.size_bytes = 0

    def put(self, key: ModelKey, entry: _Entry) -> None:
        """Take in as the last used."""
        entry.region = self
        self.entries[key] = entry
        self.size_bytes += entry.size_bytes

    def remove(self, key: ModelKey) -> None:
        """Take out."""
        self.size_bytes -= self.entries.pop(key).size_bytes


class Book:
    """Which models a tier holds. Not for several threads at once."""

    def __init__(self, name: str, budget_bytes: int, *, keys: int = 1 << 16) -> None:
        """Begin empty.

        Args:
            name: Of the tier, for messages.
            budget_bytes: So much at most.
            keys: About how many models are of interest at the same time.
        """
        self.budget_bytes = budget_bytes
        self._name = name
        self._sketch = Sketch(keys)
        self._entries: dict[ModelKey, _Entry] = {}
        self._window, self._probation, self._protected, self._pinned = (_Region() for _ in range(4))
        self._busy_bytes = 0
        self.evictions = 0

    def __contains__(self, key: ModelKey) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def used_bytes(self) -> int:
        """Return the bytes of all that is held."""
        regions = (self._window, self._probation, self._protected, self._pinned)
        return sum(region.size_bytes for region in regions)

    @property
    def in_use_bytes(self) -> int:
        """Return the bytes of what is in use and not pinned."""
        return self._busy_bytes

    @property
    def pinned_bytes(self) -> int:
        """Return the bytes of what stays in any case."""
        return self._pinned.size_bytes

    def users(self, key: ModelKey) -> int:
        """Return how many use it."""
        return self._entries[key].users if key in self._entries else 0

    def note(self, key: ModelKey) -> None:
        """Remember that somebody asked for it, held or not."""
        self._sketch.note(key.number)

    def take(self, key: ModelKey, users: int = 1) -> None:
        """Use what is held; `give` must follow for each."""
        entry = self._entries[key]
        if not entry.users and users and entry.region is not self._pinned:
            self._busy_bytes += entry.size_bytes
        entry.users += users
        if entry.region is self._probation:
            self._move(key, self._protected)
            self._demote()
        else:
            entry.region.entries.move_to_end(key)

    def give(self, key: ModelKey) -> None:
        """Use it no longer."""
        entry = self._entries[key]
        entry.users -= 1
        if not entry.users and entry.region is not self._pinned:
            self._busy_bytes -= entry.size_bytes

    def enter(self, key: ModelKey, size_bytes: int) -> list[ModelKey]:
        """Take a newcomer in, used once; return what goes for it.

        Raises:
            ConfigError: It is larger than the budget.
            BusyError: It has no room beside what is in use or pinned; nothing was changed.
        """
        if size_bytes > self.budget_bytes:
            message = (
                f"a model of {size_bytes} bytes is larger than the whole model cache ({self._name}: "
                f"{self.budget_bytes} bytes): raise its budget"
            )
            raise ConfigError(message)
        stays = self._busy_bytes + self.pinned_bytes
        if stays + size_bytes > self.budget_bytes:
            message = f"{stays} of {self.budget_bytes} bytes of the model cache ({self._name}) are in use"
            raise BusyError(message, retry_after_s=_RETRY_S)
        entry = self._entries[key] = _Entry(size_bytes, self._window, users=1)
        self._window.put(key, entry)
        self._busy_bytes += size_bytes
        victims = list(self._settle())
        self.evictions += len(victims)
        return victims

    def restore(self, key: ModelKey, size_bytes: int) -> bool:
        """Take in what is there already and used by nobody, the newest first; tell whether there was room."""
        if key in self._entries or self.used_bytes + size_bytes > self.budget_bytes:
            return False
        entry = self._entries[key] = _Entry(size_bytes, self._probation)
        self._probation.put(key, entry)
        self._probation.entries.move_to_end(key, last=False)
        return True

    def drop(self, key: ModelKey) -> None:
        """Forget it, in use or not: it is damaged, or never came."""
        entry = self._entries[key]
        if entry.users and entry.region is not self._pinned:
            self._busy_bytes -= entry.size_bytes
        self._remove(key)

    def pin(self, key: ModelKey) -> None:
        """Let it stay until it is unpinned.

        Raises:
            BusyError: Half of the budget is pinned already.
        """
        entry = self._entries[key]
        if entry.region is self._pinned:
            return
        if self.pinned_bytes + entry.size_bytes > _PINNED_SHARE * self.budget_bytes:
            message = f"half of the model cache ({self._name}) is pinned already: unpin something first"
            raise BusyError(message, retry_after_s=_RETRY_S)
        if entry.users:
            self._busy_bytes -= entry.size_bytes
        self._move(key, self._pinned)

    def unpin(self, key: ModelKey) -> None:
        """Let it go again when its turn comes; one that is not pinned is no mistake."""
        entry = self._entries.get(key)
        if entry is None or entry.region is not self._pinned:
            return
        if entry.users:
            self._busy_bytes += entry.size_bytes
        self._move(key, self._protected)
        self._demote()

    def _settle(self) -> Iterator[ModelKey]:
        """Move and remove until window and whole are within their bounds; yield what was removed."""
        while True:
            over_bytes = self.used_bytes - self.budget_bytes
            leaving = self._leaving_window()
            if leaving is not None and over_bytes <= 0:
                self._move(leaving, self._probation)
            elif leaving is not None:
                yield from self._contest(leaving, over_bytes)
            elif over_bytes > 0:
                oldest = next(self._idle(self._probation, self._protected, self._window))
                self._remove(oldest)
                yield oldest
            else:
                return

    def _leaving_window(self) -> ModelKey | None:
        """Return what has been in the window for longest, if the window holds too much."""
        if self._window.size_bytes <= _WINDOW_SHARE * self.budget_bytes:
            return None
        return next(self._idle(self._window), None)

    def _contest(self, candidate: ModelKey, over_bytes: int) -> Iterator[ModelKey]:
        """Let it stay if it was asked for more often than all that would go for it; yield what goes."""
        wanted_bytes = min(over_bytes, self._entries[candidate].size_bytes)
        worth, freed_bytes = self._sketch.count(candidate.number), 0
        victims: list[ModelKey] = []
        for key in self._idle(self._probation, self._protected):
            worth -= self._sketch.count(key.number)
            if worth <= 0:
                break
            victims.append(key)
            freed_bytes += self._entries[key].size_bytes
            if freed_bytes >= wanted_bytes:
                break
        if worth > 0 and freed_bytes >= wanted_bytes:
            self._move(candidate, self._probation)
        else:
            victims = [candidate]
        for key in victims:
            self._remove(key)
            yield key

    def _idle(self, *regions: _Region) -> Iterator[ModelKey]:
        """Yield what nobody uses, that which was unused for longest first."""
        # What is in use was moved to the end when it was taken: few are skipped before the first idle one.
        return (key for region in regions for key, entry in region.entries.items() if not entry.users)

    def _demote(self) -> None:
        while self._protected.size_bytes > _PROTECTED_SHARE * self.budget_bytes:
            self._move(next(iter(self._protected.entries)), self._probation)

    def _move(self, key: ModelKey, region: _Region) -> None:
        entry = self._entries[key]
        entry.region.remove(key)
        region.put(key, entry)

    def _remove(self, key: ModelKey) -> None:
        self._entries.pop(key).region.remove(key)
