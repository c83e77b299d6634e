"""Which workers that watch hang: they run, but do not beat."""

from __future__ import annotations

from collections.abc import Iterable

from cloud.store import streams
from cloud.store.database import Database
from cloud.streams.leases import is_fresh
from edge_agent.clock import Clock

HUNG_S = 30.0
"""One that beat, and then did not for so long, hangs; others have its streams since four seconds after."""


class Rolls:
    """What the tables say of workers, by the names of their slots."""

    def __init__(self, database: Database, shared_clock: Clock) -> None:
        """Prepare; `shared_clock` is the one by which beats are written."""
        self._database, self._clock = database, shared_clock

    def at_work(self) -> set[str]:
        """Return who beats."""
        with self._database.read() as session:
            now_s = self._clock.now_s()
            beating = [row.id for row in streams.workers(session) if is_fresh(row.beat, now_s)]
        return {one.rpartition(".")[0] for one in beating}

    def counts(self, names: Iterable[str]) -> dict[str, int]:
        """Return how many streams each of them holds."""
        with self._database.read() as session:
            return {name: len(streams.leases_of_holders(session, name)) for name in names}


class Silence:
    """Since when who was heard says nothing; one that was never heard still begins."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nobody heard."""
        self._clock = clock
        self._heard_s: dict[str, float] = {}

    def hear(self, names: Iterable[str]) -> None:
        """Note who beats now."""
        self._heard_s.update(dict.fromkeys(names, self._clock.monotonic_s()))

    def forget(self, name: str) -> None:
        """Note that one died, or is ended: the next one in its place begins."""
        self._heard_s.pop(name, None)

    def forgive(self) -> None:
        """Nobody could be heard: that is no reason to end anybody."""
        self.hear(list(self._heard_s))

    def hung(self) -> list[str]:
        """Return who hangs."""
        now_s = self._clock.monotonic_s()
        return [name for name, heard_s in self._heard_s.items() if now_s - heard_s > HUNG_S]
