"""Live teaching from the web side: what pages hear, what is refused, and a worker that went away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import uvicorn

from cloud.errors import BusyError, InputError, NotFoundError
from cloud.jobs.teaching import TeachingService
from cloud.jobs.teaching_protocol import CurvePoint, LiveState, NextFrame, with_point
from cloud.settings import Settings
from cloud.worker.teach import States, make_app
from cloud.worker.teacher import Learned, LiveProgress, Teacher
from edge_agent.clock import SystemClock
from edge_agent.errors import BackendError
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection
from tests.cloud.homes import jpeg

PATIENCE_S = 60.0
SEEN = Detection(label="person", score=0.9, box=(0.1, 0.1, 0.5, 0.5))


class Seer:
    """Sees one person in bright pictures, nothing in dark ones, and fails on grey 60."""

    def detect(self, rgb: Rgb) -> list[Detection]:
        brightness = float(np.mean(rgb))
        if 55 < brightness < 65:
            message = "the network answered numbers that are not finite"
            raise BackendError(message)
        return [SEEN] if brightness > 100 else []


class Pupil:
    """Learns from one more frame each time."""

    def __init__(self) -> None:
        self.frames = 0

    def learn(self, progress: Callable[[LiveProgress], None], _stopped: Callable[[], bool]) -> Learned:
        self.frames += 1
        progress(LiveProgress("learning", 0.5, "learning", 1.0))
        return Learned(Seer(), self.frames, self.frames / 10, "cross_validation")

    def propose(self, _learned: Learned, _stopped: Callable[[], bool]) -> tuple[NextFrame, ...]:
        return ()


class Worker:
    """The worker's app on a socket, in threads of this process."""

    def __init__(self, socket: Path, kept: int = 4) -> None:
        states = States()
        self.teacher = Teacher(lambda _id: Pupil(), states.publish, SystemClock(), kept=kept, quiet_s=0.01)
        config = uvicorn.Config(
            make_app(self.teacher, states), uds=str(socket), log_level="error", timeout_graceful_shutdown=1
        )
        self.server = uvicorn.Server(config)
        self.threads = [threading.Thread(target=run) for run in (self.teacher.run, self.server.run)]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.server.should_exit = True
        self.teacher.close()
        for thread in self.threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


@contextmanager
def worker_on(socket: Path, kept: int = 4) -> Iterator[Worker]:
    worker = Worker(socket, kept)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


@asynccontextmanager
async def service_on(socket: Path, heard: list[LiveState] | None = None) -> AsyncIterator[TeachingService]:
    on_state = (lambda _state: None) if heard is None else heard.append
    home = Settings(home=socket.parent)
    service = TeachingService(home, SystemClock(), on_state=on_state, socket_path=socket)
    try:
        yield service
    finally:
        await service.stop()


async def until(service: TeachingService, detector_id: str, wanted: Callable[[LiveState], bool]) -> LiveState:
    async with asyncio.timeout(PATIENCE_S):
        async for state in service.follow(detector_id):
            if wanted(state):
                return state
    pytest.fail(f"{detector_id} is forgotten")


def is_ready(state: LiveState) -> bool:
    return state.stage == "ready"


def test_detector_begun_is_taught_and_each_change_of_labels_after_that(tmp_path: Path) -> None:
    heard: list[LiveState] = []

    async def go() -> tuple[LiveState, LiveState]:
        async with service_on(tmp_path / "s", heard) as service:
            begun = await service.begin("d")
            first = await until(service, "d", is_ready)
            service.labels_changed("d")
            service.labels_changed("unknown")
            await until(service, "d", lambda state: state.frames > first.frames)
            return begun, await until(service, "d", is_ready)

    with worker_on(tmp_path / "s"):
        begun, last = asyncio.run(go())

    assert begun.stage == "starting"
    assert last.ap50_how == "cross_validation"
    assert [point.frames for point in last.curve] == list(range(1, last.frames + 1))
    assert {state.detector_id for state in heard} == {"d"}


