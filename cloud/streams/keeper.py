"""A worker's one thread that speaks to the database: stores events, beats, takes streams and lets them go.

Invariants:
- What a beat says was watched is stored: sights are taken first, then all that was told until then is stored.
- An event that could not be stored is tried again, for as long as the stream is held.
- Who could not beat for a while takes nobody's stream at once: the others may only have been as deaf.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from cloud.streams.book import Book, Held, Overview, Told, Wanted
from cloud.streams.gaps import GapKind, Sight
from cloud.streams.leases import BEAT_S, LEASE_S
from cloud.streams.placement import place, to_move
from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError
from edge_agent.wire.event import Event

_LOG = logging.getLogger(__name__)
_TOO_BUSY = 0.9
_MOVE_EVERY_S = 10.0
_MOST_LAG_S = 2.0
"""Pictures that wait for longer than this are left out by the most, so this worker begins nothing more."""

_AT_ONCE = 16
"""So many streams are begun at a beat, at most: the next beat sees what they cost."""

_LISTEN_S = 1.5 * LEASE_S
"""So long one that could not beat waits for the others to beat before it takes what is theirs."""

_MINE_S = 10.0
"""A stream that its worker does not take for so long is anybody's who has room."""

_NO_ROOM = (
    "it waits, for the workers have more streams than they can look at in time; start more of them "
    "(elfowl-cloud worker), pause other streams or ask for a lower rate"
)
_LOOK_RESTS = 20.0
"""A worker looks what there is to watch at each beat, unless that takes more than a twentieth of its time."""

_LOOK_MOST_S = 10.0
"""So long it takes at most, with many streams, until a pause or another detector is noticed."""


Goodbye = tuple[GapKind, str]
"""Why a worker lets its streams go: in one word, and in words for people."""

STOPPED: Goodbye = ("stopped", "the cloud was stopped")


class Watch(Protocol):
    """What is needed of a `StreamWatch`."""

    @property
    def wanted(self) -> Wanted:
        """Return what it was told last to watch."""
        ...

    def start(self) -> None:
        """Begin."""
        ...

    def end(self) -> None:
        """Begin to stop."""
        ...

    def stop(self) -> None:
        """End all events and stop."""
        ...

    def follow(self, wanted: Wanted) -> None:
        """Go on with other rules or detectors."""
        ...

    def sight(self) -> Sight:
        """Return how it is; what was over is told once."""
        ...

    def figures(self) -> Mapping[str, float]:
        """Return what it measures."""
        ...


class Work(Protocol):
    """What is needed of `Turns`."""

    def busy(self) -> float:
        """Return which share of its time this worker looks."""
        ...

    def lag_s(self) -> float:
        """Return how long pictures wait until they are looked at."""
        ...


@dataclass
class _Kept:
    held: Held
    watch: Watch
    sight: Sight | None = None

    def look(self) -> Sight:
        """Return how it is, with all gaps that no beat could write yet."""
        before = () if self.sight is None else self.sight.over
        fresh = self.watch.sight()
        self.sight = replace(fresh, over=(*before, *fresh.over))
        return self.sight


