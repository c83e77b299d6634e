"""The workers that watch streams, as the server keeps them: started with the first stream, never left dead.

Workers need nobody who tells them what to watch; this only starts them, frees at once what a dead one held,
and ends one that hangs.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from cloud.processes import ONE_THREAD, Supervisor, start_child
from cloud.settings import Settings
from cloud.store import streams
from cloud.store.database import Database
from cloud.streams.book import Book
from cloud.streams.shared_clock import clock_of
from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError

_LOG = logging.getLogger(__name__)
_LOOK_S = 0.5
_HUNG_S = 15.0
_GRACE_S = 15.0

Command = Callable[[str], Sequence[str]]
"""Returns what starts the worker of a slot."""

OnEvent = Callable[[dict[str, Any]], None]


def worker_command(slot: str) -> list[str]:
    """Return what starts a worker; where the database is, with its password, stands in the environment."""
    return [sys.executable, "-m", "cloud.streams.worker", slot]


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
    ) -> None:
        """Prepare; `start` begins.

        Args:
            settings: How many workers, and where things are.
            database: Where streams are.
            clock: Where times come from.
            on_event: Hears of each event that was stored, from any thread.
            command: What starts a process.
            processes: How many; none: one for each worker.
        """
        self._settings, self._database, self._clock = settings, database, clock
        self._on_event, self._command = on_event, command
        self._shared_clock = clock_of(database, clock)
        self._book = Book(database, self._shared_clock)
        name = f"pool_{secrets.token_hex(3)}"
        count = settings.stream_workers if processes is None else processes
        self._slots = [f"{name}-{number}" for number in range(count)]
        self._supervisors: list[Supervisor] = []
        self._known: dict[str, int] = {}
        self._judging_from_s = float("-inf")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="streams", daemon=True)

    @property
    def process_ids(self) -> tuple[int, ...]:
        """Return the process ids of the workers that run."""
        found = (one.process_id for one in self._supervisors)
        return tuple(one for one in found if one is not None)

    @property
    def commands(self) -> tuple[Sequence[str], ...]:
        """Return what starts each of its processes."""
        return tuple(self._command(slot) for slot in self._slots)

    def tell(self, on_event: OnEvent) -> None:
        """Let somebody hear of each event that is stored from now on, from any thread."""
        self._on_event = on_event

    def start(self) -> None:
        """Begin to look whether there is anything to watch; once, however often it is called."""
        if self._thread.ident is None:
            self._thread.start()

    def stop(self) -> None:
        """End the workers; they say when they stopped watching."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        enders = [threading.Thread(target=one.stop) for one in self._supervisors]
        for ender in enders:
            ender.start()
        for ender in enders:
            ender.join()

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
                self._judging_from_s = self._clock.monotonic_s() + _HUNG_S
            else:
                is_away = False
            self._stopping.wait(_LOOK_S)

    def _look(self) -> None:
        if not self._supervisors:
            with self._database.read() as session:
                if not streams.any_wanted(session):
                    return
            self._start_workers()
        for slot, supervisor in zip(self._slots, self._supervisors, strict=True):
            self._look_after(slot, supervisor)

    def _start_workers(self) -> None:
        for slot in self._slots:
            supervisor = Supervisor(
                f"stream worker {slot}", self._starter(slot), self._clock, grace_s=_GRACE_S
            )
            supervisor.start()
            self._supervisors.append(supervisor)

    def _look_after(self, slot: str, supervisor: Supervisor) -> None:
        now, before = supervisor.process_id, self._known.get(slot)
        if before is not None and now != before:
            # Its lease would hold for some seconds more; others can begin at once.
            self._book.bury(f"{slot}.{before}")
            del self._known[slot]
        if now is None:
            return
        self._known[slot] = now
        silent_s = self._silent_s(f"{slot}.{now}")
        if silent_s > _HUNG_S and self._clock.monotonic_s() >= self._judging_from_s:
            _LOG.error("stream worker %s says nothing for %.0f s: ended", slot, silent_s)
            os.kill(now, signal.SIGKILL)

    def _silent_s(self, worker_id: str) -> float:
        """Return for how long a worker did not beat; one that has not begun yet is not silent."""
        with self._database.read() as session:
            beats = [row.beat for row in streams.workers(session) if row.id == worker_id]
        return self._shared_clock.now_s() - beats[0] if beats else 0.0

    def _starter(self, slot: str) -> Callable[[], subprocess.Popen[str]]:
        def start() -> subprocess.Popen[str]:
            environment = {**ONE_THREAD, **self._settings.for_children}
            environment["ELFOWL_STREAM_HOSTS"] = ",".join(self._settings.stream_hosts)
            child = start_child(self._command(slot), environment=environment, stdout=subprocess.PIPE)
            threading.Thread(target=self._hear, args=(child,), name=f"hear-{slot}", daemon=True).start()
            return child

        return start

    def _hear(self, child: subprocess.Popen[str]) -> None:
        for line in child.stdout or ():
            try:
                event = json.loads(line)["event"]
            except (ValueError, KeyError, TypeError):
                _LOG.info("stream worker: %s", line.rstrip())
                continue
            self._on_event(event)
