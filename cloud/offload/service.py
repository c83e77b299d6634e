"""The web side of offload: admits what can be answered in time, and lets the workers answer it.

Invariants:
- A picture that cannot be answered is refused with an error, never answered with an empty list.
- Who would wait beyond its deadline is refused at once; who was admitted is answered although a worker dies.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from pathlib import Path

from cloud.cache.figures import TierFigures
from cloud.errors import NotFoundError
from cloud.offload.admission import Admission, Limits
from cloud.offload.pictures import check_picture
from cloud.offload.pool import WorkerPool
from cloud.offload.protocol import any_trained, version_folder
from cloud.planning.wanted import Follower
from cloud.settings import Settings
from edge_agent.clock import Clock
from edge_agent.wire.offload import OffloadReply, OffloadRequest

_TELL_EVERY_S = 60.0
_COUNT_EVERY_S = 2.0


class OffloadService:
    """Answers pictures with the full detector, through worker processes."""

    def __init__(self, settings: Settings, clock: Clock, *, pool: WorkerPool) -> None:
        """Make the service; the workers of `pool` are started once there is anything to answer with."""
        self._detectors_path = settings.detectors_path
        self._clock = clock
        self._pool = pool
        self._admission = Admission(
            Limits(
                requests_per_minute=settings.offload_requests_per_minute,
                bytes_per_day=settings.offload_bytes_per_day,
            )
        )
        self._follower = Follower(settings.offload_workers, settings.most_offload_workers)
        self._told_s: dict[Path, float] = {}
        self.answered = 0

    @property
    def process_ids(self) -> tuple[int, ...]:
        """Return the process ids of the workers that run."""
        return self._pool.process_ids

    def figures(self) -> dict[str, float]:
        """Return what happened since the start, and what waits."""
        return {
            "answered": self.answered,
            "refused_busy": self._admission.refused_busy,
            "refused_quota": self._admission.refused_quota,
            "retried": self._pool.retried,
            "waiting": self._admission.waiting,
            "workers": self._pool.up,
            "workers_wanted": self._admission.workers_wanted(self._clock.monotonic_s()),
        }

    async def cache_figures(self) -> list[tuple[TierFigures, ...]]:
        """Return what happened in the model cache of each worker, the nearest tier first."""
        return await self._pool.cache_figures()

    def warm(self) -> None:
        """Start the workers when there is any detector to answer with; called within the event loop."""
        if any_trained(self._detectors_path):
            self._pool.start()

    async def get_ready(self, detector_id: str, version: int | None = None) -> None:
        """Load a version of a detector, the newest one by default, before the first camera asks for it.

        Once a minute: a roll-out tells of the same one for each of its cameras.
        """
        self.warm()
        try:
            folder = version_folder(self._detectors_path, detector_id, version)
        except NotFoundError:
            # Bundles outlive their detectors; whoever asks is told.
            return
        now_s = self._clock.monotonic_s()
        self._told_s = {one: at_s for one, at_s in self._told_s.items() if now_s - at_s < _TELL_EVERY_S}
        if folder not in self._told_s:
            self._told_s[folder] = now_s
            self._pool.get_ready(folder)

    async def keep_enough(self) -> None:
        """Let there be as many workers as cameras ask for, until cancelled."""
        while True:
            now_s = self._clock.monotonic_s()
            self._pool.want(self._follower.follow(self._admission.workers_wanted(now_s), now_s))
            await asyncio.sleep(_COUNT_EVERY_S)

    async def stop(self) -> None:
        """End the workers."""
        await self._pool.stop()

    def keep_room(self, device: str, announced_bytes: int) -> AbstractContextManager[None]:
        """Keep room for a picture while it is read.

        Entering it raises:
            QuotaError: The device has asked too much.
            BusyError: There is no room.
        """
        return self._admission.coming(device, announced_bytes, self._clock.monotonic_s())

    async def answer(self, request: OffloadRequest, jpeg: bytes) -> OffloadReply:
        """Answer one picture.

        Raises:
            InputError: It is not a JPEG, or too large.
            NotFoundError: This cloud has no such detector.
            QuotaError: The device has asked too much.
            BusyError: It would take longer than the deadline.
            BackendError: The detector could not be run.
        """
        asked_s = self._clock.monotonic_s()
        folder = self._folder(request)
        self._admission.enter(request.device, len(jpeg), request.deadline_ms, self._pool.up, asked_s)
        try:
            # Only now: a device that sends rubbish uses up its quota.
            check_picture(jpeg)
            inferred = await self._pool.ask(folder, jpeg, asked_s + request.deadline_ms / 1000, request.crop)
        finally:
            self._admission.leave(request.device, len(jpeg))
        self._admission.note(inferred.inference_ms / inferred.batch)
        self.answered += 1
        return OffloadReply(
            request_id=request.request_id,
            detector=inferred.detector,
            detections=inferred.detections,
            inference_ms=inferred.inference_ms,
            queued_ms=inferred.waited_ms,
        )

    def _folder(self, request: OffloadRequest) -> Path:
        return version_folder(self._detectors_path, request.detector_id, request.detector_version)
