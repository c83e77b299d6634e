"""Several workers that take each other's place: when one dies, another answers what it had."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from cloud.cache.figures import TierFigures
from cloud.cache.plan import CachePlan
from cloud.errors import BusyError
from cloud.offload.link import Link, LinkLostError, WorkerLink
from cloud.offload.protocol import Inferred
from cloud.processes import ONE_THREAD, Supervisor, start_child
from edge_agent.clock import Clock
from edge_agent.errors import BackendError

_LOG = logging.getLogger(__name__)
_DOUBTFUL_S = 2.0
"""A worker that is silent for so long gets questions only when there is no other."""

_HUNG_S = 10.0
"""One that is silent for so long is ended, and started again."""

_FIGURES_S = 2.0
_MOST_DEATHS = 3
"""A picture that so many workers died with is not given to another one."""

Command = Callable[[Path], Sequence[str]]
"""Returns what starts a worker on a socket."""


class WorkerPool:
    """Asks the worker that has least to do; what was lost with one is asked again of another, in time."""

    def __init__(self, links: Sequence[Link], clock: Clock) -> None:
        """Use workers that somebody else started; `supervised` makes a pool with its own."""
        self._links = tuple(links)
        self._clock = clock
        self._supervisors: list[Supervisor] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._came_up: asyncio.Event | None = None
        self.retried = 0

    @classmethod
    def supervised(cls, count: int, command: Command, clock: Clock) -> WorkerPool:
        """Return a pool of workers of its own, which are started again whenever they end."""
        # A folder of our own: paths of sockets are short (108 bytes), and nobody else may connect.
        folder = tempfile.TemporaryDirectory(prefix="elfowl-")
        sockets = [Path(folder.name) / f"offload{number}.sock" for number in range(count)]
        pool = cls([WorkerLink(socket, clock) for socket in sockets], clock)
        pool._folder = folder
        pool._supervisors = [
            Supervisor(f"offload worker {number}", _starter(command, socket), clock)
            for number, socket in enumerate(sockets)
        ]
        return pool

    @property
    def process_ids(self) -> tuple[int, ...]:
        """Return the process ids of the workers that run."""
        found = (supervisor.process_id for supervisor in self._supervisors)
        return tuple(one for one in found if one is not None)

    @property
    def up(self) -> int:
        """Return how many workers can be asked."""
        return sum(link.is_up for link in self._links)

    def start(self) -> None:
        """Start workers and connect to them, once."""
        if self._came_up is not None:
            return
        self._came_up = asyncio.Event()
        for supervisor in self._supervisors:
            supervisor.start()
        for link in self._links:
            link.start(self._came_up)

    async def stop(self) -> None:
        """Hang up and end the workers."""
        for link in self._links:
            await link.stop()
        await asyncio.gather(*(asyncio.to_thread(one.stop) for one in self._supervisors if self._came_up))
        if self._folder is not None:
            self._folder.cleanup()

    def get_ready(self, folder: Path) -> None:
        """Let all workers load a detector."""
        for link in self._links:
            link.tell(folder)

    async def cache_figures(self) -> list[tuple[TierFigures, ...]]:
        """Return what happened in the model cache of each worker that tells at once."""
        asked = (asyncio.wait_for(link.figures(), _FIGURES_S) for link in self._links if link.is_up)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return [one for one in answers if not isinstance(one, BaseException)]

    async def ask(self, folder: Path, jpeg: bytes, deadline_s: float) -> Inferred:
        """Return what a worker saw in a picture.

        Args:
            folder: Of the detector.
            jpeg: The picture.
            deadline_s: Until when an answer is of use, on the monotonic clock.

        Raises:
            BusyError: No worker answered in time.
            BackendError: The detector could not be run.
            ElfowlError: As the worker says.
        """
        self.start()
        try:
            async with asyncio.timeout(deadline_s - self._clock.monotonic_s()):
                return await self._ask_in_turn(folder, jpeg, deadline_s)
        except TimeoutError as error:
            self._end_hung()
            message = "no answer in time" if self.up else "the offload worker is starting"
            raise BusyError(message, retry_after_s=1.0 if self.up else 3.0) from error

    async def _ask_in_turn(self, folder: Path, jpeg: bytes, deadline_s: float) -> Inferred:
        deaths = 0
        while deaths < _MOST_DEATHS:
            link = await self._least_busy()
            left_ms = (deadline_s - self._clock.monotonic_s()) * 1000
            try:
                answer = await link.ask(folder, jpeg, left_ms, alone=deaths > 0)
            except LinkLostError:
                deaths += 1
                self.retried += 1
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
        for link, supervisor in zip(self._links, self._supervisors, strict=False):
            process_id = supervisor.process_id
            if link.silent_s > _HUNG_S and process_id is not None:
                _LOG.error("offload worker %d says nothing for %.0f s: ended", process_id, link.silent_s)
                os.kill(process_id, signal.SIGKILL)


def worker_command(plan: CachePlan) -> Command:
    """Return what starts the workers of this cloud."""
    return lambda socket: [sys.executable, "-m", "cloud.offload.worker", str(socket), plan.model_dump_json()]


def _starter(command: Command, socket: Path) -> Callable[[], subprocess.Popen[str]]:
    def start() -> subprocess.Popen[str]:
        socket.unlink(missing_ok=True)
        return start_child(command(socket), environment=ONE_THREAD)

    return start
