"""Workers without networks: in this process, on real sockets."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from cloud.cache.figures import TierFigures
from cloud.errors import InputError, NotFoundError
from cloud.offload.batcher import Seen, Waiting
from cloud.offload.link import WorkerLink
from cloud.offload.pictures import decoded
from cloud.offload.pool import WorkerPool
from cloud.offload.service import OffloadService
from cloud.offload.worker import serve
from cloud.settings import Settings
from edge_agent.clock import SystemClock
from edge_agent.errors import ArtifactError, BackendError, ElfowlError
from edge_agent.wire.detection import Detection, DetectorRef
from edge_agent.wire.offload import OffloadRequest

CLOCK = SystemClock()
PERSON = Detection(label="person", score=0.9, box=(0.1, 0.1, 0.5, 0.5))


class Seer:
    """Sees one person in bright pictures, nothing in dark ones, fails on grey 60; looks once it may."""

    def __init__(self) -> None:
        self.may_look = threading.Event()
        self.may_look.set()
        self.batches: list[int] = []
        self.readied: list[Path] = []
        self.brought: list[Path] = []
        self.may_bring = threading.Event()
        self.may_bring.set()

    def see(self, batch: Sequence[Waiting]) -> list[Seen | ElfowlError]:
        self.batches.append(len(batch))
        self.may_look.wait(5.0)
        return [_see(one.folder, one.jpeg) for one in batch]

    def get_ready(self, folder: Path) -> None:
        self.readied.append(folder)

    def is_ready(self, folder: Path) -> bool:
        return folder in self.brought

    def bring(self, folder: Path) -> None:
        self.may_bring.wait(60.0)
        if (folder / "damaged").exists():
            message = "the object store: d3 is damaged"
            raise ArtifactError(message)
        self.brought.append(folder)

    def figures(self) -> list[TierFigures]:
        return [TierFigures(tier="ram", loads=len(self.brought))]


def _see(folder: Path, jpeg: bytes) -> Seen | ElfowlError:
    if not folder.is_dir():
        return NotFoundError("this cloud has no such detector")
    ref = DetectorRef(id=folder.parent.name, name="persons", version=int(folder.name[1:]))
    try:
        brightness = float(decoded(jpeg).mean())
    except InputError as error:
        return error
    if 55 < brightness < 65:
        return BackendError("the network answered numbers that are not finite")
    return Seen(ref, [PERSON] if brightness > 100 else [])


class Workers:
    """Some workers that can be ended and started again."""

    def __init__(self, folder: Path, count: int) -> None:
        self.seers = [Seer() for _ in range(count)]
        self.sockets = [folder / f"s{number}" for number in range(count)]
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def start(self, number: int) -> None:
        seer, socket = self.seers[number], self.sockets[number]
        socket.unlink(missing_ok=True)
        work = serve(socket, seer, CLOCK)
        self._tasks[number] = asyncio.create_task(work)
        await until(socket.exists)

    async def end(self, number: int) -> None:
        task = self._tasks.pop(number)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds; 5 s at most."""
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.005)
    message = "it never held"
    raise AssertionError(message)


@asynccontextmanager
async def serving(
    home: Path, count: int = 1, **settings: float
) -> AsyncIterator[tuple[OffloadService, Workers]]:
    """Give a service and its workers, all of them up."""
    workers = Workers(home, count)
    pool = WorkerPool([WorkerLink(socket, CLOCK) for socket in workers.sockets], CLOCK)
    service = OffloadService(Settings.model_validate({"home": home, **settings}), CLOCK, pool=pool)
    for number in range(count):
        await workers.start(number)
    pool.start()
    await until(lambda: pool.up == count)
    try:
        yield service, workers
    finally:
        await service.stop()
        for seer in workers.seers:
            seer.may_look.set()
            seer.may_bring.set()
        for number in list(workers._tasks):
            await workers.end(number)


def train(home: Path, detector_id: str, *versions: int) -> None:
    """Put down what looks like trained versions of a detector."""
    for version in versions:
        folder = home / "detectors" / detector_id / f"v{version}"
        folder.mkdir(parents=True)
        (folder / "spec.json").write_text("{}")


def question(deadline_ms: int = 5000, **fields: object) -> OffloadRequest:
    """Return a question of the device `porch` for the detector `d1`."""
    document = {
        "request_id": "request-1", "device": "porch", "camera": "door", "detector_id": "d1",
        "reason": "unsure", "deadline_ms": deadline_ms, "frame_time": 1.0, **fields,
    }  # fmt: skip
    return OffloadRequest.model_validate(document)
