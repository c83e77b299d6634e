"""What looks at the pictures of a scan: detectors of any kind, behind one protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from edge_agent.pipeline.detect import BundleDetector
from edge_agent.pipeline.detector import LabelRule, label_rules
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection, DetectorRef

FLOOR = 0.1
"""Weaker detections tell nothing, not even of a thing that is followed."""

Looks = dict[DetectorRef, list[list[Detection]]]
"""What each detector saw in each picture; labels are slugs."""


class Eyes(Protocol):
    """One or more detectors that look together."""

    @property
    def rules(self) -> Mapping[DetectorRef, Mapping[str, LabelRule]]:
        """Return for each detector its labels, by slug."""
        ...

    def look(self, pictures: Sequence[Rgb]) -> Looks:
        """Return what is seen in pictures `(h, w, 3) uint8 RGB` from a score of `FLOOR` on.

        Raises:
            BackendError: A network failed.
        """
        ...


class BundleEyes:
    """All heads of a bundle; each counts as a detector."""

    def __init__(self, detector: BundleDetector) -> None:
        self._detector = detector
        self._rules: dict[DetectorRef, dict[str, LabelRule]] = {}
        for slug, rule in label_rules(detector).items():
            self._rules.setdefault(rule.detector, {})[slug] = rule

    @property
    def rules(self) -> Mapping[DetectorRef, Mapping[str, LabelRule]]:
        """Return for each head its labels, by slug."""
        return self._rules

    def look(self, pictures: Sequence[Rgb]) -> Looks:
        """Return what is seen in each picture; they are looked at one by one, as a camera does."""
        looks: Looks = {ref: [] for ref in self._rules}
        for rgb in pictures:
            for head in self._detector.detect_heads(rgb, min_score=FLOOR):
                looks[head.detector].append(list(head.detections))
        return looks


class SeveralEyes:
    """Looks with each of several."""

    def __init__(self, eyes: Sequence[Eyes]) -> None:
        self._eyes = eyes

    @property
    def rules(self) -> Mapping[DetectorRef, Mapping[str, LabelRule]]:
        """Return the rules of all."""
        return {ref: rules for eyes in self._eyes for ref, rules in eyes.rules.items()}

    def look(self, pictures: Sequence[Rgb]) -> Looks:
        """Return what each sees in each picture."""
        return {ref: seen for eyes in self._eyes for ref, seen in eyes.look(pictures).items()}
