"""Who follows: the camera's own tracker, told of as its events are, and a plain one that only overlaps."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from bench.following.sequences import LABEL, Boxes, Clip
from edge_agent.pipeline.boxes import greedy_pairs, iou_matrix, to_arrays
from edge_agent.pipeline.detector import LabelRule
from edge_agent.pipeline.events import CameraIdentity, EventBuilder, Moment
from edge_agent.pipeline.track import Tracker, TrackSettings
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import DetectorRef, FrameSize

THRESHOLD = 0.4
"""The starter bundle's own for persons."""

_RULE = LabelRule(LABEL, LABEL, THRESHOLD, DetectorRef(id="starter", name="starter", version=1))


@dataclass(frozen=True)
class PlainSettings:
    """How the plain tracker works.

    Attributes:
        threshold: Lower scores are not looked at.
        min_iou: Overlap with the last box that joins.
        patience: Pictures without it after which a thing is given up.
        min_sights: Pictures in which a thing must have been seen before it is told of.
    """

    threshold: float = THRESHOLD
    min_iou: float = 0.3
    patience: int = 1
    min_sights: int = 1


def follow_as_camera(clip: Clip, every: int, settings: TrackSettings | None = None) -> dict[int, Boxes]:
    """Return what the camera tells of at each `every`-th frame: things with an event, where they are seen."""
    settings = settings or TrackSettings()
    tracker = Tracker(lambda _label: THRESHOLD - settings.birth_margin, lambda _label: THRESHOLD, settings)
    events = EventBuilder(CameraIdentity("bench", "vtest", "boot"), random.Random(0))  # noqa: S311
    told: dict[int, Boxes] = {}
    for frame in _every(clip, every):
        at_s = frame / clip.fps
        step = tracker.update(clip.detections[frame], at_s, tall=clip.tall)
        now = Moment(at_s, at_s, FrameSize(width_px=768, height_px=576))
        events.step(step.alive, step.gone, lambda _track: _RULE, now)
        told[frame] = [(t.number, t.box) for t in step.alive if t.announced and t.misses == 0]
    return told


def follow_plainly(clip: Clip, every: int, settings: PlainSettings) -> dict[int, Boxes]:
    """Return what a greedy tracker by overlap of boxes, without prediction, tells of at each frame."""
    told: dict[int, Boxes] = {}
    followed: list[_Plain] = []
    born = 0
    for frame in _every(clip, every):
        boxes = [d.box for d in clip.detections[frame] if d.score >= settings.threshold]
        overlap = iou_matrix(to_arrays([thing.box for thing in followed]), to_arrays(boxes))
        for thing in followed:
            thing.misses += 1
        taken = set()
        for i, j in greedy_pairs(overlap, settings.min_iou):
            followed[i].box, followed[i].misses = boxes[j], 0
            followed[i].sights += 1
            taken.add(j)
        followed = [thing for thing in followed if thing.misses < settings.patience]
        new = [box for j, box in enumerate(boxes) if j not in taken]
        followed += [_Plain(born + i, box) for i, box in enumerate(new)]
        born += len(new)
        told[frame] = [
            (t.number, t.box) for t in followed if t.misses == 0 and t.sights >= settings.min_sights
        ]
    return told


@dataclass
class _Plain:
    number: int
    box: XyxyNorm
    misses: int = 0
    sights: int = 1


def _every(clip: Clip, every: int) -> Sequence[int]:
    return sorted(clip.detections)[::every]
