"""What a new head comes to in the bundle: its entry, its thresholds, and how well it does there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from compress.accuracy import above, agreement_f1, average_precision, tuned_thresholds
from compress.capture import decoder_outputs
from compress.map_lessons import FullAnswers
from compress.protocol import Compressible, HeldOutPicture, Rgb
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.vision.decode import SCORE_FLOOR
from edge_agent.wire.detection import Detection
from edge_agent.wire.manifest import Head, Manifest


@dataclass(frozen=True)
class Learned:
    """A head that learned, and what its full detector says of the pictures that it did not learn from."""

    head: nn.Module
    calibration: tuple[Rgb, ...]
    held_out: tuple[HeldOutPicture, ...]
    tuned_on: tuple[Rgb, ...]
    full_tuned: FullAnswers
    full_held_out: FullAnswers


@dataclass(frozen=True)
class Seen:
    """What the new bundle sees, head by head: pictures that thresholds are tuned on, held-out ones; times."""

    tuned: list[list[tuple[Detection, ...]]]
    held_out: list[list[tuple[Detection, ...]]]
    times_ms: list[float]

    @classmethod
    def by(cls, folder: Path, learned: Sequence[Learned]) -> Seen:
        """Run a bundle as a camera does."""
        detector = BundleDetector.open(folder)
        times_ms: list[float] = []

        def look(picture: Rgb, index: int) -> tuple[Detection, ...]:
            answer = detector.detect_heads(picture, min_score=SCORE_FLOOR)[index]
            times_ms.append(detector.inference_ms)
            slugs = dict(zip(detector.slugs[index], _own_slugs(detector, index), strict=True))
            return tuple(one.model_copy(update={"label": slugs[one.label]}) for one in answer.detections)

        tuned = [[look(rgb, index) for rgb in one.tuned_on] for index, one in enumerate(learned)]
        held_out = [[look(rgb.rgb(), index) for rgb in one.held_out] for index, one in enumerate(learned)]
        detector.close()
        return cls(tuned, held_out, times_ms)


@dataclass(frozen=True)
class Judged:
    """How one head does beside its full detector; no AP50 without labelled held-out pictures."""

    agreement_f1: float
    ap50: float | None
    full_ap50: float | None


def judge(detector: Compressible, head: Head, learned: Learned, seen: Seen, index: int) -> Judged:
    """Compare a head with its full detector, each at its thresholds, on pictures not learned from if any."""
    own = {label.slug: label.threshold for label in detector.labels}
    new = {label.slug: label.threshold for label in head.labels}
    truth = [one.truth for one in learned.held_out]
    if learned.held_out:
        full, small = learned.full_held_out.detections, seen.held_out[index]
    else:
        full, small = learned.full_tuned.detections, seen.tuned[index]
    ap = average_precision(truth, small, detector.labels) if truth else None
    full_ap = average_precision(truth, full, detector.labels) if truth else None
    return Judged(
        round(agreement_f1(above(full, own), above(small, new)), 4),
        None if ap is None else round(ap[0], 4),
        None if full_ap is None else round(full_ap[0], 4),
    )


def with_thresholds(
    head: Head, detector: Compressible, learned: Learned, seen: Sequence[Sequence[Detection]]
) -> Head:
    """Return a head with the thresholds at which it agrees best with its full detector."""
    tuned: Mapping[str, float] = tuned_thresholds(learned.full_tuned.detections, seen, detector.labels)
    labels = tuple(
        label.model_copy(update={"threshold": tuned.get(label.slug, label.threshold)})
        for label in detector.labels
    )
    return head.model_copy(update={"labels": labels})


def manifest_head(detector: Compressible, index: int, model_file: str, base: Manifest) -> Head:
    """Return what the manifest says of a head; its outputs' names are its own among the heads.

    Boxes on a small trunk are as one from the overlap on that its first head was told.
    """
    levels = tuple(
        level.model_copy(
            update={
                "scores_output": _named(level.scores_output, index),
                "boxes_output": _named(level.boxes_output, index),
            }
        )
        for level in detector.decoder.levels
    )
    return Head(
        detector=detector.ref.model_copy(update={"precision": base.precision}),
        labels=detector.labels,
        decoder=detector.decoder.model_copy(update={"levels": levels}),
        nms_iou=min(detector.nms_iou, base.heads[0].nms_iou),
        model_file=model_file,
    )


def output_names(detectors: Sequence[Compressible]) -> tuple[str, ...]:
    """Return the names of all heads' outputs, in order."""
    return tuple(
        _named(name, index)
        for index, detector in enumerate(detectors)
        for name in decoder_outputs(detector.decoder)
    )


def _named(output: str, index: int) -> str:
    """Return an output's name that no other head has."""
    return output if index == 0 else f"{output}_{index}"


def _own_slugs(detector: BundleDetector, index: int) -> tuple[str, ...]:
    return tuple(label.slug for label in detector.bundle.manifest.heads[index].labels)


def read_picture(png: bytes) -> Rgb:
    """Return a golden picture, `(h, w, 3) uint8`."""
    import cv2

    bgr = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    return np.ascontiguousarray(np.asarray(bgr, np.uint8)[:, :, ::-1])
