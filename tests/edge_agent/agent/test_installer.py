"""Which bundle runs: a failing new one never stops the old one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_agent.agent.installer import HealthWatch, Installer, load_best
from edge_agent.agent.local_detector import LocalDetector, OpenedBundle
from edge_agent.errors import BackendError, ElfowlError, LinkError, StorageError
from edge_agent.update.pace import Pace
from edge_agent.update.slots import InstalledBundle
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection
from edge_agent.wire.sync import BundleTarget, Outcome, UpdateOutcome, UpdatePhase
from tests.fakes.clock import FakeClock
from tests.fakes.frame_source import until
from tests.fakes.looking_clock import LookingClock
from tests.fakes.squares import SquareDetector, open_square_bundle, square_picture

OLD, NEW = Path("old1.zip"), Path("new2.zip")


def target(name: str = "new2") -> BundleTarget:
    return BundleTarget(
        path=f"{name}.zip",
        sha256=name[-1] * 64,
        length_bytes=1,
        release=1,
        detector_id="d",
        detector_name="d",
        detector_version=1,
    )


def running(path: Path | None = OLD) -> LocalDetector:
    detector = LocalDetector(open_square_bundle)
    if path is not None:
        detector.load(path)
    return detector


def test_health_of_a_good_bundle_is_known_after_some_looks() -> None:
    detector = running()
    clock = LookingClock(detector)
    assert HealthWatch(detector, clock)(NEW) is None
    assert detector.path == NEW
    assert clock.monotonic_s() < 101


def test_health_of_a_bundle_that_fails_on_pictures_says_so() -> None:
    detector = running()
    problem = HealthWatch(detector, LookingClock(detector))(Path("broken2.zip"))
    assert problem == "it failed on the camera's own pictures"


def test_health_of_a_bundle_that_cannot_be_opened_keeps_the_old_one() -> None:
    detector = running()
    assert HealthWatch(detector, FakeClock())(Path("damaged2.zip")) == "damaged2.zip is damaged"
    assert detector.path == OLD


def test_health_on_a_quiet_camera_is_good_after_a_while() -> None:
    clock = FakeClock()
    assert HealthWatch(running(), clock)(NEW) is None
    assert 109 <= clock.monotonic_s() <= 111


class FakeUpdater:
    def __init__(self, current: Path | None, apply: Callable[[BundleTarget], Path | ElfowlError]) -> None:
        self._current = current
        self._apply = apply
        self.applied: list[str] = []
        self.fetched: list[str] = []
        self.fetches: list[ElfowlError | None] = [None]
        self.done = threading.Semaphore(0)
        self.phase: UpdatePhase = "idle"
        self.retries: list[float | None] = [None]

    def current(self) -> InstalledBundle | None:
        path = self._current
        return InstalledBundle(path, target(path.stem)) if path is not None else None

    def resume(self) -> UpdateOutcome | None:
        return None

    def apply(self, wanted: BundleTarget) -> UpdateOutcome:
        self.applied.append(wanted.path)
        self.done.release()
        result = self._apply(wanted)
        if isinstance(result, ElfowlError):
            raise result
        refused, self._current = result == self._current, result
        ending: Outcome = "failure" if refused else "success"
        return UpdateOutcome(id="o", bundle_sha256=wanted.sha256, outcome=ending, at=1.0)

    def fetch(self, wanted: BundleTarget, into: Path) -> Path:
        self.fetched.append(wanted.path)
        problem = self.fetches[0]
        if problem is not None:
            self.fetches.pop(0)
            raise problem
        return into

    def retry_in_s(self, wanted: BundleTarget) -> float | None:
        assert wanted.path == self.applied[-1]
        return self.retries.pop(0)


def installer(updater: FakeUpdater, detector: LocalDetector, fallback: Path | None = None) -> Installer:
    return Installer(
        updater, detector, fallback=fallback, on_change=lambda: None, clock=FakeClock(), least_pause_s=0.01
    )


def test_installer_runs_what_was_installed() -> None:
    detector, updater = running(), FakeUpdater(OLD, lambda _wanted: NEW)
    work = installer(updater, detector)
    work.start()
    work.want(target())
    assert until(lambda: detector.path == NEW)
    work.want(target())
    work.stop()
    assert updater.applied == ["new2.zip"]


@pytest.mark.parametrize("error", [StorageError("disk full"), ElfowlError("odd")])
def test_installer_failure_keeps_the_old_one_running(error: ElfowlError) -> None:
    detector, updater = running(), FakeUpdater(OLD, lambda _wanted: error)
    work = installer(updater, detector)
    work.start()
    work.want(target())
    assert updater.done.acquire(timeout=60)
    work.stop()
    assert detector.path == OLD
    assert detector.detect(np.asarray(square_picture(0)))[0].label == "red_square"


def test_installer_goes_back_to_the_old_one_when_the_new_one_was_tried_and_rolled_back() -> None:
    detector = running()

    def rolled_back(_wanted: BundleTarget) -> Path:
        detector.load(NEW)
        return OLD

    work = installer(FakeUpdater(OLD, rolled_back), detector)
    work.start()
    work.want(target())
    assert until(lambda: detector.generation == 3)
    work.stop()
    assert detector.path == OLD


def test_installer_tries_again_when_only_the_network_failed() -> None:
    answers: list[Path | ElfowlError] = [LinkError("cut off"), NEW]
    detector = running()
    updater = FakeUpdater(OLD, lambda _wanted: answers.pop(0))
    work = installer(updater, detector)
    work.start()
    work.want(target())
    assert updater.done.acquire(timeout=60)
    work.want(target())
    assert until(lambda: detector.path == NEW)
    work.stop()


@pytest.mark.parametrize(
    ("retries", "tries"),
    [([None], 1), ([0.0, None], 2), ([0.05, 0.0, None], 3), ([3600.0], 1)],
    ids=["never", "now", "later, now", "in an hour"],
)
def test_installer_refused_bundle_is_tried_again_when_the_updater_says(
    retries: list[float | None], tries: int
) -> None:
    detector, updater = running(), FakeUpdater(OLD, lambda _wanted: OLD)
    updater.retries = retries
    work = installer(updater, detector)
    work.start()
    work.want(target())
    assert until(lambda: len(updater.applied) >= tries)
    assert not until(lambda: len(updater.applied) > tries, 0.2)
    work.stop()
    assert detector.path == OLD


def test_installer_waiting_to_try_again_takes_a_newer_wish_at_once() -> None:
    detector = running()
    updater = FakeUpdater(OLD, lambda wanted: NEW if wanted == target() else OLD)
    updater.retries = [3600.0]
    work = installer(updater, detector)
    work.start()
    work.want(target("bad3"))
    assert updater.done.acquire(timeout=60)
    work.want(target())
    assert until(lambda: detector.path == NEW)
    work.stop()


class FakeTrial:
    """Implements `Trial`: notes what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def begin(self, path: Path, sha256: str) -> None:
        self.told.append(f"begin {path.name} {sha256[:1]}")

    def fail(self, sha256: str, problem: str) -> None:
        self.told.append(f"fail {sha256[:1]} {problem}")

    def end(self) -> None:
        self.told.append("end")


