"""A bundle as a detector: picture in, detections out."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from edge_agent.clock import Clock, SystemClock
from edge_agent.errors import ArtifactError
from edge_agent.pipeline.alike import Looks, Sight, sights_on_picture
from edge_agent.pipeline.boxes import to_arrays
from edge_agent.runtime.backend import Backend, SplitBackend
from edge_agent.runtime.bundle import Bundle, open_bundle
from edge_agent.runtime.head_update import trunk_sha256
from edge_agent.runtime.npy import read_array
from edge_agent.runtime.select import open_backend
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.vision.decode import SCORE_FLOOR, Candidates, decode_head
from edge_agent.vision.describe import MAP_SPACE, describe_on_map
from edge_agent.vision.letterbox import Letterboxed, letterbox
from edge_agent.vision.nms import nms
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection, DetectorRef
from edge_agent.wire.labels import slugify
from edge_agent.wire.manifest import Head, InputSpec, LabelSpec, SsdDecoder

_SLUG_CHARS = 64


@dataclass(frozen=True)
class HeadDetections:
    """What one head says about a picture, best first."""

    detector: DetectorRef
    detections: tuple[Detection, ...]


class LabelledHead(Protocol):
    """Something that tells labels apart: a head of a bundle, or a detector of the cloud."""

    @property
    def detector(self) -> DetectorRef:
        """Return whose it is."""
        ...

    @property
    def labels(self) -> tuple[LabelSpec, ...]:
        """Return its labels, in the order of its outputs."""
        ...


class BundleDetector:
    """All heads of a bundle, run together on one picture; the trunk runs once."""

    def __init__(self, bundle: Bundle, backend: Backend, clock: Clock | None = None) -> None:
        """Join a bundle with a backend that has loaded its network.

        Raises:
            ArtifactError: The anchors of a head cannot be read.
        """
        self._bundle = bundle
        self._backend = backend
        self._clock = clock or SystemClock()
        self._slugs = own_slugs(bundle.manifest.heads)
        self._anchors = [_read_anchors(bundle, head) for head in bundle.manifest.heads]
        self._boxed: Letterboxed | None = None
        # Numbers of two trunks must never be compared.
        self._map_space = f"{MAP_SPACE}:{(trunk_sha256(bundle.manifest) or '')[:12]}"
        self.inference_ms = 0.0
        """How long the network itself took in the last call."""

    @classmethod
    def open(cls, bundle: Path | Bundle, threads: int = 1) -> Self:
        """Open a bundle and load its network.

        Args:
            bundle: A bundle, or the path of its folder or zip.
            threads: Threads of one inference.

        Raises:
            ConfigError: There is nothing at that path.
            ArtifactError: The bundle is damaged.
            BackendError: Its runtime is not installed or cannot load it.
        """
        opened = bundle if isinstance(bundle, Bundle) else open_bundle(bundle)
        return cls(opened, open_backend(opened, threads))

    @property
    def bundle(self) -> Bundle:
        """Return the bundle that answers."""
        return self._bundle

    @property
    def slugs(self) -> tuple[tuple[str, ...], ...]:
        """Return the slugs that detections carry, head by head: see `own_slugs`."""
        return self._slugs

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
        """Return what all heads see.

        Args:
            rgb: `(h, w, 3) uint8`.
            min_score: Lowest score to return; without it each label's recommended threshold counts.

        Returns:
            Detections, head by head, each head's best first; boxes are fractions of the picture.

        Raises:
            BackendError: The network failed; never an empty list instead.
        """
        heads = self.detect_heads(rgb, min_score=min_score)
        return [detection for head in heads for detection in head.detections]

    def detect_heads(self, rgb: Rgb, *, min_score: float | None = None) -> tuple[HeadDetections, ...]:
        """Return what every head sees, apart; arguments and errors as `detect`."""
        spec = self._bundle.manifest.input
        self._boxed = boxed = letterbox(rgb, spec.width_px, spec.height_px, spec.pad_value)
        started_s = self._clock.monotonic_s()
        outputs = self._backend.infer(boxed.pixels[None])
        self.inference_ms = 1000.0 * (self._clock.monotonic_s() - started_s)
        answers = []
        for index, (head, slugs, anchors) in enumerate(
            zip(self._bundle.manifest.heads, self._slugs, self._anchors, strict=True)
        ):
            found = _detections(head, outputs, boxed, spec, anchors, min_score, slugs)
            answers.append(HeadDetections(self.detector_ref(index), found))
        return tuple(answers)

    def detect_sights(self, rgb: Rgb, *, min_score: float | None = None) -> list[Sight]:
        """Return what `detect` does, and how each box looks: on the trunk's map where there is one.

        Raises:
            BackendError: As `detect`.
        """
        found = self.detect(rgb, min_score=min_score)
        features = self._backend.later_map() if isinstance(self._backend, SplitBackend) and found else None
        if features is None or self._boxed is None:
            return sights_on_picture(rgb, found)
        boxed = self._boxed
        return [Sight(one, partial(self._look_on_map, features, boxed, one.box)) for one in found]

    def _look_on_map(self, features: Callable[[], Float32], boxed: Letterboxed, box: XyxyNorm) -> Looks:
        spec = self._bundle.manifest.input
        size = np.array([spec.width_px, spec.height_px] * 2, np.float32)
        box_norm = boxed.to_input_px(to_arrays([box])) / size
        return {self._map_space: describe_on_map(features(), box_norm)[0]}

    def detector_ref(self, head: int = 0) -> DetectorRef:
        """Return which detector the head at this index is, with this bundle's precision and digest."""
        manifest = self._bundle.manifest
        return manifest.heads[head].detector.model_copy(
            update={"precision": manifest.precision, "bundle_sha256": self._bundle.sha256}
        )

    def close(self) -> None:
        """Free the network."""
        self._backend.close()


