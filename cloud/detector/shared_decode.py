"""Logits of many heads into detections: as `edge_agent.vision` does for one, but all at once.

Peaks, boxes and suppression cost what was found, not how many heads there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import TypeAdapter

from cloud.detector.shared_heads import Column
from cloud.detector.spec import DetectorSpec
from edge_agent.errors import BackendError
from edge_agent.vision.arrays import Bool, Float32, Int64
from edge_agent.vision.decode import MAX_CANDIDATES, SCORE_FLOOR, logit, sigmoid
from edge_agent.wire.detection import Detection

STRIDE_PX = 8
_DETECTIONS = TypeAdapter(list[Detection])


@dataclass(frozen=True)
class Rules:
    """What the columns of stacked logits mean, as arrays over columns `(c,)` or heads `(n,)`."""

    head_of: Int64
    floor_logits: Float32
    thresholds: Float32
    names: tuple[str, ...]
    nms_iou: Float32
    most: Int64
    peak_kernel: int

    @classmethod
    def of(cls, specs: Sequence[DetectorSpec], columns: Sequence[Column], score_floor: float | None) -> Rules:
        """Return the rules of the heads of these detectors.

        Args:
            specs: One a head, all with the same peak test.
            columns: Of the logits.
            score_floor: Report from this score on; none = each class from its own threshold on.
        """
        labels = [specs[column.head].labels[column.label] for column in columns]
        # Below its detector's lowest threshold a candidate is dropped at once, as a lone detector does.
        floors = [
            min(label.threshold for label in spec.labels) if score_floor is None else score_floor
            for spec in specs
        ]
        return cls(
            head_of=np.array([column.head for column in columns], np.int64),
            floor_logits=np.array(
                [logit(max(floors[column.head], SCORE_FLOOR)) for column in columns], np.float32
            ),
            thresholds=np.array(
                [label.threshold if score_floor is None else score_floor for label in labels], np.float64
            ),
            names=tuple(label.name for label in labels),
            nms_iou=np.array([spec.nms_iou for spec in specs], np.float32),
            most=np.array([spec.head.max_detections for spec in specs], np.int64),
            peak_kernel=specs[0].peak_kernel,
        )


@dataclass(frozen=True)
class Peaks:
    """Cells that may be objects, ordered by head and, within a head, best first; arrays `(n,)`."""

    rows: Int64
    columns: Int64
    logit_columns: Int64
    heads: Int64
    scores: Float32

    def take(self, chosen: Bool | Int64) -> Peaks:
        """Return some of them, in their order."""
        return Peaks(
            self.rows[chosen],
            self.columns[chosen],
            self.logit_columns[chosen],
            self.heads[chosen],
            self.scores[chosen],
        )


def find_peaks(logits: Float32, rules: Rules) -> Peaks:
    """Return the best peaks of every head in `(h, w, columns)`.

    Raises:
        BackendError: A number is not finite.
    """
    if not np.isfinite(logits).all():
        message = "a head answered numbers that are not finite"
        raise BackendError(message)
    # A tenth of the time of finding the three indices at once.
    above = np.flatnonzero(logits >= rules.floor_logits)
    cells = np.unravel_index(above, logits.shape)
    peaks = _is_peak(logits, cells, rules.peak_kernel)
    rows, columns, logit_columns = (part[peaks] for part in cells)
    found = Peaks(
        rows,
        columns,
        logit_columns,
        rules.head_of[logit_columns],
        sigmoid(logits[rows, columns, logit_columns]),
    )
    # Equal scores stay in the order of cells and classes, as a lone detector's do.
    labels_in_order = np.lexsort((logit_columns, columns, rows, -found.scores, found.heads))
    found = found.take(labels_in_order)
    return found.take(_rank_within(found.heads) < MAX_CANDIDATES)


def _is_peak(logits: Float32, cells: tuple[Int64, ...], kernel: int) -> Bool:
    """Tell which cells are, in their column, at least as strong as all of their surroundings."""
    reach = kernel // 2
    height, width, count = logits.shape
    # With a rim that is below everything, neighbours are at fixed distances in the flat array.
    rimmed = np.full((height + 2 * reach, width + 2 * reach, count), -np.inf, np.float32)
    rimmed[reach : reach + height, reach : reach + width] = logits
    flat = rimmed.reshape(-1)
    rows, columns, logit_columns = cells
    place = ((rows + reach) * (width + 2 * reach) + columns + reach) * count + logit_columns
    own = flat[place]
    peaks = np.ones(len(rows), np.bool_)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            peaks &= own >= flat.take(place + (down * (width + 2 * reach) + right) * count)
    return peaks


def _rank_within(groups: Int64) -> Int64:
    """Return each element's place within its run of equal numbers."""
    if not len(groups):
        return groups
    starts = np.flatnonzero(np.concatenate([[True], groups[1:] != groups[:-1]]))
    return np.arange(len(groups)) - np.repeat(starts, np.diff([*starts, len(groups)]))


