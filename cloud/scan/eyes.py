"""What looks at the pictures of a scan: detectors of any kind, behind one protocol."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol, Self

from edge_agent.pipeline.detect import BundleDetector, HeadDetections
from edge_agent.pipeline.detector import LabelRule, label_rules
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection, DetectorRef

_FAINT_SHARE, _LEAST_FLOOR = 0.35, 0.05
_MOST_AT_ONCE = 4

Looks = dict[DetectorRef, list[list[Detection]]]
"""What each detector saw in each picture; labels are slugs."""


class Eyes(Protocol):
    """One or more detectors that look together."""

    @property
    def rules(self) -> Mapping[DetectorRef, Mapping[str, LabelRule]]:
        """Return for each detector its labels, by slug."""
        ...

    def look(self, pictures: Sequence[Rgb]) -> Looks:
        """Return what is seen in pictures `(h, w, 3) uint8 RGB`, at least from the score of `floor_of` on.

        Raises:
            BackendError: A network failed.
        """
        ...


def floor_of(rules: Iterable[LabelRule]) -> float:
    """Return the score below which a detection tells nothing: not even that a thing is still there."""
    return max(_LEAST_FLOOR, _FAINT_SHARE * min((rule.threshold for rule in rules), default=0.0))


class BundleEyes:
    """All heads of a bundle; each counts as a detector.

    One and the same bundle may be opened several times: so many pictures are looked at at once, each by one
    thread, which is faster than several threads for one picture.
    """

    def __init__(self, detector: BundleDetector, *others: BundleDetector) -> None:
        self._idle: SimpleQueue[BundleDetector] = SimpleQueue()
        for one in (detector, *others):
            self._idle.put(one)
        self._pool = ThreadPoolExecutor(1 + len(others), thread_name_prefix="look")
        self._rules: dict[DetectorRef, dict[str, LabelRule]] = {}
        rules = label_rules(detector)
        for slug, rule in rules.items():
            self._rules.setdefault(rule.detector, {})[slug] = rule
        self._floor = floor_of(rules.values())

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a bundle once for each core of this machine, as far as that is worth it.

        Raises:
            ArtifactError: The bundle is damaged.
            BackendError: Its runtime is not installed or cannot load it.
        """
        return cls(*(BundleDetector.open(path) for _ in range(min(_MOST_AT_ONCE, os.cpu_count() or 1))))

    @property
    def rules(self) -> Mapping[DetectorRef, Mapping[str, LabelRule]]:
        """Return for each head its labels, by slug."""
        return self._rules

    def look(self, pictures: Sequence[Rgb]) -> Looks:
        """Return what is seen in each picture; each is looked at alone, as a camera does."""
        looks: Looks = {ref: [] for ref in self._rules}
        for heads in self._pool.map(self._look_at, pictures):
            for head in heads:
                looks[head.detector].append(list(head.detections))
        return looks

    def _look_at(self, rgb: Rgb) -> tuple[HeadDetections, ...]:
        detector = self._idle.get()
        try:
            return detector.detect_heads(rgb, min_score=self._floor)
        finally:
            self._idle.put(detector)


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