def own_slugs(heads: Sequence[LabelledHead]) -> tuple[tuple[str, ...], ...]:
    """Return the slugs of each head's labels, such that no two heads share one.

    The first head keeps its own. A later one whose label has the same slug adds its detector's id, so that
    the things that two detectors call alike are counted, followed and told apart.
    """
    taken: set[str] = set()
    slugs = []
    for head in heads:
        own = [_free_slug(label.slug, head.detector.id, taken) for label in head.labels]
        taken.update(own)
        slugs.append(tuple(own))
    return tuple(slugs)


def _free_slug(slug: str, detector_id: str, taken: Collection[str]) -> str:
    if slug not in taken:
        return slug
    suffix = slugify(detector_id)
    longer = f"{slug[: _SLUG_CHARS - 1 - len(suffix)]}_{suffix}"[:_SLUG_CHARS]
    number = 2
    while longer in taken:
        longer, number = f"{longer[: _SLUG_CHARS - 4]}_{number}", number + 1
    return longer


def _detections(
    head: Head,
    outputs: dict[str, Float32],
    boxed: Letterboxed,
    spec: InputSpec,
    anchors: Float32 | None,
    min_score: float | None,
    slugs: Sequence[str],
) -> tuple[Detection, ...]:
    thresholds = np.array(
        [label.threshold if min_score is None else min_score for label in head.labels], np.float32
    )
    floor = max(SCORE_FLOOR, float(thresholds.min()))
    candidates = decode_head(head, outputs, spec, anchors, score_floor=floor)
    candidates = candidates.take(np.flatnonzero(candidates.scores >= thresholds[candidates.labels]))
    kept = nms(candidates.boxes_px, candidates.scores, candidates.labels, head.nms_iou, head.max_detections)
    return _as_detections(slugs, candidates.take(kept), boxed)


def _as_detections(slugs: Sequence[str], candidates: Candidates, boxed: Letterboxed) -> tuple[Detection, ...]:
    boxes = boxed.to_source_norm(candidates.boxes_px).tolist()
    return tuple(
        Detection(label=slugs[label], score=min(1.0, score), box=(x1, y1, x2, y2))
        for (x1, y1, x2, y2), score, label in zip(
            boxes, candidates.scores.tolist(), candidates.labels.tolist(), strict=True
        )
        # A box that lies in the padding alone has no area in the picture.
        if x2 > x1 and y2 > y1
    )


def _read_anchors(bundle: Bundle, head: Head) -> Float32 | None:
    if not isinstance(head.decoder, SsdDecoder):
        return None
    name = head.decoder.anchors_file
    try:
        anchors = read_array(io.BytesIO(bundle.read(name)))
    except (ValueError, EOFError, OSError) as error:
        message = f"bundle {bundle.path.name}: {name} is no .npy array: {error}"
        raise ArtifactError(message) from error
    if anchors.ndim != 2 or anchors.shape[1] != 4 or not np.isfinite(anchors).all():
        message = f"bundle {bundle.path.name}: {name} has shape {anchors.shape}, expected (n, 4), all finite"
        raise ArtifactError(message)
    return np.asarray(anchors, np.float32)
