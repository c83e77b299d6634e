"""Pictures that come but show nothing."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.camera.capture import Capture
from edge_agent.camera.frame import Brightness
from edge_agent.camera.sight import BLACK, FROZEN, SightWatch, is_black
from edge_agent.vision.arrays import Rgb
from tests.fakes.frame_source import Give, ScriptedCamera, Wait, until


def picture(level: int, noise: int = 0, seed: int = 0) -> Rgb:
    grain = np.random.default_rng(seed).integers(0, noise + 1, (120, 160, 3))
    return (level + grain).astype(np.uint8)


def shown(level: int, noise: int = 0, seed: int = 0) -> Brightness:
    return Brightness(picture(level, noise, seed)[:, :, 1])


@pytest.mark.parametrize(
    ("level", "noise", "black"),
    [(0, 0, True), (16, 4, True), (16, 40, False), (60, 0, False), (200, 0, False), (0, 255, False)],
)
def test_is_black_tells_a_covered_lens_from_a_dark_room(level: int, noise: int, black: bool) -> None:
    assert is_black(picture(level, noise)) is black


def test_sight_black_for_a_while_is_told_until_there_is_light() -> None:
    watch = SightWatch()
    told = [watch.see(shown(0, 3, second), second) for second in range(14)]
    assert told == [None] * 10 + [BLACK] * 4
    assert watch.see(shown(90, 3), 14.0) is None
    assert watch.see(shown(0, 3), 15.0) is None


@pytest.mark.parametrize(("may_stand_still", "said"), [(False, FROZEN), (True, None)])
def test_sight_same_picture_for_a_minute_is_told_of_live_sources(
    may_stand_still: bool, said: str | None
) -> None:
    watch = SightWatch(may_stand_still=may_stand_still)
    still = shown(90, 9)
    assert {watch.see(still, second) for second in range(60)} == {None}
    assert watch.see(still, 60.0) == said
    assert watch.see(shown(90, 9, seed=1), 61.0) is None


def test_capture_tells_black_pictures_while_it_is_online() -> None:
    camera = ScriptedCamera([item for _ in range(400) for item in (Give(), Wait(0.01))])
    watch = _Quick()
    with Capture(camera, watch=watch) as front:
        assert until(lambda: front.health().reason == BLACK)
        assert front.health().status == "online"
        watch.well = True
        assert until(lambda: front.health().reason == "pictures are coming")


class _Quick(SightWatch):
    """Says that everything is black, at once."""

    well = False

    def see(self, _shown: Brightness, _at_s: float) -> str | None:
        return None if self.well else BLACK
