"""The one network of the device: shared by all cameras, exchanged while they run."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

from edge_agent.agent.thrift import give_back_memory
from edge_agent.errors import BackendError
from edge_agent.pipeline.alike import Sight, sights_on_picture
from edge_agent.pipeline.attributes import SecondStage, open_second_stage
from edge_agent.pipeline.cure import DescribingDetector
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.pipeline.detector import LabelRule, label_rules
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.wire.attributes import AttributeRules
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection
from edge_agent.wire.manifest import Manifest

_log = logging.getLogger(__name__)
AnswerT = TypeVar("AnswerT")

# A behind network keeps a camera from being looked at; a slow look now and then does not.
_BEHIND_MS = 1_000.0
_LAST_LOOKS = 5
_RECENT = 200
_FAILING = 5


class OpenedDetector(Protocol):
    """What is needed of a `BundleDetector`."""

    inference_ms: float

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
        """Return what is seen."""
        ...

    def close(self) -> None:
        """Let go of the network."""
        ...


@dataclass(frozen=True)
class OpenedBundle:
    """A bundle whose networks are loaded; `labels` by slug."""

    detector: OpenedDetector
    manifest: Manifest
    labels: dict[str, LabelRule]
    second: SecondStage | None = None

    def close(self) -> None:
        """Free the networks."""
        self.detector.close()
        if self.second is not None:
            self.second.embedder.backend.close()


BundleOpener = Callable[[Path, int], OpenedBundle]
"""Opens the bundle at a path with so many threads."""


def open_bundle_detector(path: Path, threads: int) -> OpenedBundle:
    """Open a bundle with the runtime it names; errors as `BundleDetector.open`."""
    detector = BundleDetector.open(path, threads)
    second = open_second_stage(detector.bundle)
    opened = OpenedBundle(detector, detector.bundle.manifest, label_rules(detector), second)
    give_back_memory()  # loading takes more than what is loaded
    return opened


class LocalDetector:
    """Holds one opened bundle; implements the pipeline's `Detector` and `Embedder`. Safe for many threads."""

    def __init__(self, opener: BundleOpener = open_bundle_detector, *, threads: int = 1) -> None:
        """Begin without a network."""
        self._opener = opener
        self._threads = threads
        self._lock = threading.Lock()
        self._opened: OpenedBundle | None = None
        self._times_ms: deque[float] = deque(maxlen=_RECENT)
        self.path: Path | None = None
        self.generation = 0
        self.looks = 0
        self.failures = 0
        self._failures_in_a_row = 0

    @property
    def ready(self) -> bool:
        """Return whether there is a network that works."""
        return self._opened is not None and not self.failing

    @property
    def failing(self) -> bool:
        """Return whether the network failed at each of the last looks."""
        return self._failures_in_a_row >= _FAILING

    @property
    def manifest(self) -> Manifest | None:
        """Return what the bundle says about itself."""
        return self._opened.manifest if self._opened else None

    @property
    def behind(self) -> bool:
        """Return whether one look takes so long that the camera cannot be followed."""
        last_ms = list(islice(reversed(self._times_ms), _LAST_LOOKS))
        return len(last_ms) == _LAST_LOOKS and min(last_ms) > _BEHIND_MS

    @property
    def looking(self) -> bool:
        """Return whether a look is under way just now."""
        return self._lock.locked()

    @property
    def fastest_ms(self) -> float | None:
        """Return how long the fastest of the last looks took in milliseconds; none before the first."""
        return min(list(self._times_ms), default=None)

    def labels(self) -> dict[str, LabelRule]:
        """Return what the network can tell apart, by slug."""
        return self._opened.labels if self._opened else {}

    @property
    def attribute_rules(self) -> AttributeRules | None:
        """Return how the bundle tells attributes, if it does."""
        return self._opened.second.rules if self._opened and self._opened.second else None

    def embed(self, rgb: Rgb, box: XyxyNorm) -> Float32:
        """Return the embedding of a box; implements the second stage's `Embedder`.

        Raises:
            BackendError: The bundle has no second stage, or it could not be run.
        """
        with self._lock:
            if self._opened is None or self._opened.second is None:
                message = "there is no second stage on this device"
                raise BackendError(message)
            return self._opened.second.embedder.embed(rgb, box)

    def load(self, path: Path) -> None:
        """Open the bundle at `path` and go on with it; when that fails, the one before stays.

        Raises:
            ConfigError: There is nothing at `path`.
            ArtifactError: The bundle is damaged.
            BackendError: This machine cannot run it.
        """
        opened = self._opener(path, self._threads)
        with self._lock:
            before, self._opened = self._opened, opened
            self.path = path
            self.generation += 1
            self.looks = self.failures = self._failures_in_a_row = 0
            self._times_ms.clear()
        if before is not None:
            before.close()
        _log.info("detector: bundle %s release %d", opened.manifest.name, opened.manifest.release)

    def unload(self) -> None:
        """Go on without a network."""
        with self._lock:
            before, self._opened = self._opened, None
            self.path = None
            self.generation += 1
        if before is not None:
            before.close()

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
        """Return what is seen in `rgb`, (h, w, 3) uint8, with a score of at least `min_score`.

        Raises:
            BackendError: There is no network, or it could not be run.
        """
        with self._lock:
            return self._ask(lambda detector: detector.detect(rgb, min_score=min_score))

    def detect_sights(self, rgb: Rgb, *, min_score: float | None = None) -> list[Sight]:
        """Return what `detect` does, and how each box looks; the same errors."""

        def ask(detector: OpenedDetector) -> list[Sight]:
            if isinstance(detector, DescribingDetector):
                return detector.detect_sights(rgb, min_score=min_score)
            return sights_on_picture(rgb, detector.detect(rgb, min_score=min_score))

        with self._lock:
            return self._ask(ask)

    def _ask(self, question: Callable[[OpenedDetector], AnswerT]) -> AnswerT:
        if self._opened is None:
            message = "there is no detector on this device"
            raise BackendError(message)
        try:
            answer = question(self._opened.detector)
        except BackendError:
            self._note_failure()
            raise
        self.looks += 1
        self._failures_in_a_row = 0
        self._times_ms.append(self._opened.detector.inference_ms)
        return answer

    def _note_failure(self) -> None:
        self.failures += 1
        self._failures_in_a_row += 1
        if self._failures_in_a_row == _FAILING:
            # Cameras take notice, and leave looking to the cloud.
            self.generation += 1
            _log.error("the detector failed %d times in a row", _FAILING)

    def inference_ms(self) -> tuple[float, float] | None:
        """Return the 50th and 99th percentile of the last looks, or none before the first."""
        times = sorted(self._times_ms)
        if not times:
            return None
        return _at_share(times, 0.50), _at_share(times, 0.99)


def _at_share(ordered: list[float], share: float) -> float:
    """Return the value that `share` of the values are below, between two of them if need be.

    As numpy's `percentile`, whose first call loads numpy's masked arrays: 6 MB, and a third of a second in
    which no other thread gets on.
    """
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
