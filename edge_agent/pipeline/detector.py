"""What the pipeline wants of a detector, and what it knows about each label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from edge_agent.pipeline.detect import BundleDetector, own_slugs
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.base import WHOLE, XyxyNorm
from edge_agent.wire.detection import Detection, DetectorRef

_UNKNOWN_THRESHOLD = 0.5


class Detector(Protocol):
    """Finds things in pictures."""

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
        """Return what is seen in `rgb`, (h, w, 3) uint8, with a score of at least `min_score`.

        Raises:
            BackendError: The network could not be run; never an empty list instead.
        """
        ...


@dataclass(frozen=True)
class Sighting:
    """What is seen in parts of a picture.

    Attributes:
        detections: All of it, boxes of the whole picture.
        parts: What is not seen in here is not there; elsewhere nobody looked.
    """

    detections: list[Detection]
    parts: tuple[XyxyNorm, ...]


@runtime_checkable
class PartDetector(Protocol):
    """Finds things in parts of pictures, for less than in the whole."""

    def detect_around(
        self, rgb: Rgb, boxes: Sequence[XyxyNorm], *, min_score: float | None = None
    ) -> Sighting:
        """Return what is seen at least in and around boxes, as `Detector.detect` does in the whole picture.

        Args:
            rgb: `(h, w, 3) uint8`.
            boxes: Fractions of the picture, perhaps partly outside of it.
            min_score: Lowest score to return.

        Raises:
            BackendError: The network could not be run; never an empty list instead.
        """
        ...


def look(
    detector: Detector, rgb: Rgb, boxes: Sequence[XyxyNorm] | None, min_score: float | None = None
) -> Sighting:
    """Return what is seen in and around boxes, or in the whole picture: where there are none, or it must.

    Raises:
        BackendError: As `Detector.detect`.
    """
    if boxes and isinstance(detector, PartDetector):
        return detector.detect_around(rgb, boxes, min_score=min_score)
    return Sighting(detector.detect(rgb, min_score=min_score), (WHOLE,))


@dataclass(frozen=True)
class LabelRule:
    """One label that a camera watches for.

    Attributes:
        slug: Its machine name, as in detections.
        name: What people call it.
        threshold: Score from which it counts as seen.
        detector: Which detector tells it apart.
    """

    slug: str
    name: str
    threshold: float
    detector: DetectorRef


def label_rules(detector: BundleDetector) -> dict[str, LabelRule]:
    """Return the rules of all labels of a bundle, by the slug that detections carry.

    A label that an earlier head has too is named with its detector, as its slug is: see `own_slugs`.
    """
    heads = detector.bundle.manifest.heads
    rules: dict[str, LabelRule] = {}
    for index, (head, slugs) in enumerate(zip(heads, own_slugs(heads), strict=True)):
        ref = detector.detector_ref(index)
        for spec, slug in zip(head.labels, slugs, strict=True):
            name = spec.name if slug == spec.slug else f"{spec.name} ({ref.name})"
            rules[slug] = LabelRule(slug, name, spec.threshold, ref)
    return rules


def rule_for(rules: Mapping[str, LabelRule], slug: str, detector: DetectorRef) -> LabelRule:
    """Return the rule of a label; one that only the cloud's detector knows counts from a score of 0.5."""
    return rules.get(slug) or LabelRule(slug, slug, _UNKNOWN_THRESHOLD, detector)
