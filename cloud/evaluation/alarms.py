"""False alarms an hour on footage that shows nothing that the detector was taught."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from cloud.datasets.video import iterate_frames
from cloud.errors import InputError
from cloud.evaluation.answers import Answers
from cloud.evaluation.times import frames_per_second
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection

EVERY_S: Final = 1.0
PAUSE_S: Final = 5.0
"""Alarms of a class less than this apart are one episode: one thing fools it, once."""

_BATCH = 4


@dataclass(frozen=True)
class Sampled:
    """What was reported at one moment."""

    second: float
    detections: tuple[Detection, ...]


@dataclass(frozen=True)
class Alarms:
    """How often a detector cried wolf.

    Attributes:
        footage: Name of the file.
        seconds: How long it is.
        looked: How many frames were looked at, one a second.
        frames: On how many of them something was reported.
        episodes: How many separate times, over all classes.
    """

    footage: str
    seconds: float
    looked: int
    frames: int
    episodes: int

    @property
    def per_hour(self) -> float:
        """Return the episodes an hour. Of a clip of seconds this is a rough guess, upwards most of all."""
        return self.episodes * 3600 / self.seconds if self.seconds else 0.0


def count_alarms(name: str, sampled: Sequence[Sampled], seconds: float) -> Alarms:
    """Count the frames with an alarm, and the episodes."""
    times: dict[str, list[float]] = {}
    for one in sampled:
        for label in dict.fromkeys(each.label for each in one.detections):
            times.setdefault(label, []).append(one.second)
    episodes = sum(
        1 + sum(after - before > PAUSE_S for before, after in pairwise(seen)) for seen in times.values()
    )
    return Alarms(name, seconds, len(sampled), sum(bool(one.detections) for one in sampled), episodes)


def watch(detector: Answers, footage: Path, thresholds: Mapping[str, float]) -> Alarms:
    """Run a detector over footage, a frame a second, and count what it reports.

    Raises:
        InputError: The footage cannot be read as a video.
    """
    fps = frames_per_second(footage)
    step = max(1, round(fps * EVERY_S))
    sampled: list[Sampled] = []
    count = 0
    for batch, count in _batches(iterate_frames(footage), step):  # noqa: B007 - the last count is the length
        found = detector.detect_many([rgb for _, rgb in batch], score_floor=min(thresholds.values()))
        sampled += [
            Sampled(index / fps, _reported(detections, thresholds))
            for (index, _), detections in zip(batch, found, strict=True)
        ]
    if not count:
        message = f"{footage.name}: holds no frame that can be decoded; give other footage"
        raise InputError(message)
    return count_alarms(footage.name, sampled, count / fps)


def _reported(detections: Sequence[Detection], thresholds: Mapping[str, float]) -> tuple[Detection, ...]:
    return tuple(each for each in detections if each.score >= thresholds[each.label])


def _batches(frames: Iterator[tuple[int, Rgb]], step: int) -> Iterator[tuple[list[tuple[int, Rgb]], int]]:
    """Yield every `step`-th frame in batches, each with the number of frames gone by."""
    batch: list[tuple[int, Rgb]] = []
    count = 0
    for index, rgb in frames:
        count = index + 1
        if index % step == 0:
            batch.append((index, rgb))
        if len(batch) == _BATCH:
            yield batch, count
            batch = []
    yield batch, count
