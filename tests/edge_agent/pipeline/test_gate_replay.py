"""The motion gate on real footage: it saves work in a still scene and costs no event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from bench.gate import (
    CAMERA_FPS,
    FPS,
    STRETCHES,
    Told,
    make_pipeline,
    missing,
    mixed_pictures,
    read_clip,
)
from edge_agent.camera.frame import Frame
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.pipeline.detector import Detector
from edge_agent.starter.location import starter_bundle_path
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection

BETWEEN_S = 25
SETTLED_S = 10
"""After things were cut away they are looked for so long at most."""


class Remembering:
    """A detector that looks at the same picture once."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._known: dict[int, list[Detection]] = {}

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
        if id(rgb) not in self._known:
            self._known[id(rgb)] = self._detector.detect(rgb, min_score=min_score)
        return self._known[id(rgb)]


@pytest.fixture(scope="module")
def bundle() -> Iterator[BundleDetector]:
    with closing(BundleDetector.open(starter_bundle_path())) as detector:
        yield detector


def watch(
    pictures: Sequence[Rgb], detector: Detector, bundle: BundleDetector, *, gated: bool
) -> tuple[list[Told], list[bool]]:
    """Return the new events, and at which pictures the detector looked."""
    pipeline = make_pipeline(detector, bundle, gated=gated)
    told, looked = [], []
    for index, rgb in enumerate(pictures):
        at_s = index / FPS
        result = pipeline.process(Frame(rgb, index, 1.8e9 + at_s, 100.0 + at_s))
        told += [Told(at_s, event) for event in result.events if event.event_type == "new"]
        looked.append(result.inferred)
    return told, looked


@pytest.mark.slow
def test_gate_on_real_footage_misses_no_event_and_rests_in_the_still_scene(bundle: BundleDetector) -> None:
    step = round(CAMERA_FPS / FPS)
    # All pictures are kept, so that each has a number of its own.
    pictures = list(mixed_pictures(read_clip(), STRETCHES[:2], BETWEEN_S * CAMERA_FPS))[::step]
    detector = Remembering(bundle)
    every, _ = watch(pictures, detector, bundle, gated=False)
    gated, looked = watch(pictures, detector, bundle, gated=True)
    assert len(every) >= 5
    assert missing(every, gated) == ()
    settled, between = round(SETTLED_S * FPS), round(BETWEEN_S * FPS)
    stretch = (STRETCHES[0][1] - STRETCHES[0][0]) // step
    starts = [number * (between + stretch) for number in range(3)]
    still = [look for start in starts for look in looked[start + settled : start + between]]
    assert sum(still) <= 0.1 * len(still)