@pytest.mark.parametrize(("grey", "seen"), [(180, (SEEN,)), (20, ())])
def test_live_detector_answers_what_it_sees(tmp_path: Path, grey: int, seen: tuple[Detection, ...]) -> None:
    async def go() -> tuple[LiveState, tuple[Detection, ...], float]:
        async with service_on(tmp_path / "s") as service:
            await service.begin("d")
            ready = await until(service, "d", is_ready)
            answer = await service.detect("d", jpeg(grey=grey))
            return ready, answer.detections, answer.learned

    with worker_on(tmp_path / "s"):
        ready, detections, learned = asyncio.run(go())
    assert detections == seen
    assert ready.learned is not None
    assert learned >= ready.learned


@pytest.mark.parametrize(
    ("picture", "kind", "words"),
    [(jpeg(grey=60), BackendError, "not finite"), (b"\xff\xd8nothing", InputError, "damaged")],
)
def test_picture_that_cannot_be_answered_is_an_error_and_not_an_empty_list(
    tmp_path: Path, picture: bytes, kind: type[Exception], words: str
) -> None:
    async def go() -> None:
        async with service_on(tmp_path / "s") as service:
            await service.begin("d")
            await until(service, "d", is_ready)
            await service.detect("d", picture)

    with worker_on(tmp_path / "s"), pytest.raises(kind, match=words):
        asyncio.run(go())


def test_detector_that_is_not_taught_live_is_not_found(tmp_path: Path) -> None:
    async def go() -> None:
        async with service_on(tmp_path / "s") as service:
            assert service.state("d") is None
            for ask in (service.detect("d", jpeg()), service.cancel("d"), until(service, "d", is_ready)):
                with pytest.raises(NotFoundError, match="not being taught live"):
                    await ask

    asyncio.run(go())


def test_worker_that_is_not_there_is_busy_and_not_empty(tmp_path: Path) -> None:
    async def go() -> None:
        async with service_on(tmp_path / "nobody") as service:
            await service.begin("d")
            with pytest.raises(BusyError, match="starting"):
                await service.detect("d", jpeg())

    asyncio.run(go())


def test_worker_that_died_is_told_again_and_the_curve_stays(tmp_path: Path) -> None:
    socket = tmp_path / "s"

    async def go() -> LiveState:
        async with service_on(socket) as service:
            await service.begin("d")
            service.labels_changed("d")
            before = await until(service, "d", is_ready)
            await asyncio.to_thread(workers[0].stop)
            starting = await until(service, "d", lambda state: state.stage == "starting")
            assert (starting.frames, starting.learned) == (0, None)
            socket.unlink(missing_ok=True)
            workers.append(Worker(socket))
            workers[1].start()
            after = await until(service, "d", is_ready)
            assert before.learned is not None
            assert after.learned is not None
            assert after.learned > before.learned
            return after

    workers = [Worker(socket)]
    workers[0].start()
    try:
        after = asyncio.run(go())
    finally:
        for worker in workers:
            worker.stop()
    assert after.curve[0] == CurvePoint(frames=1, ap50=0.1, how="cross_validation")


def test_detector_put_aside_for_others_is_read_again_when_it_is_asked(tmp_path: Path) -> None:
    async def go() -> tuple[Detection, ...]:
        async with service_on(tmp_path / "s") as service:
            for name in ("a", "b"):
                await service.begin(name)
                await until(service, name, is_ready)
            with pytest.raises(BusyError, match="read again"):
                await service.detect("a", jpeg(grey=180))
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    try:
                        return (await service.detect("a", jpeg(grey=180))).detections
                    except BusyError:
                        await asyncio.sleep(0.01)

    with worker_on(tmp_path / "s", kept=1):
        assert asyncio.run(go()) == (SEEN,)


def test_detector_that_is_gone_ends_its_followers(tmp_path: Path) -> None:
    async def go() -> list[LiveState]:
        async with service_on(tmp_path / "nobody") as service:
            await service.begin("d")
            service.forget("d")
            async with asyncio.timeout(PATIENCE_S):
                return [state async for state in service.follow("d")]

    assert all(state.detector_id == "d" for state in asyncio.run(go()))


def test_point_of_the_same_number_of_frames_is_replaced_and_the_curve_in_order() -> None:
    curve: tuple[CurvePoint, ...] = ()
    for frames, ap50 in ((3, 0.4), (1, 0.1), (3, 0.6), (2, None)):
        curve = with_point(curve, LiveState(detector_id="d", frames=frames, ap50=ap50))
    assert [(point.frames, point.ap50) for point in curve] == [(1, 0.1), (3, 0.6)]
