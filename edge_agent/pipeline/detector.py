"""What the pipeline wants of a detector, and what it knows about each label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from edge_agent.pipeline.detect import BundleDetector, own_slugs
from edge_agent.vision.arrays import Rgb
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
