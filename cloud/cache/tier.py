"""One tier: holds what was asked for within its budget, and gets the rest from the tier below, once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

from cloud.cache.book import Book
from cloud.cache.figures import TierFigures
from cloud.cache.key import ModelKey, ModelRef

L = TypeVar("L")
L_co = TypeVar("L_co", covariant=True)
V = TypeVar("V")


class Source(Protocol[L_co]):
    """Where a tier gets from what it does not hold."""

    def use(self, ref: ModelRef) -> AbstractContextManager[L_co]:
        """Give a model for as long as the block runs.

        Raises:
            ElfowlError: It cannot be had now.
        """
        ...


@dataclass(frozen=True)
class Rise(Generic[L, V]):
    """How a model comes up from the tier below.

    Attributes:
        weigh: What it will take of this tier's budget, in bytes.
        make: Brings it up; called without any lock held.
        drop: What is done with one that goes.
        name: By what it is known here.
    """

    weigh: Callable[[L], int]
    make: Callable[[ModelRef, L], V]
    drop: Callable[[ModelKey, V], None] = lambda _key, _value: None
    name: Callable[[ModelRef], ModelKey] = attrgetter("key")


@dataclass
class _Held(Generic[V]):
    value: V


@dataclass
class _Flight(Generic[V]):
    """A load under way, and how many wait for it beside the one that loads."""

    outcome: Future[_Held[V]] = field(default_factory=Future)
    waiting: int = 0


class Tier(Generic[L, V]):
    """Holds models; for many threads at once.

    However many ask for a model that is not there, one of them loads it. When that fails, all that wait are
    told so, and the next one tries again.
    """

    def __init__(self, name: str, book: Book, below: Source[L], rise: Rise[L, V]) -> None:
        self.name = name
        self._book, self._below, self._rise = book, below, rise
        self._held: dict[ModelKey, _Held[V]] = {}
        self._flights: dict[ModelKey, _Flight[V]] = {}
        self._lock = threading.Lock()
        self._hits = self._misses = self._waited = self._loads = self._failures = 0

    @contextmanager
    def use(self, ref: ModelRef) -> Iterator[V]:
        """Give a model; it is not evicted while the block runs.

        Raises:
            BusyError: There is no room beside what is in use.
            ElfowlError: It cannot be had now.
        """
        held = self._acquire(ref)
        try:
            yield held.value
        finally:
            self._release(self._rise.name(ref), held)

    def holds(self, ref: ModelRef) -> bool:
        """Tell whether a model would be given at once."""
        return self._rise.name(ref) in self._held

    def pin(self, ref: ModelRef) -> None:
        """Let a model that is in use here stay until it is unpinned.

        Raises:
            BusyError: Half of the budget is pinned already.
        """
        with self._lock:
            self._book.pin(self._rise.name(ref))

    def unpin(self, ref: ModelRef) -> None:
        """Let a model go again when its turn comes."""
        with self._lock:
            self._book.unpin(self._rise.name(ref))

    def discard(self, ref: ModelRef) -> None:
        """Forget a model, in use or not: it is damaged. One that is not here is no mistake."""
        key = self._rise.name(ref)
        with self._lock:
            if self._held.pop(key, None) is not None:
                self._book.drop(key)

    def restore(self, key: ModelKey, value: V, size_bytes: int) -> bool:
        """Take in what is there from an earlier time; tell whether there was room."""
        with self._lock:
            fits = self._book.restore(key, size_bytes)
            if fits:
                self._held[key] = _Held(value)
            return fits

    def figures(self) -> TierFigures:
        """Return what happened since the start."""
        with self._lock:
            return TierFigures(
                tier=self.name,
                hits=self._hits,
                misses=self._misses,
                waited=self._waited,
                loads=self._loads,
                failures=self._failures,
                evictions=self._book.evictions,
                models=len(self._held),
                used_bytes=self._book.used_bytes,
                in_use_bytes=self._book.in_use_bytes,
                pinned_bytes=self._book.pinned_bytes,
                budget_bytes=self._book.budget_bytes,
            )

    def _acquire(self, ref: ModelRef) -> _Held[V]:
        key = self._rise.name(ref)
        with self._lock:
            self._book.note(key)
            held = self._held.get(key)
            if held is not None:
                self._hits += 1
                self._book.take(key)
                return held
            self._misses += 1
            flight = self._flights.get(key)
            if flight is None:
                ours = self._flights[key] = _Flight()
            else:
                flight.waiting += 1
                self._waited += 1
        # Whoever loads has taken it for us too, before anything else could happen to it.
        return self._load(ref, key, ours) if flight is None else flight.outcome.result()

    def _release(self, key: ModelKey, held: _Held[V]) -> None:
        with self._lock:
            # A damaged one was discarded meanwhile; what is here now is another's.
            if self._held.get(key) is held:
                self._book.give(key)

    def _load(self, ref: ModelRef, key: ModelKey, flight: _Flight[V]) -> _Held[V]:
        try:
            held = _Held(self._bring(ref, key))
        except BaseException as error:
            with self._lock:
                self._failures += 1
                del self._flights[key]
            flight.outcome.set_exception(error)
            raise
        with self._lock:
            self._loads += 1
            self._held[key] = held
            self._book.take(key, users=flight.waiting)
            del self._flights[key]
        flight.outcome.set_result(held)
        return held

    def _bring(self, ref: ModelRef, key: ModelKey) -> V:
        with self._below.use(ref) as lower:
            self._make_room(key, self._rise.weigh(lower))
            try:
                return self._rise.make(ref, lower)
            except BaseException:
                with self._lock:
                    self._book.drop(key)
                raise

    def _make_room(self, key: ModelKey, size_bytes: int) -> None:
        with self._lock:
            gone = [(victim, self._held.pop(victim)) for victim in self._book.enter(key, size_bytes)]
        for victim, held in gone:
            self._rise.drop(victim, held.value)
