"""Raw outputs of a network into candidate boxes; the same code for every runtime.

Anchor-free heads follow FCOS (Tian et al., 2019) with the peak test of CenterNet (Zhou et al., 2019);
anchor-based ones follow SSD (Liu et al., 2016) with one sigmoid a class.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edge_agent.errors import ArtifactError, BackendError
from edge_agent.vision.arrays import Bool, Float32, Int64
from edge_agent.wire.manifest import AnchorFreeDecoder, AnchorFreeLevel, Head, InputSpec, SsdDecoder

SCORE_FLOOR = 0.01
"""Cells below this score are dropped before anything costly is computed."""

MAX_CANDIDATES = 500
"""The best so many of one picture go on to NMS."""

_MAX_LOG_SIZE_RATIO = 10.0


@dataclass(frozen=True)
class Candidates:
    """Boxes before NMS.

    `boxes_px (n, 4) float32 xyxy` in pixels of the letterboxed input, `scores (n,) float32` in 0..1,
    `labels (n,) int64`: indices into the head's labels.
    """

    boxes_px: Float32
    scores: Float32
    labels: Int64

    def best(self, limit: int) -> Candidates:
        """Return the `limit` best, best first; equal scores keep their order."""
        order = np.argsort(-self.scores, kind="stable")[:limit]
        return self.take(order)

    def take(self, indices: Int64) -> Candidates:
        """Return the candidates at `indices`, in that order."""
        return Candidates(self.boxes_px[indices], self.scores[indices], self.labels[indices])


def sigmoid(logits: Float32) -> Float32:
    """Return 1 / (1 + exp(-x)) without overflow for any finite x."""
    small = np.exp(-np.abs(logits))
    return np.asarray(np.where(logits >= 0, np.float32(1), small) / (1 + small), np.float32)


def logit(score: float) -> float:
    """Return the logit whose sigmoid is `score`; infinite at 0 and 1."""
    if score <= 0.0:
        return -math.inf
    if score >= 1.0:
        return math.inf
    return math.log(score / (1.0 - score))


def decode_head(
    head: Head,
    outputs: Mapping[str, Float32],
    input_spec: InputSpec,
    anchors: Float32 | None,
    *,
    score_floor: float = SCORE_FLOOR,
    max_candidates: int = MAX_CANDIDATES,
) -> Candidates:
    """Turn the outputs that one head reads into candidate boxes.

    Args:
        head: Which outputs to read, and how.
        outputs: Every output of the network by name, dequantized.
        input_spec: Size of the network's input.
        anchors: `(n, 4) float32` cy cx h w normalised to the input, for SSD heads; none for others.
        score_floor: Candidates below are left out.
        max_candidates: Only so many of the best are kept.

    Returns:
        Candidates, best first, not yet through NMS.

    Raises:
        ArtifactError: An output is missing, or its shape does not fit the manifest.
        BackendError: The network answered numbers that are not finite.
    """
    classes = len(head.labels)
    if isinstance(head.decoder, AnchorFreeDecoder):
        candidates = _decode_anchor_free(head.decoder, outputs, classes, score_floor)
    else:
        candidates = _decode_ssd(head.decoder, outputs, input_spec, anchors, classes, score_floor)
    return candidates.best(max_candidates)


def _decode_anchor_free(
    decoder: AnchorFreeDecoder, outputs: Mapping[str, Float32], classes: int, score_floor: float
) -> Candidates:
    parts = [
        _decode_level(level, outputs, classes, decoder.peak_kernel, score_floor) for level in decoder.levels
    ]
    return Candidates(
        np.concatenate([part.boxes_px for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )


def _decode_level(
    level: AnchorFreeLevel, outputs: Mapping[str, Float32], classes: int, peak_kernel: int, score_floor: float
) -> Candidates:
    logits = _output(outputs, level.scores_output, rank=4, last=classes)[0]
    distances = _output(outputs, level.boxes_output, rank=4, last=4)[0]
    if logits.shape[:2] != distances.shape[:2]:
        message = f"outputs {level.scores_output!r} and {level.boxes_output!r} have different grids"
        raise ArtifactError(message)
    rows, columns, labels = np.nonzero(logits >= logit(score_floor))
    peaks = _is_peak(logits, rows, columns, labels, peak_kernel)
    rows, columns, labels = rows[peaks], columns[peaks], labels[peaks]
    left_top_right_bottom = np.maximum(distances[rows, columns], 0.0)
    centres = np.stack([columns, rows], axis=1).astype(np.float32) + np.float32(0.5)
    boxes = np.concatenate(
        [centres - left_top_right_bottom[:, :2], centres + left_top_right_bottom[:, 2:]], axis=1
    )
    scores = sigmoid(logits[rows, columns, labels])
    return Candidates((boxes * level.stride_px).astype(np.float32), scores, labels.astype(np.int64))


def _is_peak(logits: Float32, rows: Int64, columns: Int64, labels: Int64, kernel: int) -> Bool:
    """Tell which cells are, in their class, at least as strong as all of their surroundings.

    Looks only around the given cells, so a quiet picture costs next to nothing.
    """
    reach = kernel // 2
    height, width = logits.shape[:2]
    own = logits[rows, columns, labels]
    peaks = np.ones(len(rows), np.bool_)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            # Beyond the edge the nearest cell stands in; it lies in the same surroundings.
            near_rows = np.clip(rows + down, 0, height - 1)
            near_columns = np.clip(columns + right, 0, width - 1)
            peaks &= own >= logits[near_rows, near_columns, labels]
    return peaks


def _decode_ssd(
    decoder: SsdDecoder,
    outputs: Mapping[str, Float32],
    input_spec: InputSpec,
    anchors: Float32 | None,
    classes: int,
    score_floor: float,
) -> Candidates:
    with_background = classes + (decoder.background_index is not None)
    logits = _output(outputs, decoder.scores_output, rank=3, last=with_background)[0]
    shifts = _output(outputs, decoder.boxes_output, rank=3, last=4)[0]
    if anchors is None or anchors.shape != shifts.shape or len(logits) != len(shifts):
        found = None if anchors is None else anchors.shape
        message = f"anchors {found} do not fit outputs {shifts.shape} and {logits.shape}"
        raise ArtifactError(message)
    if decoder.background_index is not None:
        logits = np.delete(logits, decoder.background_index, axis=1)
    indices, labels = np.nonzero(logits >= logit(score_floor))
    boxes_px = _unshift(shifts[indices], anchors[indices], decoder.scales, input_spec)
    return Candidates(boxes_px, sigmoid(logits[indices, labels]), labels.astype(np.int64))


def _unshift(
    shifts: Float32, anchors: Float32, scales: tuple[float, float, float, float], input_spec: InputSpec
) -> Float32:
    """Apply shifts to anchors, both `(n, 4)` cy cx h w; return `(n, 4) float32 xyxy` in input pixels."""
    scaled = shifts.astype(np.float64) / np.array(scales)
    centres_yx = scaled[:, :2] * anchors[:, 2:] + anchors[:, :2]
    halves_yx = np.exp(np.minimum(scaled[:, 2:], _MAX_LOG_SIZE_RATIO)) * anchors[:, 2:] / 2
    corners = np.concatenate([(centres_yx - halves_yx)[:, ::-1], (centres_yx + halves_yx)[:, ::-1]], axis=1)
    size = np.array([input_spec.width_px, input_spec.height_px] * 2)
    return np.asarray(corners * size, np.float32)


def _output(outputs: Mapping[str, Float32], name: str, rank: int, last: int) -> Float32:
    array = outputs.get(name)
    if array is None:
        message = f"the network has no output {name!r}; it has {', '.join(sorted(outputs))}"
        raise ArtifactError(message)
    if array.ndim != rank or array.shape[0] != 1 or array.shape[-1] != last:
        message = (
            f"output {name!r} has shape {array.shape}, expected rank {rank}, batch 1 and last size {last}"
        )
        raise ArtifactError(message)
    if not np.isfinite(array).all():
        message = f"output {name!r} of the network has numbers that are not finite"
        raise BackendError(message)
    return array