class Keeper:
    """Holds the streams of one worker."""

    def __init__(
        self,
        worker_id: str,
        book: Book,
        clock: Clock,
        watch: Callable[[Held], Watch],
        *,
        news: Callable[[Sequence[Event]], None] = lambda _events: None,
        work: Work | None = None,
        back_s: float | None = None,
    ) -> None:
        """Prepare.

        Args:
            worker_id: Under which this worker holds streams.
            book: The database.
            clock: Where times come from.
            watch: Makes what watches a stream.
            news: Hears of events that were stored.
            work: Says how much this worker has to do; none: next to nothing.
            back_s: When the database answered again, on the monotonic clock, if it was away just now: others
                may not have come to beat yet.
        """
        self._id, self._book, self._clock = worker_id, book, clock
        self._watch, self._news, self._work = watch, news, work
        self._told: queue.SimpleQueue[tuple[Held, Told]] = queue.SimpleQueue()
        self._waiting: list[tuple[Held, Told]] = []
        self._kept: dict[str, _Kept] = {}
        self._beaten_s = self._moved_s = float("-inf")
        self._look_again_s = float("-inf")
        self._deaf_until_s = float("-inf") if back_s is None else back_s + _LISTEN_S
        self._free_since_s: dict[str, float] = {}
        self._is_deaf = False

    @property
    def streams(self) -> tuple[str, ...]:
        """Return the ids of the streams that are held."""
        return tuple(self._kept)

    def tell(self, held: Held, told: Told) -> None:
        """Take an event; from any thread."""
        self._told.put((held, told))

    def turn(self) -> None:
        """Do what is due; a database that does not answer is asked again the next time."""
        try:
            if self._clock.monotonic_s() - self._beaten_s >= BEAT_S:
                self._beat()
                self._look()
                if self._is_deaf:
                    _LOG.warning("the database of the streams answers again")
                self._is_deaf = False
            else:
                self._store()
        except (ElfowlError, SQLAlchemyError) as error:
            if not self._is_deaf:
                _LOG.error(
                    "the database of the streams does not answer, trying again until it does: %s", error
                )
            self._is_deaf = True

    def stop(self, goodbye: Goodbye = STOPPED) -> None:
        """Let all streams go; why, their gaps say."""
        for kept in self._kept.values():
            kept.watch.end()
        try:
            for kept in list(self._kept.values()):
                self._let_go(kept, *goodbye)
            self._book.leave(self._id)
        except (ElfowlError, SQLAlchemyError) as error:
            _LOG.error("streams could not be let go: %s", error)

    def _store(self) -> None:
        while not self._told.empty():
            self._waiting.append(self._told.get())
        if not self._waiting:
            return
        by_stream: dict[str, tuple[Held, list[Told]]] = {}
        for held, told in self._waiting:
            by_stream.setdefault(held.epoch, (held, []))[1].append(told)
        news = self._book.store(self._id, by_stream.values())
        self._waiting.clear()
        self._news(news)

    def _beat(self) -> None:
        began_s = self._clock.monotonic_s()
        sights = {
            stream_id: (kept.held.token, kept.look(), kept.watch.figures())
            for stream_id, kept in self._kept.items()
        }
        self._store()
        lost = self._book.beat(self._id, sights)
        now_s = self._clock.monotonic_s()
        # Whoever waited for so long, others waited as long.
        if now_s - (began_s if self._beaten_s == float("-inf") else self._beaten_s) > LEASE_S / 2:
            self._deaf_until_s = now_s + _LISTEN_S
        self._beaten_s = began_s
        for kept in self._kept.values():
            kept.sight = None
        gone = [self._kept.pop(stream_id) for stream_id in lost]
        for kept in gone:
            _LOG.warning("stream %s: is not this worker's any more", kept.held.wanted.name)
            kept.watch.end()
        for kept in gone:
            kept.watch.stop()

    def _look(self) -> None:
        """Look what there is to watch: at each beat; with many streams less often, unless it may take one."""
        began_s = self._clock.monotonic_s()
        if began_s < self._look_again_s and (self._is_full() or not self._book.any_free()):
            return
        overview = self._book.look(bury=began_s >= self._deaf_until_s)
        took_s = self._clock.monotonic_s() - began_s
        self._look_again_s = began_s + min(_LOOK_MOST_S, _LOOK_RESTS * took_s)
        self._arrange(overview)

    def _arrange(self, overview: Overview) -> None:
        leaving: list[tuple[_Kept, GapKind, str]] = []
        for stream_id, kept in self._kept.items():
            wanted = overview.wanted.get(stream_id)
            if wanted is None:
                leaving.append((kept, "paused", "somebody paused it"))
            elif wanted.source != kept.watch.wanted.source:
                leaving.append((kept, "changed", "somebody changed its address or rate"))
            elif wanted != kept.watch.wanted:
                kept.watch.follow(wanted)
        for kept, _, _ in leaving:
            # All at once: the others must not wait for their beat while each of these takes a second.
            kept.watch.end()
        for kept, kind, why in leaving:
            self._let_go(kept, kind, why)
        if self._clock.monotonic_s() >= self._deaf_until_s:
            self._take_mine(overview)
            self._even_out(overview)

    def _take_mine(self, overview: Overview) -> None:
        free = self._free(overview)
        if self._is_full():
            self._book.keep_waiting([overview.leases[stream_id] for stream_id in free], _NO_ROOM)
            return
        for stream_id in free[:_AT_ONCE]:
            held = self._book.take(self._id, overview.wanted[stream_id], overview.leases[stream_id])
            if held is not None:
                kept = self._kept[stream_id] = _Kept(held, self._watch(held))
                kept.watch.start()

    def _is_full(self) -> bool:
        return self._work is not None and self._work.lag_s() > _MOST_LAG_S

    def _free(self, overview: Overview) -> list[str]:
        """Return the streams that this worker is to take: its own, and what others leave for long."""
        now_s = self._clock.monotonic_s()
        places = {
            stream_id: worker
            for stream_id, worker in place(overview.placed(), overview.workers).items()
            if stream_id not in self._kept and overview.may_take(stream_id)
        }
        self._free_since_s = {one: self._free_since_s.get(one, now_s) for one in places}
        left = {one for one, since_s in self._free_since_s.items() if now_s - since_s > _MINE_S}
        return [one for one, worker in places.items() if worker == self._id or one in left]

    def _even_out(self, overview: Overview) -> None:
        """Let one stream go when this worker cannot keep up and another one has far less to do."""
        now_s = self._clock.monotonic_s()
        busy = 0.0 if self._work is None else self._work.busy()
        if now_s - self._moved_s < _MOVE_EVERY_S or busy < _TOO_BUSY:
            return
        moved = to_move(overview.placed(), overview.workers)
        if moved is not None and moved in self._kept:
            self._moved_s = now_s
            self._let_go(
                self._kept[moved], "moved", "another worker takes it, for this one has too much to do"
            )

    def _let_go(self, kept: _Kept, kind: GapKind, why: str) -> None:
        kept.watch.stop()
        sight = kept.look()
        self._store()
        self._book.let_go(self._id, kept.held, sight, kind, why)
        self._kept.pop(kept.held.wanted.stream_id, None)
