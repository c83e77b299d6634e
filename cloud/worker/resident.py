"""A resident teaching worker for programs: blocks until what is labelled now is learned.

The first `learn` teaches a detector and leaves all features in memory; label one more frame in the store, and
the next `learn` says in `took_s` how long an update takes.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from cloud.actions.open_home import Home
from cloud.datasets.frames import LabelledFrame
from cloud.errors import TrainingError
from cloud.jobs.teaching import TeachingService
from cloud.jobs.teaching_protocol import LiveState
from cloud.settings import Settings
from cloud.store import labels, media
from cloud.store.ids import new_id
from cloud.store.labels import FrameLabels
from cloud.store.tables import Media
from edge_agent.clock import Clock

_PATIENCE_S = 600.0


class ResidentTeacher:
    """The same service, worker process and socket that pages are served by, called from one thread."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="resident-teacher", daemon=True)
        self._service: TeachingService | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._service = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._service is not None:
            asyncio.run_coroutine_threadsafe(self._service.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def learn(self, detector_id: str, *, patience_s: float = _PATIENCE_S) -> LiveState:
        """Return the state in which all is learned that is labelled when this is called.

        Raises:
            TrainingError: It cannot be learned, or there is nothing to learn from.
            TimeoutError: It took longer than `patience_s`.
        """
        learning = asyncio.run_coroutine_threadsafe(self._learn(detector_id, patience_s), self._loop)
        return learning.result()

    async def _open(self) -> TeachingService:
        return TeachingService(self._settings, self._clock)

    async def _learn(self, detector_id: str, patience_s: float) -> LiveState:
        if self._service is None:
            message = "enter the teacher first: `with ResidentTeacher(...) as teacher:`"
            raise RuntimeError(message)
        before = await self._service.begin(detector_id)
        async with asyncio.timeout(patience_s):
            async for state in self._service.follow(detector_id):
                if state.stage in {"waiting", "failed"} and state is not before:
                    raise TrainingError(state.error or state.message)
                if state.stage == "ready" and state.learned != before.learned:
                    return state
        message = f"detector {detector_id!r} is gone"
        raise TrainingError(message)


def put_frames(home: Home, detector_id: str, frames: Sequence[LabelledFrame]) -> None:
    """Label frames of a detector where they lie; no file is copied.

    For programs that measure; people upload files, which are copied and checked.
    """
    now_s = home.clock.now_s()
    with home.database.write() as session:
        for frame in frames:
            medium = media.add(session, _medium(detector_id, frame, now_s))
            index = frame.source.frame_index or 0
            medium.frame_count = max(medium.frame_count, index + 1)
            known = labels.find(session, medium.id, index)
            said = FrameLabels(
                tuple((box.label, box.box_xyxy_norm) for box in frame.boxes),
                nothing_here=not frame.boxes,
                trusted_xyxy_norm=frame.trusted_xyxy_norm,
            )
            revision = 0 if known is None else known.revision
            labels.put(
                session,
                media_id=medium.id,
                frame_index=index,
                revision=revision,
                labels=said,
                now_s=now_s,
            )


def _medium(detector_id: str, frame: LabelledFrame, now_s: float) -> Media:
    path = frame.source.path.absolute()
    return Media(
        id=new_id("med"),
        detector_id=detector_id,
        role="teach",
        kind="image" if frame.source.frame_index is None else "video",
        name=path.name,
        path=str(path),
        sha256=hashlib.sha256(str(path).encode()).hexdigest(),
        width_px=frame.width_px,
        height_px=frame.height_px,
        frame_count=1,
        created=now_s,
    )
