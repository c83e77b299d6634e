"""kill -9 of offload workers under load: no picture that has time left goes without an answer."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from cloud.detector.files import save_detector
from cloud.engine.local import LocalEngine
from cloud.offload.service import OffloadService
from cloud.settings import Settings
from edge_agent.clock import SystemClock
from edge_agent.wire.offload import OffloadReply
from tests.cloud.detector.examples import small_detector
from tests.cloud.offload.seers import question

pytestmark = [pytest.mark.system, pytest.mark.slow]

_DEVICES = 12
_START_S = 120.0
_DEADLINE_MS = 60_000
PICTURE = simplejpeg.encode_jpeg(
    np.random.default_rng(0).integers(0, 255, (240, 320, 3)).astype(np.uint8), 80, "RGB"
)


class Crowd:
    """Devices that ask again as soon as they are answered."""

    def __init__(self, service: OffloadService) -> None:
        self._service = service
        self._going = True
        self.answered = 0
        self.failed: list[BaseException] = []
        self._tasks = [asyncio.create_task(self._ask(f"camera-{number}")) for number in range(_DEVICES)]

    async def _ask(self, device: str) -> None:
        for number in count():
            if not self._going:
                return
            asked = question(_DEADLINE_MS, device=device, request_id=f"{device}-{number}")
            try:
                reply = await self._service.answer(asked, PICTURE)
                assert (reply.request_id, reply.detector.id) == (asked.request_id, "d1")
            except Exception as error:  # noqa: BLE001 - told at the end
                self.failed.append(error)
            self.answered += 1

    async def finish(self) -> None:
        self._going = False
        await asyncio.gather(*self._tasks)


async def until(holds: Callable[[], bool], timeout_s: float = _START_S) -> None:
    async with asyncio.timeout(timeout_s):
        while not holds():  # noqa: ASYNC110 - what happens in another process rings no bell here
            await asyncio.sleep(0.02)


def save_small(home: Path) -> None:
    """Put a detector that sees next to nothing into a home."""
    detector = small_detector()
    ref = detector.ref.model_copy(update={"id": "d1", "version": 1})
    spec = detector.spec.model_copy(update={"detector": ref})
    save_detector(type(detector)(spec, detector.taught_head), home / "detectors" / "d1" / "v1")


def serve(home: Path, scene: Callable[[OffloadService], Awaitable[None]]) -> None:
    save_small(home)

    async def run() -> None:
        settings = Settings(home=home, offload_requests_per_minute=1e6, offload_bytes_per_day=1e12)
        pool = LocalEngine(settings).offload_pool(SystemClock())
        service = OffloadService(settings, SystemClock(), pool=pool)
        try:
            service.warm()
            await until(lambda: service.figures()["workers"] == 2)
            await scene(service)
        finally:
            await service.stop()

    asyncio.run(run())


async def wait_for_more(crowd: Crowd, answers: int = 3 * _DEVICES) -> None:
    before = crowd.answered
    await until(lambda: crowd.answered >= before + answers)


def test_no_picture_is_lost_when_workers_are_killed_one_by_one_and_all_at_once(tmp_path: Path) -> None:
    async def scene(service: OffloadService) -> None:
        crowd = Crowd(service)
        await wait_for_more(crowd)
        for which in (0, 1):
            killed = service.process_ids[which]
            os.kill(killed, signal.SIGKILL)
            await wait_for_more(crowd)
            await until(lambda: service.figures()["workers"] == 2)
            assert killed not in service.process_ids
            await wait_for_more(crowd)
        for process_id in service.process_ids:
            os.kill(process_id, signal.SIGKILL)
        await wait_for_more(crowd)
        await crowd.finish()
        assert crowd.failed == []
        assert service.figures()["retried"] >= 3

    serve(tmp_path, scene)


def test_worker_that_hangs_is_ended_and_its_device_is_answered_again(tmp_path: Path) -> None:
    async def scene(service: OffloadService) -> None:
        hung = service.process_ids[0]
        os.kill(hung, signal.SIGSTOP)
        replies = await asyncio.gather(
            *(service.answer(question(12_000, device=f"c{n}"), PICTURE) for n in range(4)),
            return_exceptions=True,
        )
        assert sum(isinstance(one, OffloadReply) for one in replies) >= 2, "the other worker answered"
        await until(lambda: hung not in service.process_ids)
        assert isinstance(await service.answer(question(_DEADLINE_MS), PICTURE), OffloadReply)

    serve(tmp_path, scene)