def test_installer_tries_in_the_shadow_without_touching_what_runs(tmp_path: Path) -> None:
    detector, updater, trial = running(), FakeUpdater(OLD, lambda _wanted: NEW), FakeTrial()
    file = tmp_path / "shadow.zip"
    file.write_bytes(b"zip")
    work = Installer(
        updater, detector, fallback=None, on_change=lambda: None, clock=FakeClock(), trial=trial,
        trial_file=file,
    )  # fmt: skip
    work.start()
    work.want_shadow(target("new3"))
    assert until(lambda: trial.told == ["end", "begin shadow.zip 3"])
    work.want_shadow(target("new3"))
    updater.fetches = [BackendError("no runtime"), None]
    work.want_shadow(target("new4"))
    assert until(lambda: trial.told[2:] == ["end", "fail 4 no runtime"])
    work.want_shadow(None)
    assert until(lambda: trial.told[4:] == ["end"] and not file.exists())
    work.stop()
    assert updater.fetched == ["new3.zip", "new4.zip"]
    assert updater.applied == []
    assert detector.path == OLD


@pytest.mark.parametrize(
    ("candidates", "runs"),
    [
        ([NEW, OLD], NEW),
        ([None, OLD], OLD),
        ([Path("damaged.zip"), OLD], OLD),
        ([Path("damaged.zip"), None], None),
        ([], None),
    ],
)
def test_load_best_runs_the_first_that_can_be_run(candidates: list[Path | None], runs: Path | None) -> None:
    detector = running(None)
    assert load_best(detector, candidates) is (runs is not None)
    assert detector.path == runs


class SlowDetector(SquareDetector):
    """Takes so long for a look, by the clock of the test."""

    def __init__(self, pass_s: Callable[[float], None], look_s: float) -> None:
        super().__init__()
        self._pass_s, self._look_s = pass_s, look_s
        self.inference_ms = 1_000.0 * look_s

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
        self._pass_s(self._look_s)
        return super().detect(rgb, min_score=min_score)


@pytest.mark.parametrize(
    ("before_s", "look_s", "is_refused"),
    [
        (0.01, 0.5, False),  # slower than before, and quick enough for the camera
        (0.01, 0.9, True),
        (0.01, 4.0, True),  # the window has no room for its looks: it is given time
        (2.0, 4.0, False),  # what ran before was hardly quicker
        (None, 4.0, False),  # nothing to compare with
    ],
)
def test_health_of_a_bundle_that_is_slow_in_service_depends_on_camera_and_what_ran_before(
    before_s: float | None, look_s: float, *, is_refused: bool
) -> None:
    clock_of: list[FakeClock] = []

    def opener(path: Path, threads: int) -> OpenedBundle:
        slow = SlowDetector(clock_of[0].advance, look_s if path == NEW else before_s or 0.0)
        return replace(open_square_bundle(path, threads), detector=slow)

    detector = LocalDetector(opener)
    clock = LookingClock(detector)
    clock_of.append(clock)
    detector.load(OLD)
    if before_s is not None:
        detector.detect(square_picture(0))
    problem = HealthWatch(detector, clock, Pace(camera_ms=200.0, factor=3.0))(NEW)
    assert (problem is not None) is is_refused
    assert problem is None or f"takes {1_000 * look_s:.0f} ms" in problem


def test_health_of_a_bundle_whose_first_look_never_ends_says_so() -> None:
    hangs, goes_on = threading.Event(), threading.Event()

    class Hanging(SquareDetector):
        def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
            hangs.set()
            goes_on.wait()
            return super().detect(rgb, min_score=min_score)

    detector = LocalDetector(
        lambda path, threads: replace(open_square_bundle(path, threads), detector=Hanging())
    )
    detector.load(NEW)
    camera = threading.Thread(target=lambda: detector.detect(square_picture(0)))
    camera.start()
    assert hangs.wait(60.0)
    problem = HealthWatch(detector, FakeClock(), Pace(camera_ms=200.0, factor=3.0))(NEW)
    goes_on.set()
    camera.join()
    assert problem == "its first look at a camera's picture did not end within 60 s"
