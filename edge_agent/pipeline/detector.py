"""What the pipeline wants of a detector, and what it knows about each label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection, DetectorRef
from edge_agent.wire.labels import slugify
from edge_agent.wire.manifest import Manifest


class Detector(Protocol):
    """Finds things in pictures."""

    def detect(self, rgb: Rgb, min_score: float) -> list[Detection]:
        """Return what is seen in `rgb`, (h, w, 3) uint8, with a score of at least `min_score`.

        Raises:
            BackendError: The network could not be run; never an empty list instead.
        """
        ...


@dataclass(frozen=True)
class LabelRule:
    """One label that a camera watches for.

    Attributes:
        label: Its display name, as in detections.
        slug: Its machine name.
        threshold: Score from which it counts as seen.
        detector: Which detector tells it apart.
    """

    label: str
    slug: str
    threshold: float
    detector: DetectorRef


def label_rules(manifest: Manifest) -> dict[str, LabelRule]:
    """Return the rules of all labels of a bundle, by display name; the first head wins a shared name."""
    rules: dict[str, LabelRule] = {}
    for head in manifest.heads:
        for spec in head.labels:
            rules.setdefault(spec.name, LabelRule(spec.name, spec.slug, spec.threshold, head.detector))
    return rules


def rule_for(rules: Mapping[str, LabelRule], label: str, detector: DetectorRef) -> LabelRule:
    """Return the rule of a label; one that only the cloud's detector knows counts from a score of 0.5."""
    return rules.get(label) or LabelRule(label, slugify(label), 0.5, detector)
