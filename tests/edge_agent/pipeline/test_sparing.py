"""Streams look less often at what they know, and tell the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from edge_agent.pipeline.cadence import SPARING
from edge_agent.pipeline.detector import Sighting
from edge_agent.pipeline.gate import GateSettings
from edge_agent.pipeline.region import holds
from edge_agent.pipeline.result import PipelineResult, PipelineSettings
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection
from tests.edge_agent.pipeline.scenes import ScriptedDetector, always_looking, frame, person, pipeline

HEIGHT_PX, WIDTH_PX, STEP_S = 96, 128, 0.2
EMPTY_PICTURES = 20
SPARINGLY = PipelineSettings(gate=GateSettings(recent_s=0.4), look=SPARING)
IN_PARTS = replace(SPARINGLY, look=replace(SPARING, parts=True))


def shown(boxes: Sequence[XyxyNorm]) -> Rgb:
    """Return a grey picture with bright things in it."""
    rgb = np.full((HEIGHT_PX, WIDTH_PX, 3), 90, np.uint8)
    for x1, y1, x2, y2 in boxes:
        rgb[round(y1 * HEIGHT_PX) : round(y2 * HEIGHT_PX), round(x1 * WIDTH_PX) : round(x2 * WIDTH_PX)] = 200
    return rgb


def watch(
    looks: Sequence[Sequence[Detection]],
    settings: PipelineSettings,
    detector: ScriptedDetector | None = None,
) -> list[PipelineResult]:
    """Return what comes of a film in which a detector sees all that is there, after some empty pictures."""
    detector = detector or ScriptedDetector()
    camera = pipeline(detector, settings)
    results = []
    for index, sees in enumerate([*[[]] * EMPTY_PICTURES, *looks]):
        detector.sees = sees
        picture = shown([one.box for one in sees])
        results.append(camera.process(frame(index * STEP_S, picture)))
    return results


def told(results: Sequence[PipelineResult]) -> list[tuple[str, str]]:
    return [(e.event_type, e.label) for r in results for e in r.events if e.event_type != "update"]


def looked(results: Sequence[PipelineResult]) -> list[bool]:
    return [result.inferred for result in results[EMPTY_PICTURES:]]


def walk(pictures: int, start: float = 0.0, step: float = 0.01, y: float = 0.4) -> list[list[Detection]]:
    return [[person(start + step * index, y=y)] for index in range(pictures)]


def together(*walks: list[list[Detection]]) -> list[list[Detection]]:
    return [[one for some in looks for one in some] for looks in zip(*walks, strict=True)]


GONE: list[list[Detection]] = [[]] * 40


@pytest.mark.parametrize(
    "film",
    [
        walk(80),
        [*walk(40), *[[person(0.39)]] * 60],
        together(walk(80), walk(80, 0.9, -0.01, y=0.0)),
        [*walk(60), *GONE, *walk(60)],
    ],
    ids=["walks", "walks and stays", "two pass each other", "comes again"],
)
def test_sparing_stream_tells_what_one_tells_that_looks_at_every_picture(film: list[list[Detection]]) -> None:
    every, sparing = (watch([*film, *GONE], settings) for settings in (always_looking(), SPARINGLY))
    assert told(sparing) == told(every)
    assert told(every)
    assert sum(looked(sparing)) < 0.7 * len(film)


def test_lone_walker_is_looked_at_in_every_picture_first_and_ever_less_then() -> None:
    looks = looked(watch(walk(80), SPARINGLY))
    assert all(looks[:4])
    assert sum(looks[40:]) <= 12


def test_who_comes_while_another_walks_is_looked_at_at_once() -> None:
    first, second = walk(80, y=0.0), [*[[]] * 50, *walk(30, 0.1, y=0.7)]
    looks = looked(watch(together(first, second), SPARINGLY))
    assert not all(looks[40:50])
    assert all(looks[50:53])


class PartScripted(ScriptedDetector):
    """Sees in the left, the middle and the right third of a picture what is whole in those it looks at."""

    def __init__(self) -> None:
        super().__init__()
        self.shares: list[float] = []

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
        self.shares.append(1.0)
        return super().detect(rgb, min_score=min_score)

    def detect_around(
        self, rgb: Rgb, boxes: Sequence[XyxyNorm], *, min_score: float | None = None
    ) -> Sighting:
        assert rgb.ndim == 3
        parts = {
            (max(0.0, np.floor(3 * x1) / 3), 0.0, min(1.0, np.ceil(3 * x2) / 3), 1.0)
            for x1, _, x2, _ in boxes
        }
        self.shares.append(min(1.0, sum(part[2] - part[0] for part in parts)))
        sees = super().detect(rgb, min_score=min_score)
        seen = [d for d in sees if any(holds(part, d.box) for part in parts)]
        return Sighting(seen, tuple(parts))


@pytest.mark.parametrize(
    "film",
    [
        walk(80),
        [*walk(40), *[[person(0.39)]] * 60],
        together(walk(80), walk(80, 0.9, -0.01, y=0.0)),
        [*walk(60), *GONE, *walk(60)],
        together([[person(0.85, y=0.6)]] * 120, [*[[]] * 60, *walk(60, step=0.005)]),
        [*together([[person(0.85, y=0.6)]] * 80, [*[[]] * 60, *walk(20)]), *walk(60, 0.2, 0.005)],
    ],
    ids=["walks", "stays", "two pass each other", "comes again", "one stands", "one who stood is gone"],
)
def test_stream_that_looks_at_parts_tells_what_one_tells_that_looks_at_all(
    film: list[list[Detection]],
) -> None:
    detector = PartScripted()
    parts = watch([*film, *GONE], IN_PARTS, detector)
    assert told(parts) == told(watch([*film, *GONE], always_looking()))
    assert told(parts)
    assert sum(detector.shares) < 0.97 * len(detector.shares)


def test_camera_that_does_not_spare_looks_at_whole_pictures() -> None:
    detector = PartScripted()
    watch(walk(20), PipelineSettings(), detector)
    assert detector.shares
    assert set(detector.shares) == {1.0}
