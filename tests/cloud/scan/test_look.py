"""A recording is gone through window by window, and no window cares where the one before was stopped."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from cloud.scan.look import Part, go_through
from cloud.scan.plan import ScanSettings
from cloud.scan.recording import Sample
from edge_agent.camera.frame import Frame
from edge_agent.pipeline.gate import GateSettings
from edge_agent.vision.arrays import Rgb
from tests.cloud.scan.squares import COUNT, FPS, REF, SquareEyes, picture

STEP = 2
SETTINGS = ScanSettings(window=10)


def sample(index: int, rgb: Rgb) -> Sample:
    return Sample(Frame(rgb, index, index / FPS, index / FPS))


def squares() -> list[Sample]:
    return [sample(index, picture(index)) for index in range(0, COUNT, STEP)]


def looks(parts: list[Part]) -> list[int]:
    return [seen.frame for part in parts for seen in part.seen[REF]]


def test_what_is_left_is_looked_at_as_if_nobody_had_stopped() -> None:
    pictures = squares()
    whole = list(go_through(pictures, SquareEyes(), SETTINGS))
    assert [part.until for part in whole] == [
        (end - 1) * STEP + 1 for end in range(10, len(pictures) + 1, 10)
    ]
    for count in range(1, len(whole)):
        kept = [seen for part in whole[:count] for seen in part.seen[REF]]
        before = {REF: kept[-1]} if kept else {}
        rest = go_through(pictures, SquareEyes(), SETTINGS, done=whole[count - 1].until, before=before)
        assert list(rest) == whole[count:]


def test_still_recording_is_looked_at_again_and_again() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(58, 62, (4, 96, 160, 3), np.uint8)
    pictures = [sample(index, noise[index % 4]) for index in range(0, 60 * FPS, STEP)]
    seen = looks(list(go_through(pictures, SquareEyes(), SETTINGS)))
    gaps = [later - earlier for earlier, later in pairwise([*seen, 60 * FPS])]
    assert max(gaps) <= GateSettings().forced_every_s * FPS + STEP
    assert len(seen) < len(pictures) / 10
