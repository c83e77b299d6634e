"""When a new detector is far too slow: measured beside what runs, and never because the device is busy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_agent.agent.stores import cameras_pace
from edge_agent.config import AgentConfig
from edge_agent.errors import ArtifactError, BackendError
from edge_agent.update.pace import Pace, PacedSmokeTest, ms_per_picture
from tests.fakes.clock import FakeClock

NEW, OLD = Path("new.zip"), Path("old.zip")
PACE = Pace(camera_ms=200.0, factor=3.0)
PICTURES = [np.zeros((2, 2, 3), np.uint8)] * 3


@pytest.mark.parametrize(
    ("new_ms", "running_ms", "is_far_too_slow"),
    [
        (20.0, 20.0, False),
        (190.0, 1.0, False),  # much slower than what ran, and quick enough for the camera
        (600.0, 1.0, False),
        (601.0, 1.0, True),
        (2_900.0, 1_000.0, False),  # too slow for the camera, as what runs is
        (3_100.0, 1_000.0, True),
    ],
)
def test_far_too_slow_is_what_is_slower_than_camera_and_running_detector(
    new_ms: float, running_ms: float, is_far_too_slow: bool
) -> None:
    problem = PACE.problem(new_ms, running_ms)
    assert (problem is not None) is is_far_too_slow
    assert problem is None or (f"{new_ms:.0f} ms" in problem and f"{running_ms:.0f} ms" in problem)


class Bench:
    """Measures what it is told; each bundle's times in turn, the last one again and again."""

    def __init__(self, **times_ms: list[float]) -> None:
        self._times_ms = times_ms
        self.measured: list[str] = []

    def __call__(self, bundle_path: Path, pictures_of: Path) -> float:
        assert pictures_of == NEW
        name = bundle_path.stem
        self.measured.append(name)
        if name not in self._times_ms:
            message = "this bundle needs the runtime 'onnx'"
            raise BackendError(message)
        times_ms = self._times_ms[name]
        return times_ms.pop(0) if len(times_ms) > 1 else times_ms[0]

    def test(self, running: Path | None = OLD) -> PacedSmokeTest:
        return PacedSmokeTest(PACE, lambda: running, smoke_test=lambda path: self(path, path), stopwatch=self)


def test_detector_that_keeps_up_is_measured_once() -> None:
    bench = Bench(new=[150.0], old=[1.0])
    bench.test()(NEW)
    assert bench.measured == ["new"]


def test_detector_that_is_far_too_slow_in_every_round_is_refused_with_both_numbers() -> None:
    bench = Bench(new=[5_000.0], old=[40.0, 45.0])
    with pytest.raises(ArtifactError, match=r"^new\.zip: takes 5000 ms for a picture; .* takes 45 ms"):
        bench.test()(NEW)


@pytest.mark.parametrize(
    ("new_ms", "old_ms", "why"),
    [
        ([5_000.0, 190.0], [40.0], "it was slow while something else ran"),
        ([5_000.0, 5_000.0, 190.0], [40.0], "in the next round too"),
        ([900.0], [350.0], "all is slow here just now"),
        ([900.0], [40.0, 350.0], "in the next round"),
    ],
)
def test_good_detector_on_a_busy_device_is_not_refused(
    new_ms: list[float], old_ms: list[float], why: str
) -> None:
    bench = Bench(new=new_ms, old=old_ms)
    bench.test()(NEW)
    assert len(bench.measured) > 1, why


def test_slow_detector_with_nothing_to_compare_with_is_not_refused() -> None:
    unmeasured, first = Bench(new=[5_000.0]), Bench(new=[5_000.0], old=[1.0])
    unmeasured.test()(NEW)
    assert "old" in unmeasured.measured, "it was tried to compare"
    first.test(running=None)(NEW)
    assert "old" not in first.measured


def test_pace_of_a_device_is_that_of_its_fastest_camera() -> None:
    cameras = [{"name": "door", "source": "a", "fps": 10}, {"name": "yard", "source": "b", "fps": 2}]
    cloud = {"url": "https://cloud.test"}
    trial = {"too_slow_factor": 4}
    config = AgentConfig.model_validate(
        {"device": "porch", "profile": "x86-64", "cameras": cameras, "cloud": cloud, "trial": trial}
    )
    assert cameras_pace(config) == Pace(camera_ms=100.0, factor=4.0)


def look_taking(clock: FakeClock, walls_s: list[float]) -> Callable[[object], None]:
    return lambda _rgb: clock.advance(walls_s.pop(0) if len(walls_s) > 1 else walls_s[0])


def test_time_that_others_had_the_processor_does_not_count() -> None:
    clock, spent_s = FakeClock(), 0.0

    def processor_s() -> float:
        nonlocal spent_s
        spent_s += 0.010  # of each look, and of each pause between two
        return spent_s

    assert ms_per_picture(look_taking(clock, [3.0]), PICTURES, clock, processor_s) == pytest.approx(10.0)


def test_best_of_some_looks_counts_and_the_median_of_the_pictures() -> None:
    clock = FakeClock()
    walls_s = [0.9, 0.1, 0.2, 0.3, 0.9, 0.9, 0.9, 0.9, 0.5]
    took_ms = ms_per_picture(look_taking(clock, walls_s), PICTURES, clock, clock.monotonic_s)
    assert took_ms == pytest.approx(300.0)


def test_detector_that_takes_seconds_is_not_measured_for_minutes() -> None:
    clock = FakeClock()
    begun_s = clock.monotonic_s()
    took_ms = ms_per_picture(look_taking(clock, [7.0]), PICTURES, clock, clock.monotonic_s)
    assert took_ms == pytest.approx(7_000.0)
    assert clock.monotonic_s() - begun_s < 20.0
