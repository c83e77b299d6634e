"""A pool starts its workers one after another, where all at once would only wait for each other."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from cloud.offload.pool import WorkerPool
from edge_agent.clock import SystemClock

_LISTENS = (
    "import asyncio, sys; from pathlib import Path; from tests.cloud.offload.seers import CLOCK, Seer, serve;"
    " asyncio.run(serve(Path(sys.argv[1]), Seer(), CLOCK))"
)
_LIMIT_S = 60.0


def command(socket: Path) -> list[str]:
    return [sys.executable, "-c", _LISTENS, str(socket)]


@pytest.mark.slow  # its processes take seconds to start
def test_second_worker_is_started_once_the_first_one_can_be_asked() -> None:
    async def run() -> None:
        pool = WorkerPool.supervised(2, command, SystemClock(), at_once=1)
        pool.start()
        try:
            assert len(pool.process_ids) == 1
            async with asyncio.timeout(_LIMIT_S):
                while len(pool.process_ids) < 2:  # noqa: ASYNC110 - what happens elsewhere rings no bell here
                    await asyncio.sleep(0.02)
                assert pool.up == 1
                while pool.up < 2:  # noqa: ASYNC110 - nor does this
                    await asyncio.sleep(0.02)
        finally:
            await pool.stop()

    asyncio.run(run())


def test_pool_that_is_stopped_while_it_starts_starts_nobody_more() -> None:
    async def run() -> tuple[int, ...]:
        pool = WorkerPool.supervised(2, lambda _: ["sleep", "60"], SystemClock(), at_once=1)
        pool.start()
        await asyncio.sleep(0)
        await pool.stop()
        await asyncio.sleep(0.2)
        return pool.process_ids

    assert asyncio.run(run()) == ()
