"""Several workers that take each other's place: when one dies, another answers what it had."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloud.cache.figures import TierFigures
from cloud.cache.plan import CachePlan
from cloud.errors import BusyError
from cloud.offload.link import Link, LinkLostError, WorkerLink
from cloud.offload.protocol import Inferred
from cloud.processes import ONE_THREAD, START_S, Supervisor, start_child, starts_at_once
from edge_agent.clock import Clock
from edge_agent.errors import BackendError
from edge_agent.wire.base import WHOLE, XyxyNorm

_LOG = logging.getLogger(__name__)
_DOUBTFUL_S = 2.0
"""A worker that is silent for so long gets questions only when there is no other."""

_HUNG_S = 10.0
"""One that is silent for so long is ended, and started again."""

_FIGURES_S = 2.0
_PAUSE_S = 1.0
_LOOK_S = 0.1
_MOST_DEATHS = 3
"""A picture that so many workers died with is not given to another one."""

Command = Callable[[Path], Sequence[str]]
"""Returns what starts a worker on a socket."""


@dataclass(frozen=True)
class _Crew:
    """A process of ours, and the links that lead to it."""

    supervisor: Supervisor
    links: Sequence[Link]

    @property
    def silent_s(self) -> float:
        """Return for how long all of its links owe answers."""
        return min(link.silent_s for link in self.links)


@dataclass(frozen=True)
class _Ours:
    """What ends with a pool: its processes, and the folder of their sockets."""

    folder: tempfile.TemporaryDirectory[str]
    crews: Sequence[_Crew] = ()


class WorkerPool:
    """Asks the worker that has least to do; what was lost with one is asked again of another, in time."""

    def __init__(
        self, links: Sequence[Link], clock: Clock, *, ours: _Ours | None = None, at_once: int | None = None
    ) -> None:
        """Use workers that somebody else started; `supervised` makes a pool with its own."""
        self._links = tuple(links)
        self._clock = clock
        self._crews = ours.crews if ours else ()
        self._folder = ours.folder if ours else None
        self._at_once = at_once or starts_at_once()
        self._came_up: asyncio.Event | None = None
        self._starting: asyncio.Task[None] | None = None
        self._wanted: int | None = None
        self.retried = 0

    @classmethod
    def supervised(
        cls, count: int, command: Command, clock: Clock, *, at_once: int | None = None
    ) -> WorkerPool:
        """Return a pool of workers of its own, which are started again whenever they end.

        Args:
            count: Of the workers.
            command: Returns what starts one on a socket.
            clock: Where the time comes from.
            at_once: How many may be starting at a time; none: as this machine has cores.
        """
        folder, sockets = _sockets(count)
        links = [WorkerLink(socket, clock) for socket in sockets]
        crews = [
            _Crew(Supervisor(f"offload worker {number}", _starter(command(socket), [socket]), clock), [link])
            for number, (socket, link) in enumerate(zip(sockets, links, strict=True))
        ]
        return cls(links, clock, ours=_Ours(folder, crews), at_once=at_once)

    @classmethod
    def kept(cls, count: int, command: Callable[[Sequence[Path]], Sequence[str]], clock: Clock) -> WorkerPool:
        """Return a pool of workers elsewhere, with one process of its own that keeps them and leads there.

        Args:
            count: Of the workers, at most: `want` says how many of them there shall be.
            command: Returns what starts that process on the sockets, one for each worker.
            clock: Where the time comes from.
        """
        folder, sockets = _sockets(count)
        links = [WorkerLink(socket, clock) for socket in sockets]
        supervisor = Supervisor("keeper of offload workers", _starter(command(sockets), sockets), clock)
        return cls(links, clock, ours=_Ours(folder, [_Crew(supervisor, links)]))

    @property
    def process_ids(self) -> tuple[int, ...]:
        """Return the process ids of the workers that run, or of who keeps them."""
        found = (crew.supervisor.process_id for crew in self._crews)
        return tuple(one for one in found if one is not None)

    @property
    def up(self) -> int:
        """Return how many workers can be asked."""
        return sum(link.is_up for link in self._links)

    def start(self) -> None:
        """Start workers, one after another where they would only wait for each other, and connect; once."""
        if self._came_up is not None:
            return
        self._came_up = asyncio.Event()
        for crew in self._crews[: self._at_once]:
            crew.supervisor.start()
        self._starting = asyncio.create_task(self._start_others())
        for link in self._links:
            link.start(self._came_up)

    async def _start_others(self) -> None:
        for number, crew in enumerate(self._crews[self._at_once :]):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(START_S):
                    while self.up <= number:  # noqa: ASYNC110 - links tell nobody else
                        await asyncio.sleep(_LOOK_S)
            crew.supervisor.start()

    async def stop(self) -> None:
        """Hang up and end the workers."""
        if self._starting is not None:
            self._starting.cancel()
        for link in self._links:
            await link.stop()
        started = self._crews if self._came_up else []
        await asyncio.gather(*(asyncio.to_thread(crew.supervisor.stop) for crew in started))
        if self._folder is not None:
            self._folder.cleanup()

    def want(self, count: int) -> None:
        """Say how many workers there shall be, to who keeps them elsewhere; of its own a pool has all."""
        if self._folder is None or count == self._wanted:
            return
        try:
            wanted_file(Path(self._folder.name)).write_text(f"{count}\n")
        except OSError as error:
            _LOG.warning("who keeps workers cannot be told that there shall be %d: %s", count, error)
        else:
            self._wanted = count

    def get_ready(self, folder: Path) -> None:
        """Let all workers load a detector."""
        for link in self._links:
            link.tell(folder)

    async def cache_figures(self) -> list[tuple[TierFigures, ...]]:
        """Return what happened in the model cache of each worker that tells at once."""
        asked = (asyncio.wait_for(link.figures(), _FIGURES_S) for link in self._links if link.is_up)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return [one for one in answers if not isinstance(one, BaseException)]

    async def ask(self, folder: Path, jpeg: bytes, deadline_s: float, part: XyxyNorm = WHOLE) -> Inferred:
        """Return what a worker saw in a picture.

        Args:
            folder: Of the detector.
            jpeg: The picture.
            deadline_s: Until when an answer is of use, on the monotonic clock.
            part: Of a frame, that the picture shows.

        Raises:
            BusyError: No worker answered in time.
            BackendError: The detector could not be run.
            ElfowlError: As the worker says.
        """
        self.start()
        try:
            async with asyncio.timeout(deadline_s - self._clock.monotonic_s()):
                return await self._ask_in_turn(folder, jpeg, deadline_s, part)
        except TimeoutError as error:
            self._end_hung()
            message = "no answer in time" if self.up else "the offload worker is starting"
            raise BusyError(message, retry_after_s=1.0 if self.up else 3.0) from error

    async def _ask_in_turn(self, folder: Path, jpeg: bytes, deadline_s: float, part: XyxyNorm) -> Inferred:
        deaths = 0
        while deaths < _MOST_DEATHS:
            link = await self._least_busy()
            left_ms = (deadline_s - self._clock.monotonic_s()) * 1000
            try:
                answer = await link.ask(folder, jpeg, left_ms, alone=deaths > 0, part=part)
            except LinkLostError:
                deaths += 1
                self.retried += 1
                if 1 < deaths < _MOST_DEATHS:
                    # A machine takes all of its workers with it, one shortly after another: a picture must
                    # not be given up for having been at three of them.
                    await asyncio.sleep(_PAUSE_S)
                continue
            if answer.inferred is not None:
                return answer.inferred
            if answer.failed is not None:
                raise answer.failed.error()
        message = f"{deaths} workers ended while they looked at this picture"
        raise BackendError(message)

    async def _least_busy(self) -> Link:
        """Return the worker with the fewest questions; waits while there is none."""
        while True:
            up = [link for link in self._links if link.is_up]
            if up:
                return min(up, key=lambda link: (link.silent_s > _DOUBTFUL_S, link.under_way))
            came_up = self._came_up
            if came_up is None:
                message = "ask only a pool that was started"
                raise RuntimeError(message)
            came_up.clear()
            await came_up.wait()

    def _end_hung(self) -> None:
        for crew in self._crews:
            process_id = crew.supervisor.process_id
            if crew.silent_s > _HUNG_S and process_id is not None:
                _LOG.error("offload worker %d says nothing for %.0f s: ended", process_id, crew.silent_s)
                os.kill(process_id, signal.SIGKILL)


def wanted_file(folder: Path) -> Path:
    """Return in which file of the folder of sockets stands how many workers there shall be."""
    return folder / "wanted"


def worker_command(plan: CachePlan) -> Command:
    """Return what starts the workers of this cloud."""
    return lambda socket: [sys.executable, "-m", "cloud.offload.worker", str(socket), plan.model_dump_json()]


def _sockets(count: int) -> tuple[tempfile.TemporaryDirectory[str], list[Path]]:
    # A folder of our own: paths of sockets are short (108 bytes), and nobody else may connect. Not where
    # uploads go, which the server makes the place of what is temporary: a home may lie deep.
    folder = tempfile.TemporaryDirectory(prefix="elfowl-", dir=os.environ.get("TMPDIR") or "/tmp")  # noqa: S108
    return folder, [Path(folder.name) / f"offload{number}.sock" for number in range(count)]


def _starter(command: Sequence[str], sockets: Sequence[Path]) -> Callable[[], subprocess.Popen[str]]:
    def start() -> subprocess.Popen[str]:
        for socket in sockets:
            socket.unlink(missing_ok=True)
        return start_child(command, environment=ONE_THREAD)

    return start
