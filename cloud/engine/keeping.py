"""Keeps workers that are elsewhere: each behind a socket of this machine that is open while it can be asked.

So the pool of the web process finds workers in a cluster as it finds its own ones; what was lost with one it
asks again of another.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from cloud.cache.plan import CachePlan
from cloud.offload.bringing import Bringer
from cloud.offload.desk import Reply
from cloud.offload.listening import listen
from cloud.offload.pool import wanted_file
from cloud.offload.protocol import Answer, Ask, Failed
from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError

_LOG = logging.getLogger(__name__)
_AGAIN_S = 0.2
_LOOK_EVERY_S = 1.0
_SILENT_S = 2.0
_HUNG_S = 10.0
"""A worker that answers neither questions nor a greeting for so long is given up, and replaced."""


class KeeperPlan(BaseModel):
    """What a keeper is told.

    Attributes:
        cache: Where workers get detectors from, and how many they keep.
        address: Of the cluster, `host:port`; none = the one that this machine belongs to.
        gpus: Graphics processors of each worker; a fraction shares one.
        workers: How many there shall be as long as nobody says otherwise.
    """

    model_config = ConfigDict(frozen=True)

    cache: CachePlan
    address: str | None
    gpus: float
    workers: int


def wanted_in(folder: Path, usual: int) -> int:
    """Return how many workers the pool wants whose sockets lie in a folder; `usual` if it does not say."""
    try:
        return int(wanted_file(folder).read_text())
    except (OSError, ValueError):
        # It is just being written, or was not yet.
        return usual


class ActorLostError(Exception):
    """It died, or is out of reach; it may come back."""


class ActorEndedError(ActorLostError):
    """It does not come back."""


class Actor(Protocol):
    """A worker somewhere. It comes up by itself, and again after it died, on another machine if need be."""

    async def greet(self, folders: Sequence[Path]) -> None:
        """Return once it is up and has these detectors ready.

        Raises:
            ActorLostError: It died, or is out of reach.
        """
        ...

    async def answer(self, ask: Ask, payload: bytes) -> Answer:
        """Return its answer to a question.

        Raises:
            ActorLostError: It died, or is out of reach.
        """
        ...

    async def until_lost(self) -> None:
        """Return when it, having been greeted, is known to be lost."""
        ...

    def end(self) -> None:
        """End it for good."""
        ...


class Post:
    """A socket, and the actor that answers what comes in there."""

    def __init__(
        self,
        socket_path: Path,
        hire: Callable[[], Actor],
        bringer: Bringer,
        newest: Callable[[], Sequence[Path]],
        clock: Clock,
    ) -> None:
        """Prepare.

        Args:
            socket_path: Where questions come in.
            hire: Makes an actor.
            bringer: Brings detectors to where actors find them.
            newest: Returns the folders of those that an actor should have ready; called in a thread.
            clock: Where the time comes from.
        """
        self._socket_path, self._hire, self._clock = socket_path, hire, clock
        self._bringer, self._newest = bringer, newest

    async def hold(self) -> None:
        """Have an actor and let it answer, until cancelled."""
        while True:
            actor = self._hire()
            try:
                await self._let_answer(actor)
            except ActorEndedError as error:
                _LOG.warning("%s: %s; another worker is made", self._socket_path.name, error)
            finally:
                actor.end()
            await asyncio.sleep(_AGAIN_S)

    async def _let_answer(self, actor: Actor) -> None:
        """Be open while the actor is up.

        Raises:
            ActorEndedError: It does not come back, or hangs.
        """
        while True:
            try:
                await actor.greet(await asyncio.to_thread(self._newest))
            except ActorEndedError:
                raise
            except ActorLostError:
                await asyncio.sleep(_AGAIN_S)
                continue
            await self._be_open(FarDesk(actor, self._bringer, self._clock))
            _LOG.warning("%s: its worker was lost; it is being started again", self._socket_path.name)

    async def _be_open(self, desk: FarDesk) -> None:
        self._socket_path.unlink(missing_ok=True)
        tasks = [
            asyncio.create_task(listen(self._socket_path, desk)),
            asyncio.create_task(desk.until_lost()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._socket_path.unlink(missing_ok=True)


class Posts:
    """Holds as many posts as are wanted at the moment, always the first ones."""

    def __init__(self, posts: Sequence[Post], wanted: Callable[[], int]) -> None:
        self._posts, self._wanted = posts, wanted
        self._held: list[asyncio.Task[None]] = []

    async def hold(self) -> None:
        """Look again and again how many are wanted, until cancelled."""
        try:
            while True:
                await self._fit(max(1, min(len(self._posts), self._wanted())))
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            await self._fit(0)

    async def _fit(self, count: int) -> None:
        beyond, self._held = self._held[count:], self._held[:count]
        for task in beyond:
            task.cancel()
        await asyncio.gather(*beyond, return_exceptions=True)
        for task in self._held:
            if task.done():
                # None ends by itself: what went wrong is the keeper's end, and it is started again.
                task.result()
        for post in self._posts[len(self._held) : count]:
            self._held.append(asyncio.create_task(post.hold()))


class FarDesk:
    """Lets an actor answer questions, many at once."""

    def __init__(self, actor: Actor, bringer: Bringer, clock: Clock) -> None:
        self._actor, self._bringer, self._clock = actor, bringer, clock
        self._loop = asyncio.get_running_loop()
        self._asking: set[asyncio.Task[None]] = set()
        self._heard_s = clock.monotonic_s()
        self._lost = asyncio.Event()

    def take(self, ask: Ask, payload: bytes, reply: Reply) -> None:
        """Take a question; returns before it is answered."""
        if ask.kind == "figures":
            self._send(ask, payload, reply)
        else:
            self._bringer.when_up(ask.folder, partial(self._brought, ask, payload, reply))

    async def until_lost(self) -> None:
        """Return when the actor is lost.

        Raises:
            ActorEndedError: It hangs.
        """
        known = self._loop.create_task(self._actor.until_lost())
        known.add_done_callback(lambda _: self._lost.set())
        try:
            while not self._lost.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_EVERY_S):
                        await self._lost.wait()
                if self._clock.monotonic_s() - self._heard_s > _SILENT_S:
                    await self._ping()
        finally:
            known.cancel()

    async def _ping(self) -> None:
        """Greet it: who only has much, or nothing, to do answers."""
        try:
            async with asyncio.timeout(_HUNG_S):
                await self._actor.greet(())
            self._heard_s = self._clock.monotonic_s()
        except TimeoutError as error:
            message = f"a worker said nothing for {_HUNG_S:.0f} s"
            raise ActorEndedError(message) from error
        except ActorLostError:
            self._lost.set()

    def _brought(self, ask: Ask, payload: bytes, reply: Reply, error: ElfowlError | None) -> None:
        if error is None:
            self._loop.call_soon_threadsafe(self._send, ask, payload, reply)
        else:
            reply(Answer(number=ask.number, failed=Failed.of(error)))

    def _send(self, ask: Ask, payload: bytes, reply: Reply) -> None:
        task = self._loop.create_task(self._ask(ask, payload, reply))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, ask: Ask, payload: bytes, reply: Reply) -> None:
        try:
            answer = await self._actor.answer(ask, payload)
        except ActorLostError:
            # Whoever asked learns it by the connection, which ends now.
            self._lost.set()
            return
        self._heard_s = self._clock.monotonic_s()
        reply(answer)
