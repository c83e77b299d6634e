"""Looks at frames: what they look like to a frozen subnet, and what a detector says about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cloud.active.doubt import mirror_back
from cloud.datasets.frames import PictureSource
from cloud.datasets.pictures import read_pictures
from cloud.subnets.features import FeatureExtractor
from edge_agent.vision.arrays import Rgb
from edge_agent.vision.letterbox import letterbox
from edge_agent.wire.detection import Detection
from edge_agent.wire.manifest import LabelSpec

_LOOK_PX = (288, 224)
_PAD_VALUE = 127
_LOW_SCORE = 0.05

Half = npt.NDArray[np.float16]


class Detector(Protocol):
    """What is asked about frames; `cloud.detector.full.FullDetector` is one."""

    @property
    def labels(self) -> tuple[LabelSpec, ...]:
        """Return the classes with their thresholds."""
        ...

    def detect_many(
        self, pictures: Sequence[Rgb], *, score_floor: float | None = None
    ) -> list[list[Detection]]:
        """Return what is seen in each picture, from `score_floor` on."""
        ...


@dataclass(frozen=True)
class Looked:
    """One frame that was looked at.

    Attributes:
        source: Which.
        look: `(cells, d)` float16, what it looks like.
        found: What the detector says from low scores on; empty without a detector.
        mirrored: What it says about the mirror image, boxes mapped back.
    """

    source: PictureSource
    look: Half
    found: tuple[Detection, ...] = ()
    mirrored: tuple[Detection, ...] = ()


def look_at(
    sources: Sequence[PictureSource],
    extractor: FeatureExtractor,
    detector: Detector | None,
    refuse_if_cancelled: Callable[[int], None] = lambda _done: None,
) -> Iterator[Looked]:
    """Yield every frame once, file by file, ascending.

    Args:
        sources: Which frames.
        extractor: The subnet by which frames are compared.
        detector: Whose doubt is asked for; none when there is no detector yet.
        refuse_if_cancelled: Called with how many were looked at; may raise.

    Raises:
        InputError: A picture cannot be read.
    """
    for done, (source, rgb) in enumerate(read_pictures(sources)):
        refuse_if_cancelled(done)
        look = look_of(rgb, extractor)
        if detector is None:
            yield Looked(source, look)
            continue
        mirror = np.ascontiguousarray(rgb[:, ::-1])
        found, mirrored = detector.detect_many([rgb, mirror], score_floor=_LOW_SCORE)
        yield Looked(source, look, tuple(found), tuple(mirror_back(mirrored)))


def look_of(rgb: Rgb, extractor: FeatureExtractor) -> Half:
    """Return what a picture `(h, w, 3) uint8 RGB` looks like: `(cells, d) float16`, features place by place.

    Those of the middle level of the subnet (stride 16 px) on a small copy.
    """
    levels = extractor.features(letterbox(rgb, *_LOOK_PX, _PAD_VALUE).pixels[None])
    middle = levels[len(levels) // 2][0]
    look: Half = middle.reshape(-1, middle.shape[-1]).astype(np.float16)
    return look
