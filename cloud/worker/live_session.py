"""Teaches one detector of the store live: what changed in the store goes into the session, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from cloud.actions.frozen import without_tests
from cloud.actions.lessons import Material, gather
from cloud.actions.open_home import Home
from cloud.datasets.frames import LabelledFrame, PictureSource
from cloud.detector.full import FullDetector
from cloud.errors import TrainingError
from cloud.jobs.teaching_protocol import NextFrame, Stage
from cloud.training.config import CancelledError, TrainConfig
from cloud.training.config import Progress as TrainProgress
from cloud.training.session import TeachingSession
from cloud.worker.next_frames import doubted_frames, next_frames_of
from cloud.worker.teacher import Learned, LiveProgress, StoppedError

_PROPOSED = 4
_LIVE_THREADS = 2
_BUDGET_S = 20.0
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
        self._detector: FullDetector | None = None

    def learn(self, progress: Callable[[LiveProgress], None], stopped: Callable[[], bool]) -> Learned:
        """Return a detector that knows all that is labelled now.

        Raises:
            StoppedError: `stopped` said so.
            TrainingError: There is nothing to learn from yet.
            NotFoundError: The detector is gone.
        """
        material = self._material()
        session = self._session_for(material)
        put_changes(session, material.frames)
        try:
            result = session.update(lambda now: progress(_as_live(now)), stopped, soon=True)
        except CancelledError as error:
            raise StoppedError(str(error)) from error
        self._detector = result.detector
        quality = result.quality
        return Learned(
            result.detector,
            len(material.frames),
            None if quality is None else quality.ap50,
            None if quality is None else quality.how,
            next_frames_of(self._home, self._detector_id, _PROPOSED),
            session.is_draft,
        )

    def propose(self, _learned: Learned, stopped: Callable[[], bool]) -> tuple[NextFrame, ...]:
        """Return which frames to label next, by what the detector doubts.

        Raises:
            StoppedError: `stopped` said so.
            InputError: A picture cannot be read.
        """

        def refuse_if_stopped(_done: int) -> None:
            if stopped():
                message = "there is something to learn"
                raise StoppedError(message)

        if self._detector is None:
            return ()
        return doubted_frames(self._home, self._detector_id, self._detector, _PROPOSED, refuse_if_stopped)

    def _material(self) -> Material:
        """Return what is labelled, less what is set apart to test versions on.

        Raises:
            TrainingError: Nothing is left to learn from.
        """
        material = gather(self._home, self._detector_id)
        if material.kind == "presence":
            message = "tags of whole frames teach presence: train a version; live teaching needs boxes"
            raise TrainingError(message)
        with self._home.database.read() as session:
            frames = without_tests(self._home, session, self._detector_id, material.frames)
        seen = {box.label for frame in frames for box in frame.boxes}
        if not seen:
            message = "no box is left beside the frames set apart for tests; draw some elsewhere"
            raise TrainingError(message)
        return replace(material, frames=frames, classes=[name for name in material.classes if name in seen])

    def _session_for(self, material: Material) -> TeachingSession:
        """Return the session; other classes need another one, whose features come from the disk."""
        if self._session is None or self._classes != material.classes:
            self._classes = material.classes
            cache_dir = self._home.settings.cache_path / "features"
            config = TrainConfig(
                ref=material.ref, threads=_LIVE_THREADS, budget_s=_BUDGET_S, cache_dir=cache_dir
            )
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


def _as_live(progress: TrainProgress) -> LiveProgress:
    stage = _STAGES[progress.stage]
    return LiveProgress(stage, progress.fraction, progress.message, progress.seconds_left, progress.loss)
