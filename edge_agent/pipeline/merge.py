"""A late answer of the cloud, laid over what the camera followed meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from edge_agent.pipeline.boxes import greedy_pairs, iou_matrix, to_arrays
from edge_agent.pipeline.track import Track
from edge_agent.wire.detection import Detection

_MIN_IOU = 0.3


@dataclass(frozen=True)
class MergePlan:
    """What an answer means.

    Attributes:
        confirmed: Followed things that the cloud saw too, with its detection.
        denied: Things that it was asked about and did not see.
        missed: What it saw and the camera did not.
    """

    confirmed: tuple[tuple[Track, Detection], ...]
    denied: tuple[Track, ...]
    missed: tuple[Detection, ...]


def plan_merge(
    tracks: Sequence[Track], detections: Sequence[Detection], asked_s: float, asked_numbers: Collection[int]
) -> MergePlan:
    """Return what an answer means for the things followed now.

    Args:
        tracks: Followed things.
        detections: What the cloud saw, over its threshold, boxes of the whole picture.
        asked_s: Moment of the picture that was sent, monotonic seconds; tracks are compared as they were.
        asked_numbers: Tracks that the question was about; only these can be denied.
    """
    then = [t for t in tracks if t.first_s <= asked_s]
    pairs = _pairs(then, detections, asked_s)
    found = {track.number for track, _ in pairs}
    used = {id(detection) for _, detection in pairs}
    denied = tuple(t for t in then if t.number in asked_numbers and t.number not in found)
    left = [d for d in detections if id(d) not in used]
    # Something that came into being while the answer was under way is no miss.
    younger = [t for t in tracks if t.first_s > asked_s]
    known = {id(detection) for _, detection in _pairs(younger, left, asked_s)}
    return MergePlan(tuple(pairs), denied, tuple(d for d in left if id(d) not in known))


def _pairs(
    tracks: Sequence[Track], detections: Sequence[Detection], at_s: float
) -> list[tuple[Track, Detection]]:
    if not tracks or not detections:
        return []
    overlap = iou_matrix(to_arrays([t.box_at(at_s) for t in tracks]), to_arrays([d.box for d in detections]))
    same = np.array([[t.label == d.label for d in detections] for t in tracks])
    return [(tracks[i], detections[j]) for i, j in greedy_pairs(np.where(same, overlap, -1.0), _MIN_IOU)]
