"""Fakes behind the protocols of the cloud's routes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from cloud.actions.open_home import Home
from cloud.cache.figures import TierFigures
from cloud.errors import BusyError, NotFoundError, QuotaError
from cloud.jobs.teaching_protocol import LiveDetections, LiveState
from cloud.store import jobs
from cloud.store.tables import Job
from edge_agent.wire.detection import Detection, DetectorRef
from edge_agent.wire.offload import OffloadReply, OffloadRequest


class FakeJobs:
    """Accepts jobs that never run."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def submit(self, kind: str, detector_id: str, params: dict[str, Any]) -> Job:
        with self._home.database.write() as session:
            return jobs.add(session, kind=kind, detector_id=detector_id, params=params, now_s=1.0)

    def cancel(self, job_id: str) -> Job:
        with self._home.database.write() as session:
            return jobs.change(session, job_id, now_s=2.0, state="cancelled")

    def figures(self, _job_id: str) -> dict[str, float]:
        return {"loss": 0.5}


class FakeTeaching:
    """Is told what changed, and sees one person once it was begun."""

    def __init__(self) -> None:
        self.states: dict[str, LiveState] = {}
        self.changed: list[str] = []
        self.asked: list[bytes] = []
        self.is_ready = False

    async def begin(self, detector_id: str) -> LiveState:
        self.states.setdefault(detector_id, LiveState(detector_id=detector_id, stage="starting"))
        return self.states[detector_id]

    async def get_ready(self) -> None:
        self.is_ready = True

    def state(self, detector_id: str) -> LiveState | None:
        return self.states.get(detector_id)

    def labels_changed(self, detector_id: str) -> None:
        self.changed.append(detector_id)

    def forget(self, detector_id: str) -> None:
        self.states.pop(detector_id, None)

    async def cancel(self, detector_id: str) -> None:
        if detector_id not in self.states:
            message = f"detector {detector_id!r} is not being taught live"
            raise NotFoundError(message)
        self.states[detector_id] = LiveState(detector_id=detector_id, stage="cancelled")

    async def detect(self, detector_id: str, jpeg: bytes) -> LiveDetections:
        if detector_id not in self.states:
            message = "nothing is learned yet"
            raise NotFoundError(message)
        self.asked.append(jpeg)
        seen = Detection(label="person", score=0.9, box=(0.1, 0.1, 0.5, 0.5))
        return LiveDetections(learned=1.0, frames=1, detections=(seen,))

    async def follow(self, detector_id: str) -> AsyncIterator[LiveState]:
        yield self.states[detector_id]


class FakeOffload:
    """Sees one person in every picture, or is busy."""

    def __init__(self) -> None:
        self.asked: list[tuple[OffloadRequest, bytes]] = []
        self.announced: list[int] = []
        self.is_busy = False
        self.over_quota: set[str] = set()
        self.caches: list[tuple[TierFigures, ...]] = []

    def figures(self) -> dict[str, float]:
        return {"answered": len(self.asked), "waiting": 0, "workers_wanted": 1}

    async def cache_figures(self) -> list[tuple[TierFigures, ...]]:
        return self.caches

    @contextmanager
    def keep_room(self, device: str, announced_bytes: int) -> Iterator[None]:
        self.announced.append(announced_bytes)
        if device in self.over_quota:
            message = f"{device!r} asked more than 600 times a minute"
            raise QuotaError(message, retry_after_s=7.0)
        yield

    async def answer(self, request: OffloadRequest, jpeg: bytes) -> OffloadReply:
        if self.is_busy:
            message = "16 pictures wait already"
            raise BusyError(message, retry_after_s=2.4)
        self.asked.append((request, jpeg))
        return OffloadReply(
            request_id=request.request_id,
            detector=DetectorRef(id=request.detector_id, name="persons", version=1),
            detections=(Detection(label="person", score=0.9, box=(0.1, 0.1, 0.5, 0.5)),),
            inference_ms=5.0,
        )
