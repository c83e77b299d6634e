"""The motion gate."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.camera.frame import Brightness
from edge_agent.pipeline.gate import Foretold, GateDecision, GateSettings, MotionGate, cells_of, small_grey
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.base import XyxyNorm

HEIGHT_PX, WIDTH_PX = 144, 256


class Camera:
    """A noisy scene with a box that may move through it."""

    def __init__(self, seed: int = 0, noise: float = 4.0) -> None:
        self._rng = np.random.default_rng(seed)
        self._noise = [
            self._rng.normal(0.0, noise, (HEIGHT_PX, WIDTH_PX, 3)).astype(np.float32) for _ in range(16)
        ]
        ramp = np.linspace(40, 160, WIDTH_PX, dtype=np.float32)
        self._scene = np.repeat(np.repeat(ramp[None, :, None], HEIGHT_PX, axis=0), 3, axis=2)

    def picture(self, box_px: tuple[int, int, int, int] | None = None, light: float = 0.0) -> Rgb:
        rgb = self._scene + light
        if box_px is not None:
            x, y, w, h = box_px
            rgb = rgb.copy()
            rgb[y : y + h, x : x + w] = 220
        # Old noise at a new place is as good as new noise, and costs less.
        fresh = np.roll(self._noise[self._rng.integers(16)], self._rng.integers(256, size=2), axis=(0, 1))
        noisy = rgb + fresh
        return np.asarray(np.clip(noisy, 0, 255), dtype=np.uint8)


def still(gate: MotionGate, camera: Camera, *, seconds: float, start_s: float = 0.0) -> list[GateDecision]:
    return [gate.decide(camera.picture(), start_s + i * 0.2) for i in range(int(seconds * 5))]


def test_gate_first_picture_opens() -> None:
    assert MotionGate().decide(Camera().picture(), 0.0) == GateDecision(
        look=True, reason="start", changed_share=1.0
    )


def test_gate_still_scene_with_noise_sleeps_but_for_forced_looks() -> None:
    decisions = still(MotionGate(), Camera(noise=6.0), seconds=40)
    reasons = [d.reason for d in decisions if d.look]
    assert reasons == ["start"] * 2 + ["forced"] * 3


def test_gate_while_it_learns_looks_at_what_is_asked_for() -> None:
    gate, camera = MotionGate(), Camera()
    looks = [gate.decide(camera.picture(), i * 0.2, asked=i == 2).look for i in range(5)]
    assert looks == [True, False, True, False, True]


@pytest.mark.parametrize("light", [-60.0, 60.0])
def test_gate_after_a_change_of_light_that_goes_back_sees_movement_at_once(light: float) -> None:
    gate, camera = MotionGate(), Camera(noise=2.0)
    still(gate, camera, seconds=5)
    for i in range(60):
        gate.decide(camera.picture(light=light), 5.0 + i * 0.2)
    still(gate, camera, seconds=2, start_s=17.0)
    decision = gate.decide(camera.picture((210, 60, 16, 24)), 19.0)
    assert decision.reason == "motion"
    assert 0.0 < decision.changed_share < 0.1


def test_gate_small_moving_thing_opens_at_once() -> None:
    gate, camera = MotionGate(), Camera()
    still(gate, camera, seconds=5)
    decision = gate.decide(camera.picture((120, 60, 8, 14)), 5.0)
    assert decision.reason == "motion"
    assert 0.0 < decision.changed_share < 0.05


def test_gate_after_motion_looks_once_more_then_sleeps() -> None:
    gate, camera = MotionGate(GateSettings(linger_s=1.0)), Camera()
    still(gate, camera, seconds=5)
    gate.decide(camera.picture((120, 60, 24, 36)), 5.0)
    after = still(gate, camera, seconds=3, start_s=5.2)
    assert [d.reason for d in after] == ["asleep"] * 4 + ["linger"] + ["asleep"] * 10


def test_gate_after_motion_does_not_linger_where_it_looked_already() -> None:
    gate, camera = MotionGate(GateSettings(linger_s=1.0)), Camera()
    still(gate, camera, seconds=5)
    gate.decide(camera.picture((120, 60, 24, 36)), 5.0)
    assert gate.decide(camera.picture(), 5.2, asked=True).reason == "asked"
    assert not any(d.look for d in still(gate, camera, seconds=3, start_s=5.4))


def test_gate_thing_that_stays_sinks_into_the_background() -> None:
    gate, camera = MotionGate(GateSettings(forced_every_s=1e9)), Camera()
    still(gate, camera, seconds=5)
    parked = [gate.decide(camera.picture((120, 60, 24, 36)), 5.0 + i) for i in range(200)]
    assert parked[0].look
    assert not any(d.look for d in parked[-50:])


def test_gate_ground_on_which_something_stood_long_soon_gives_rest() -> None:
    gate, camera = MotionGate(GateSettings(forced_every_s=1e9)), Camera()
    for i in range(150):
        gate.decide(camera.picture((120, 60, 24, 36)), i * 0.2)
    left = still(gate, camera, seconds=20, start_s=30.0)
    assert left[0].reason == "motion"
    assert not any(d.look for d in left[60:]), "twelve seconds later"


def test_gate_thing_that_goes_on_moving_keeps_it_open() -> None:
    gate, camera = MotionGate(GateSettings(linger_s=0.0)), Camera()
    still(gate, camera, seconds=5)
    walk = [gate.decide(camera.picture((20 + i, 60, 12, 36)), 5.0 + i * 0.2) for i in range(200)]
    assert all(d.reason == "motion" for d in walk)


def test_gate_brightness_of_the_whole_picture_is_no_motion() -> None:
    gate, camera = MotionGate(), Camera()
    still(gate, camera, seconds=5)
    assert not gate.decide(camera.picture(light=12.0), 5.0).look


def test_gate_camera_turned_away_opens_and_learns_anew() -> None:
    gate, camera = MotionGate(), Camera()
    still(gate, camera, seconds=5)
    turned = camera.picture()[:, ::-1]
    assert gate.decide(turned, 5.0).reason == "motion"
    settled = [gate.decide(camera.picture()[:, ::-1], 5.2 + i * 0.2) for i in range(20)]
    assert not settled[-1].look


def test_gate_asked_opens_without_motion() -> None:
    gate, camera = MotionGate(), Camera()
    still(gate, camera, seconds=5)
    assert gate.decide(camera.picture(), 5.0, asked=True).reason == "asked"


LEFT_HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))


@pytest.mark.parametrize(("x_px", "opens"), [(40, False), (200, True)])
def test_gate_movement_counts_only_outside_of_a_mask(x_px: int, opens: bool) -> None:
    gate, camera = MotionGate(), Camera()
    gate.masks = (LEFT_HALF,)
    still(gate, camera, seconds=5)
    assert gate.decide(camera.picture((x_px, 60, 24, 36)), 5.0).look is opens


def test_gate_mask_set_later_holds_from_the_next_picture_on_and_can_be_taken_back() -> None:
    gate, camera = MotionGate(), Camera()
    still(gate, camera, seconds=5)
    box = (40, 60, 24, 36)
    assert gate.decide(camera.picture(box), 5.0).look
    gate.masks = (LEFT_HALF,)
    assert not gate.decide(camera.picture(box), 5.2).look
    gate.masks = ()
    assert gate.decide(camera.picture(box), 5.4).look


def test_gate_masked_thing_is_learned_so_that_no_ghost_is_left_without_the_mask() -> None:
    gate, camera = MotionGate(GateSettings(linger_s=0.0, forced_every_s=1e9)), Camera()
    gate.masks = (LEFT_HALF,)
    for i in range(400):
        gate.decide(camera.picture((40, 60, 24, 36)), i * 0.2)
    gate.masks = ()
    assert not gate.decide(camera.picture((40, 60, 24, 36)), 80.0).look


def test_gate_change_of_all_that_is_not_masked_is_a_flood() -> None:
    gate, camera = MotionGate(), Camera()
    gate.masks = (((0.0, 0.0), (0.8, 0.0), (0.8, 1.0), (0.0, 1.0)),)
    still(gate, camera, seconds=5)
    assert gate.decide(camera.picture((200, 0, 56, 144)), 5.0).changed_share > 0.9
    assert not gate.decide(camera.picture((200, 0, 56, 144)), 5.2).look, "learned anew"


WALKER = (0.4, 0.3, 0.7, 0.9)
"""Around a thing that walks from 120 px to the right, in fractions of the picture."""


def known(*boxes: XyxyNorm, wait_s: float) -> Foretold:
    return Foretold(lambda: boxes, lambda: wait_s, rest_wait_s=1.0)


def walk(gate: MotionGate, camera: Camera, foretold: Foretold, *, pictures: int) -> list[str]:
    still(gate, camera, seconds=5)
    boxes = [(120 + 2 * i, 60, 16, 36) for i in range(pictures)]
    moments = ((camera.picture(box), 5.0 + i * 0.2) for i, box in enumerate(boxes))
    return [gate.decide(picture, at_s, foretold=foretold).reason for picture, at_s in moments]


def test_gate_thing_that_moves_where_it_should_is_looked_at_as_often_as_it_needs() -> None:
    reasons = walk(MotionGate(), Camera(), known(WALKER, wait_s=0.6), pictures=10)
    assert reasons == ["foretold" if i % 3 else "motion" for i in range(10)]


@pytest.mark.parametrize("wait_s", [0.0, 0.2])
def test_gate_thing_that_wants_every_look_gets_it(wait_s: float) -> None:
    wanted = known(WALKER, wait_s=wait_s)
    assert walk(MotionGate(), Camera(), wanted, pictures=10) == ["motion"] * 10


def test_gate_what_moves_elsewhere_is_looked_at_at_once() -> None:
    gate, camera = MotionGate(), Camera()
    walker = known(WALKER, wait_s=1.0)
    assert walk(gate, camera, walker, pictures=3)[-1] == "foretold"
    two = camera.picture((126, 60, 16, 36))
    two[20:44, 30:46] = 220
    assert gate.decide(two, 5.6, foretold=walker).reason == "motion"


def test_gate_what_moves_where_nothing_was_found_is_looked_at_ever_less() -> None:
    gate, camera = MotionGate(), Camera()
    nothing = known(wait_s=1.0)
    still(gate, camera, seconds=5)
    # It sways at one place, as a leaf in the wind does.
    leaf = [camera.picture((116 + 8 * (i % 2), 60, 16, 24)) for i in range(30)]
    looks = [gate.decide(one, 5.0 + i * 0.2, foretold=nothing).look for i, one in enumerate(leaf)]
    assert all(looks[:3])
    assert 2 <= sum(looks[15:]) <= 5


def test_gate_what_came_to_rest_is_looked_at_once_in_its_time() -> None:
    gate, camera = MotionGate(), Camera()
    wanted = known(wait_s=0.0)
    still(gate, camera, seconds=5)
    parked = [camera.picture((120, 60, 24, 36)) for _ in range(30)]
    looks = [gate.decide(one, 5.0 + i * 0.2, foretold=wanted).look for i, one in enumerate(parked)]
    assert looks[0]
    assert sum(looks[15:]) <= 3


@pytest.mark.parametrize(
    ("box", "cells"),
    [
        ((0.0, 0.0, 1.0, 1.0), 32),
        ((0.3, 0.3, 0.6, 0.7), 6),
        ((-0.5, -0.5, 0.1, 0.1), 1),
        ((1.2, 0.2, 1.5, 0.8), 0),
        ((-0.5, 0.0, -0.1, 1.0), 0),
    ],
)
def test_cells_of_boxes_are_those_that_they_touch(box: XyxyNorm, cells: int) -> None:
    assert np.count_nonzero(cells_of([box], (4, 8))) == cells


def test_gate_switched_off_always_opens() -> None:
    gate = MotionGate(GateSettings(enabled=False))
    assert all(d.look for d in still(gate, Camera(), seconds=4))


def test_gate_picture_size_changes_starts_again() -> None:
    gate = MotionGate()
    still(gate, Camera(), seconds=3)
    assert gate.decide(Camera().picture()[:, ::2], 0.2).reason == "start"


@pytest.mark.parametrize("width_px", [480, 482, 640])
def test_small_grey_of_brightness_is_the_mean_of_two_by_two_samples(width_px: int) -> None:
    # As a decoder leaves them: lines are longer than what is seen of them.
    lines = np.random.default_rng(0).integers(0, 256, (362, 704), dtype=np.uint8)[:, :width_px]
    samples = lines[:360:2, : width_px // 4 * 4 : 2].astype(np.float32)
    mean = (samples[::2, ::2] + samples[1::2, ::2] + samples[::2, 1::2] + samples[1::2, 1::2]) / 4
    assert np.array_equal(small_grey(Brightness(lines), 128), mean)


@pytest.mark.parametrize("shape", [(360, 640), (1080, 1920), (48, 64), (1, 1), (3, 1000)])
def test_small_grey_of_any_size_keeps_grey_levels(shape: tuple[int, int]) -> None:
    grey = small_grey(np.full((*shape, 3), 77, dtype=np.uint8), 128)
    assert grey.dtype == np.float32
    assert grey.size > 0
    assert np.all(grey == 77)


@pytest.mark.parametrize("pictures", [1, 30], ids=["while it learns", "in a still scene"])
def test_gate_opens_again_after_a_look_that_failed(pictures: int) -> None:
    gate, camera = MotionGate(), Camera()
    still(gate, camera, seconds=pictures / 5)
    gate.look_failed()
    looks = [gate.decide(camera.picture(), (pictures + i) * 0.2).look for i in range(2)]
    assert looks == [True, False]
