"""A worker that answers pictures, as an actor of Ray."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from cloud.cache.plan import CachePlan
from cloud.offload.desk import Desk
from cloud.offload.protocol import Answer, Ask
from cloud.processes import ONE_THREAD
from edge_agent.clock import SystemClock


class Looker:
    """Looks at pictures; Ray calls it in one event loop, many questions at once."""

    def __init__(self, plan_json: str) -> None:
        """Load what looks; detectors come with the greeting."""
        # Before libraries that read it: Ray lets them have as many threads as it counts cores for the actor.
        os.environ.update(ONE_THREAD)
        from cloud.offload.eyes import DetectorEyes  # noqa: PLC0415 - torch, seconds

        eyes = DetectorEyes.of_this_machine(CachePlan.model_validate_json(plan_json))
        self._desk = Desk(eyes, SystemClock(), most=eyes.most_at_once)

    async def greet(self, folders: Sequence[str]) -> int:
        """Return the process id, once these detectors are ready; what is wrong with one, who asks is told."""
        asks = [Ask(number=0, kind="load", folder=Path(folder)) for folder in folders]
        await asyncio.gather(*(self._answer(ask, b"") for ask in asks))
        return os.getpid()

    async def answer(self, ask_json: bytes, payload: bytes) -> bytes:
        """Return the answer to a question, both as JSON."""
        answer = await self._answer(Ask.model_validate_json(ask_json), payload)
        return answer.model_dump_json().encode()

    async def _answer(self, ask: Ask, payload: bytes) -> Answer:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer] = loop.create_future()

        def settle(answer: Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        def reply(answer: Answer) -> None:
            # The loop may be closed when the actor is told to end.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, answer)

        self._desk.take(ask, payload, reply)
        return await answered
