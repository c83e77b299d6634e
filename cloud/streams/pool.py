"""The workers that watch streams, as the server keeps them: started with the first stream, never left dead.

Workers need nobody who tells them what to watch; this only starts them, frees at once what a dead one held,
and ends one that hangs. Those of a server that was killed watch on: this takes them over (`seats`).
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from cloud.processes import (
    ONE_THREAD,
    START_S,
    Process,
    Supervisor,
    start_child,
    starts_at_once,
    stop_child,
)
from cloud.settings import Settings
from cloud.store import streams
from cloud.store.database import Database
from cloud.streams.book import Book
from cloud.streams.seats import Seat, SeatRow
from cloud.streams.shared_clock import clock_of
from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError

_LOG = logging.getLogger(__name__)
_LOOK_S = 0.5
_HUNG_S = 30.0
_BEGIN_S = 600.0
"""A worker that does not begin for so long hangs, too; to load its libraries takes seconds, or minutes."""

_GRACE_S = 15.0
_READ_BYTES = 65536
_TERMS = {
    "home", "database", "object_store", "stream_hosts", "stream_workers", "ray_address", "offload_gpus",
    "model_ram_bytes", "model_disk_bytes", "model_gpu_bytes",
}  # fmt: skip
"""Settings that workers were started with."""

Command = Callable[[Path], Sequence[str]]
"""Returns what starts a worker on the seat at a path."""

OnEvent = Callable[[dict[str, Any]], None]


def worker_command(seat: Path) -> list[str]:
    """Return what starts a worker; where the database is, with its password, stands in the environment."""
    return [sys.executable, "-m", "cloud.streams.worker", str(seat)]


@dataclass
class _Kept:
    """A seat, and who sees to it that somebody sits there.

    `process_id` is of who sat there at the last look, `beat_s` when it was last known to beat, by the
    monotonic clock as `started_s`, and `has_begun` says whether it ever did.
    """

    seat: Seat
    supervisor: Supervisor
    started_s: float
    process_id: int | None = None
    beat_s: float = 0.0
    has_begun: bool = False


class StreamPool:
    """Keeps workers running while there is anything to watch."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        *,
        on_event: OnEvent = lambda _event: None,
        command: Command = worker_command,
        processes: int | None = None,
        at_once: int | None = None,
    ) -> None:
        """Prepare; `start` begins.

        Args:
            settings: How many workers, and where things are.
            database: Where streams are.
            clock: Where times come from.
            on_event: Hears of each event that was stored, from any thread.
            command: What starts a process.
            processes: How many, that keep workers elsewhere; none: each worker is one of its own.
            at_once: How many may be starting at a time; none: as this machine has cores.
        """
        self._settings, self._database, self._clock = settings, database, clock
        self._on_event, self._command = on_event, command
        self._shared_clock = clock_of(database, clock)
        self._book = Book(database, self._shared_clock)
        self._are_workers = processes is None
        self._at_once = at_once or starts_at_once()
        self.size = settings.stream_workers if processes is None else processes
        self._row: SeatRow | None = None
        self._kept: list[_Kept] = []
        self._waiting: list[Seat] = []
        self._judging_from_s = float("-inf")
        self._stopping, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="streams", daemon=True)

    @property
    def process_ids(self) -> tuple[int, ...]:
        """Return the process ids of the workers that run."""
        found = (one.supervisor.process_id for one in self._kept)
        return tuple(one for one in found if one is not None)

    def command(self, seat: Path) -> Sequence[str]:
        """Return what starts one of its processes."""
        return self._command(seat)

    def tell(self, on_event: OnEvent) -> None:
        """Let somebody hear of each event that is stored from now on, from any thread."""
        self._on_event = on_event

    def start(self) -> None:
        """Begin to look whether there is anything to watch; once, however often it is called."""
        if self._thread.ident is None:
            self._row = _row_of(self._settings)
            self._thread.start()

    def stop(self) -> None:
        """End the workers; they say when they stopped watching."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        enders = [threading.Thread(target=one.supervisor.stop) for one in self._kept]
        for ender in enders:
            ender.start()
        for ender in enders:
            ender.join()
        self._ended.set()
        if self._row is not None:
            self._row.release()
            self._row = None

    def _run(self) -> None:
        is_away = False
        while not self._stopping.is_set():
            try:
                self._look()
            except (ElfowlError, SQLAlchemyError) as error:
                if not is_away:
                    _LOG.error(
                        "the database of the streams does not answer, trying again until it does: %s", error
                    )
                is_away = True
                # Nobody could say that it lives meanwhile: that is no reason to end anybody.
                self._forgive()
            else:
                is_away = False
            self._stopping.wait(_LOOK_S)

    def _look(self) -> None:
        if not self._kept and self._row is not None:
            seats, beyond = self._row.seats(self.size), self._row.beyond(self.size)
            for one in beyond:
                # There were more before.
                one.terminate()
            if not any(seat.found() for seat in seats) and not self._is_anything_wanted():
                return
            self._bury(seats)
            # Who is there already needs no start.
            self._waiting = sorted(seats, key=lambda seat: seat.found() is None)
        self._start_some()
        for kept in self._kept:
            self._look_after(kept)

    def _forgive(self) -> None:
        now_s = self._clock.monotonic_s()
        self._judging_from_s = now_s + _HUNG_S
        for kept in self._kept:
            kept.beat_s = now_s

    def _is_anything_wanted(self) -> bool:
        with self._database.read() as session:
            return streams.any_wanted(session)

    def _bury(self, seats: Sequence[Seat]) -> None:
        for seat in seats:
            if seat.found() is None:
                # Its lease would hold for some seconds more; others can begin at once.
                self._book.bury(seat.slot)

    def _start_some(self) -> None:
        """Start workers: not all at once where they would only wait for each other's libraries."""
        while self._waiting and (self._waiting[0].found() or self._starting() < self._at_once):
            seat = self._waiting.pop(0)
            threading.Thread(target=self._hear, args=(seat,), name=f"hear-{seat.slot}", daemon=True).start()
            name, start = f"stream worker {seat.slot}", self._starter(seat)
            supervisor = Supervisor(name, start, self._clock, grace_s=_GRACE_S)
            supervisor.start()
            self._kept.append(_Kept(seat, supervisor, self._clock.monotonic_s()))

    def _starting(self) -> int:
        now_s = self._clock.monotonic_s()
        return sum(not one.has_begun and now_s - one.started_s < START_S for one in self._kept)

    def _look_after(self, kept: _Kept) -> None:
        now, before = kept.supervisor.process_id, kept.process_id
        if now != before:
            if before is not None:
                self._book.bury(f"{kept.seat.slot}.{before}")
            kept.process_id, kept.beat_s, kept.has_begun = now, self._clock.monotonic_s(), False
        if now is None or not self._are_workers:
            return
        silent_s = self._silent_s(kept, f"{kept.seat.slot}.{now}")
        most_s = _HUNG_S if kept.has_begun else _BEGIN_S
        if silent_s > most_s and self._clock.monotonic_s() >= self._judging_from_s:
            _LOG.error("stream worker %s says nothing for %.0f s: ended", kept.seat.slot, silent_s)
            os.kill(now, signal.SIGKILL)

    def _silent_s(self, kept: _Kept, worker_id: str) -> float:
        """Return for how long a worker did not beat; who is silent for long, others forget."""
        with self._database.read() as session:
            beats = [row.beat for row in streams.workers(session) if row.id == worker_id]
        if beats:
            silent_s = self._shared_clock.now_s() - beats[0]
            kept.beat_s, kept.has_begun = self._clock.monotonic_s() - silent_s, True
        return self._clock.monotonic_s() - kept.beat_s

    def _starter(self, seat: Seat) -> Callable[[], Process]:
        environment = {**ONE_THREAD, **self._settings.for_children}
        environment["ELFOWL_STREAM_HOSTS"] = ",".join(self._settings.stream_hosts)
        command = self._command(seat.path)
        terms = terms_of(command, self._settings)

        def start() -> Process:
            found = seat.found()
            if found is not None and seat.terms == terms:
                _LOG.warning("stream worker %s outlived its server and watches on", seat.slot)
                return found
            if found is not None:
                stop_child(found, _GRACE_S)
            seat.prepare(terms)
            return start_child(command, environment=environment)

        return start

    def _hear(self, seat: Seat) -> None:
        """Hear what is told at a seat, whoever sits there, until the pool ends."""
        while not self._ended.is_set():
            try:
                self._listen(seat)
            except OSError as error:
                _LOG.warning("stream worker %s cannot be heard: %s", seat.slot, error)
                self._ended.wait(_LOOK_S)

    def _listen(self, seat: Seat) -> None:
        rest = b""
        with seat.listening() as pipe:
            waiting = select.poll()
            waiting.register(pipe, select.POLLIN)
            while not self._ended.is_set():
                if waiting.poll(_LOOK_S * 1e3):
                    *lines, rest = (rest + os.read(pipe, _READ_BYTES)).split(b"\n")
                    for line in lines:
                        self._note(line)

    def _note(self, line: bytes) -> None:
        try:
            event = json.loads(line)["event"]
        except (ValueError, KeyError, TypeError):
            _LOG.info("stream worker: %r", line)
        else:
            self._on_event(event)


def terms_of(command: Sequence[str], settings: Settings) -> str:
    """Return what has to be the same, for a server to take over workers of another one."""
    keys = sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith("AWS_"))
    told = "\n".join([metadata.version("elfowl"), *command, settings.model_dump_json(include=_TERMS), *keys])
    return sha256(told.encode()).hexdigest()


def _row_of(settings: Settings) -> SeatRow:
    """Return a row of seats in the home folder; elsewhere, found by no later server, where that cannot be."""
    try:
        return SeatRow.claim(settings.home / "watchers")
    except OSError as error:
        _LOG.warning("a server after this one will not find its workers of streams: %s", error)
        # Not where uploads go, which the server makes the place of what is temporary.
        place = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108
        return SeatRow.claim(Path(tempfile.mkdtemp(prefix="elfowl-", dir=place)))
