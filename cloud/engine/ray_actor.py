"""A worker that answers pictures, as an actor of Ray; does what `cloud.offload.worker` does on a socket."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from cloud.cache.plan import CachePlan
from cloud.offload.batcher import MicroBatcher, Outcome, Waiting
from cloud.offload.bringing import Bringer
from cloud.offload.protocol import Answer, Ask, Failed, Inferred, newest_folders
from cloud.processes import ONE_THREAD
from edge_agent.clock import SystemClock
from edge_agent.errors import ElfowlError

_WARMED = 8


class Looker:
    """Looks at pictures; Ray calls it in one event loop, many questions at once."""

    def __init__(self, plan_json: str) -> None:
        """Load subnets and the newest detectors: who is greeted answers at full speed."""
        # Before libraries that read it: Ray would let them have all cores of the machine.
        os.environ.update(ONE_THREAD)
        from cloud.offload.eyes import DetectorEyes  # noqa: PLC0415 - torch, seconds

        plan, self._clock = CachePlan.model_validate_json(plan_json), SystemClock()
        self._eyes = DetectorEyes.of_this_machine(plan)
        for folder in newest_folders(plan.detectors_path, _WARMED):
            self._eyes.get_ready(folder)
        self._batcher = MicroBatcher(self._eyes.see, self._clock, most=self._eyes.most_at_once)
        self._bringer = Bringer(self._eyes)

    async def greet(self) -> int:
        """Return its process id, once it is warm."""
        return os.getpid()

    async def load(self, folder: str) -> None:
        """Get a detector ready."""
        place = Path(folder)

        def up(error: ElfowlError | None) -> None:
            if error is None:
                self._batcher.between(lambda: self._eyes.get_ready(place))

        self._bringer.when_up(place, up)

    async def answer(self, ask_json: str, picture: bytes) -> str:
        """Return the answer to a question, both as JSON."""
        ask = Ask.model_validate_json(ask_json)
        if ask.kind == "figures":
            return Answer(number=ask.number, tiers=tuple(self._eyes.figures())).model_dump_json()
        outcome = await self._look(ask, picture)
        if isinstance(outcome, Inferred):
            return Answer(number=ask.number, inferred=outcome).model_dump_json()
        return Answer(number=ask.number, failed=Failed.of(outcome)).model_dump_json()

    async def _look(self, ask: Ask, picture: bytes) -> Outcome:
        loop, now_s = asyncio.get_running_loop(), self._clock.monotonic_s()
        seen: asyncio.Future[Outcome] = loop.create_future()

        def done(outcome: Outcome) -> None:
            # Whoever asked may have gone.
            loop.call_soon_threadsafe(lambda: None if seen.done() else seen.set_result(outcome))

        waiting = Waiting(ask.folder, picture, now_s, now_s + ask.left_ms / 1000, done, alone=ask.alone)

        def up(error: ElfowlError | None) -> None:
            if error is None:
                self._batcher.submit(waiting)
            else:
                done(error)

        self._bringer.when_up(ask.folder, up)
        return await seen
