"""Teaches one detector of the store live: what changed in the store goes into the session, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from cloud.actions.lessons import Material, gather
from cloud.actions.open_home import Home
from cloud.datasets.frames import LabelledFrame, PictureSource
from cloud.jobs.teaching_protocol import NextFrame, Stage
from cloud.store import labels, media
from cloud.training.config import CancelledError, TrainConfig
from cloud.training.config import Progress as TrainProgress
from cloud.training.session import TeachingSession
from cloud.worker.next_frames import Footage, farthest_frames
from cloud.worker.teacher import Learned, LiveProgress, StoppedError

_PROPOSED = 4
_LIVE_THREADS = 2
_STAGES: dict[str, Stage] = {
    "reading": "looking",
    "looking": "looking",
    "learning": "learning",
    "checking": "checking",
}


class Lessons(Protocol):
    """The frames of a session; see `cloud.training.session.TeachingSession`."""

    @property
    def frames(self) -> tuple[LabelledFrame, ...]:
        """Return the frames that are known."""
        ...

    def put_frame(self, frame: LabelledFrame, /) -> None:
        """Take a frame in, or its new labels."""
        ...

    def remove_frame(self, source: PictureSource, /) -> None:
        """Forget a frame."""
        ...


class StoreSession:
    """Implements `cloud.worker.teacher.LiveSession` on what people labelled."""

    def __init__(self, home: Home, detector_id: str) -> None:
        self._home = home
        self._detector_id = detector_id
        self._classes: list[str] = []
        self._session: TeachingSession | None = None

    def learn(self, progress: Callable[[LiveProgress], None], stopped: Callable[[], bool]) -> Learned:
        """Return a detector that knows all that is labelled now.

        Raises:
            StoppedError: `stopped` said so.
            TrainingError: There is nothing to learn from yet.
            NotFoundError: The detector is gone.
        """
        material = gather(self._home, self._detector_id)
        session = self._session_for(material)
        put_changes(session, material.frames)
        try:
            result = session.update(lambda now: progress(_as_live(now)), stopped)
        except CancelledError as error:
            raise StoppedError(str(error)) from error
        quality = result.quality
        return Learned(
            result.detector,
            len(material.frames),
            None if quality is None else quality.ap50,
            None if quality is None else quality.how,
            next_frames_of(self._home, self._detector_id, _PROPOSED),
        )

    def _session_for(self, material: Material) -> TeachingSession:
        """Return the session; other classes need another one, whose features come from the disk."""
        if self._session is None or self._classes != material.classes:
            self._classes = material.classes
            cache_dir = self._home.settings.cache_path / "features"
            config = TrainConfig(ref=material.ref, threads=_LIVE_THREADS, cache_dir=cache_dir)
            self._session = TeachingSession(material.classes, config, clock=self._home.clock)
        return self._session


def put_changes(session: Lessons, frames: Sequence[LabelledFrame]) -> None:
    """Bring a session to know exactly `frames`; what it knows already is left alone."""
    known = {frame.source: frame for frame in session.frames}
    for source in known.keys() - {frame.source for frame in frames}:
        session.remove_frame(source)
    for frame in frames:
        if known.get(frame.source) != frame:
            session.put_frame(frame)


def next_frames_of(home: Home, detector_id: str, count: int) -> tuple[NextFrame, ...]:
    """Return which frames of a detector's files to label next, the best first."""
    with home.database.read() as session:
        files = [row for row in media.of_detector(session, detector_id) if row.role == "teach"]
        said = {row.id: labels.of_media(session, row.id) for row in files}
    footage = [Footage(row.id, row.frame_count, row.fps) for row in files]
    labelled = {
        media_id: {frame.frame_index for frame in frames if frame.boxes or frame.nothing_here}
        for media_id, frames in said.items()
    }
    return farthest_frames(footage, labelled, count)


def _as_live(progress: TrainProgress) -> LiveProgress:
    return LiveProgress(_STAGES[progress.stage], progress.fraction, progress.message, progress.seconds_left)
