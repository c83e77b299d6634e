"""What a detector says about labelled frames, as they are or changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from cloud.datasets.frames import LabelledFrame
from cloud.datasets.pictures import read_pictures
from cloud.errors import InputError
from cloud.training.evaluate import SCORE_FLOOR, AnsweredFrame
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection, DetectorRef
from edge_agent.wire.manifest import LabelSpec

Seen = Callable[[LabelledFrame, Rgb], None]
Change = Callable[[LabelledFrame, Rgb], tuple[LabelledFrame, Rgb]]

_BATCH = 4


class Answers(Protocol):
    """A detector, as far as it is measured; see `cloud.detector.full.FullDetector`."""

    @property
    def ref(self) -> DetectorRef:
        """Return which detector and version this is."""
        ...

    @property
    def labels(self) -> tuple[LabelSpec, ...]:
        """Return the classes with the thresholds in use."""
        ...

    def detect_many(
        self, pictures: Sequence[Rgb], *, score_floor: float | None = None
    ) -> list[list[Detection]]:
        """Return what is seen in each picture, from `score_floor` on."""
        ...


def whole_frames(frames: Sequence[LabelledFrame]) -> list[LabelledFrame]:
    """Return the frames that were looked at as a whole, each picture once, in order.

    Raises:
        InputError: There is none.
    """
    whole = {frame.source: frame for frame in frames if frame.trusted_xyxy_norm is None}
    if not whole:
        message = "nothing to evaluate on: label at least one whole frame that training has not seen"
        raise InputError(message)
    return [
        whole[key] for key in sorted(whole, key=lambda source: (str(source.path), source.frame_index or 0))
    ]


def answer_frames(
    detectors: Sequence[Answers], frames: Sequence[LabelledFrame], changes: Sequence[Change] = ()
) -> list[list[list[AnsweredFrame]]]:
    """Run detectors on frames, each picture read once.

    Args:
        detectors: All of them look at the same pictures.
        frames: From `whole_frames`.
        changes: Ways to change a picture and its boxes; none leaves it as it is.

    Returns:
        For each detector, for each change, the answered frames in the order of `frames`.
    """
    ways = changes or (lambda frame, rgb: (frame, rgb),)
    answered: list[list[list[AnsweredFrame]]] = [[[] for _ in ways] for _ in detectors]
    by_source = {frame.source: frame for frame in frames}
    pictures = ((by_source[source], rgb) for source, rgb in read_pictures(by_source))
    for batch in _batches(pictures):
        for place, way in enumerate(ways):
            changed = [way(frame, rgb) for frame, rgb in batch]
            for number, detector in enumerate(detectors):
                answered[number][place] += answer_batch(detector, changed)
    order = {frame.source: place for place, frame in enumerate(frames)}
    for parts in answered:
        for part in parts:
            part.sort(key=lambda one: order[one.frame.source])
    return answered


def answer_batch(detector: Answers, batch: Sequence[tuple[LabelledFrame, Rgb]]) -> list[AnsweredFrame]:
    """Run a detector on a few pictures at once."""
    found = detector.detect_many([rgb for _, rgb in batch], score_floor=SCORE_FLOOR)
    return [AnsweredFrame(frame, tuple(each)) for (frame, _), each in zip(batch, found, strict=True)]


def _batches(pictures: Iterator[tuple[LabelledFrame, Rgb]]) -> Iterator[list[tuple[LabelledFrame, Rgb]]]:
    while batch := list(islice(pictures, _BATCH)):
        yield batch
