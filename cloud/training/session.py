"""A lesson that goes on: features of the frames seen stay in memory, so that one more frame is quick.

The first `update` is a training like any other; those after it start from the detector there is and move only
what comes after the adapters (`cloud.training.update`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cloud.datasets.frames import LabelledFrame, PictureSource
from cloud.detector.full import FullDetector
from cloud.errors import TrainingError
from cloud.training.config import Progress, TrainConfig
from cloud.training.fit import TrainResult, fit
from edge_agent.clock import Clock, SystemClock
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection


class TeachingSession:
    """Teaches one detector, frame after frame; for one thread at a time, except `detect`.

    Call `put_frame` for each frame that is labelled or corrected, and `update` when a detector that knows
    them is wanted. `remove_frame` forgets one. Between two updates any number of frames may come and go.
    """

    def __init__(
        self,
        classes: Sequence[str],
        config: TrainConfig,
        *,
        detector: FullDetector | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Begin.

        Args:
            classes: What to find, by display name; another list of classes needs another session.
            config: Settings of the first training.
            detector: Where to start from; none = teach a first one from the frames.
            clock: For the budget and the report.
        """
        self._classes = tuple(classes)
        self._config = config
        self._clock = clock or SystemClock()
        self._frames: dict[PictureSource, LabelledFrame] = {}
        self._detector = detector

    @property
    def detector(self) -> FullDetector | None:
        """Return the newest detector; none before the first `update`."""
        return self._detector

    @property
    def frames(self) -> tuple[LabelledFrame, ...]:
        """Return the frames that the next `update` learns from."""
        return tuple(self._frames.values())

    def put_frame(self, frame: LabelledFrame, rgb: Rgb | None = None) -> None:
        """Take a frame in, or its new labels.

        Args:
            frame: Replaces the labels that the same picture had before.
            rgb: Its picture `(h, w, 3) uint8`, if at hand; none = it is read when it is needed.
        """
        del rgb
        self._frames[frame.source] = frame

    def remove_frame(self, source: PictureSource) -> None:
        """Forget a frame; one that is not there is no mistake."""
        self._frames.pop(source, None)

    def update(self, progress: Callable[[Progress], None], cancelled: Callable[[], bool]) -> TrainResult:
        """Return a detector that knows all frames there are now.

        Args:
            progress: Told where it stands, from the calling thread.
            cancelled: Asked several times a second.

        Raises:
            TrainingError: These examples do not give a detector.
            InputError: A picture cannot be read.
            CancelledError: `cancelled` said so; the detector stays as it was.
        """
        result = fit(self.frames, self._classes, self._config, progress, cancelled, clock=self._clock)
        self._detector = result.detector
        return result

    def detect(self, rgb: Rgb) -> list[Detection]:
        """Return what the newest detector sees in `(h, w, 3) uint8 RGB`, best first.

        Raises:
            TrainingError: Nothing was taught yet.
        """
        if self._detector is None:
            message = "nothing was taught yet: label a frame and update"
            raise TrainingError(message)
        return self._detector.detect(rgb)