def boxes_px(peaks: Peaks, distances: Float32) -> Float32:
    """Return `(n, 4) float32 xyxy` in pixels of the input from distances in strides."""
    centres = np.stack([peaks.columns, peaks.rows], axis=1).astype(np.float32) + np.float32(0.5)
    corners = np.concatenate([centres - distances[:, :2], centres + distances[:, 2:]], axis=1)
    return np.asarray(corners * STRIDE_PX, np.float32)


def survivors(boxes: Float32, groups: Int64, iou_thresholds: Float32) -> Bool:
    """Tell which boxes greedy suppression keeps, in all groups at once.

    Args:
        boxes: `(n, 4) float32 xyxy`, best first within each group.
        groups: `(n,)`; boxes of different groups never suppress each other.
        iou_thresholds: `(n,)`, equal within a group.
    """
    order = np.argsort(groups, kind="stable")
    sorted_groups, sorted_boxes = groups[order], boxes[order]
    better, worse = _pairs_within(sorted_groups)
    overlap = _iou(sorted_boxes, better, worse) > iou_thresholds[order][better]
    better, worse = better[overlap], worse[overlap]
    alive = np.ones(len(boxes), np.bool_)
    # Whether the best of every group lives is known; then what that leaves of the second, and so on.
    for part in _parts_by_number(_rank_within(sorted_groups)[better]):
        alive[worse[part][alive[better[part]]]] = False
    kept = np.empty(len(boxes), np.bool_)
    kept[order] = alive
    return kept


def _pairs_within(groups: Int64) -> tuple[Int64, Int64]:
    """Return the places of all pairs of elements, earlier and later, within each run of equal numbers."""
    places = np.arange(len(groups))
    later = np.searchsorted(groups, groups, side="right") - places - 1
    earlier = np.repeat(places, later)
    return earlier, np.arange(len(earlier)) - np.repeat(np.cumsum(later) - later, later) + earlier + 1


def _parts_by_number(numbers: Int64) -> list[Int64]:
    """Return the places of each number that occurs, the smallest number first."""
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)


def _iou(boxes: Float32, one: Int64, other: Int64) -> Float32:
    """Return `(pairs,)`: intersection over union of boxes, `(n, 4)`, at two places each."""
    left, top, right, bottom = np.ascontiguousarray(boxes.T)
    widths = np.maximum(np.minimum(right[one], right[other]) - np.maximum(left[one], left[other]), 0.0)
    heights = np.maximum(np.minimum(bottom[one], bottom[other]) - np.maximum(top[one], top[other]), 0.0)
    areas = np.maximum(right - left, 0.0) * np.maximum(bottom - top, 0.0)
    shared = widths * heights
    union = areas[one] + areas[other] - shared
    ious: Float32 = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ious


def detections(
    peaks: Peaks,
    boxes: Float32,
    rules: Rules,
    to_source_norm: Callable[[Float32], Float32],
) -> list[list[Detection]]:
    """Return what each head found in one picture, best first."""
    kept = survivors(boxes, peaks.logit_columns, rules.nms_iou[peaks.heads])
    peaks, boxes = peaks.take(kept), boxes[kept]
    reported = _rank_within(peaks.heads) < rules.most[peaks.heads]
    reported &= peaks.scores.astype(np.float64) >= rules.thresholds[peaks.logit_columns]
    peaks, boxes = peaks.take(reported), boxes[reported]
    rows = zip(
        peaks.logit_columns.tolist(),
        np.minimum(peaks.scores, 1).tolist(),
        to_source_norm(boxes).tolist(),
        strict=True,
    )
    # All in one call: half the time of one after the other.
    seen = _DETECTIONS.validate_python(
        [{"label": rules.names[column], "score": score, "box": box} for column, score, box in rows]
    )
    found: list[list[Detection]] = [[] for _ in rules.nms_iou]
    for head, one in zip(peaks.heads.tolist(), seen, strict=True):
        found[head].append(one)
    return found
