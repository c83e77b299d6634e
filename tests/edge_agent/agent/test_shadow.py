"""A shadow trial: on spare cycles, within its memory, and harmless whatever the candidate does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent.agent.local_detector import BundleOpener
from edge_agent.agent.shadow import Offer, ShadowTrial, Spare, lacks_memory
from edge_agent.clock import SystemClock
from edge_agent.pipeline.detector import LabelRule
from edge_agent.wire.manifest import Manifest, MeasuredLimits
from edge_agent.wire.sync import CameraSettings
from tests.edge_agent.pipeline.scenes import frame
from tests.fakes.frame_source import until
from tests.fakes.squares import REF, SquareDetector, open_square_bundle, square_manifest, square_picture

LABELS = {"red_square": LabelRule("red_square", "red square", 0.5, REF)}
DIGEST = "c" * 64


def offer(index: int) -> Offer:
    """Return a picture with a square that the running detector does not see."""
    shown = frame(0.5 * index, square_picture(10))
    return Offer("front", shown, (), LABELS, (), CameraSettings())


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "squares.zip"
    path.write_bytes(b"x" * 1_000)
    return path


Make = Callable[..., ShadowTrial]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[ShadowTrial] = []

    def trial(
        opener: BundleOpener = open_square_bundle,
        *,
        ram_bytes: int = 1_000_000,
        is_free: Callable[[], bool] = lambda: True,
    ) -> ShadowTrial:
        spare = Spare(1.0, ram_bytes, lambda: 500_000, is_free)
        one = ShadowTrial(opener, spare, SystemClock(), read_manifest=lambda _path: square_manifest(2))
        one.start()
        made.append(one)
        return one

    yield trial
    for one in made:
        one.stop()


def feed(trial: ShadowTrial, count: int) -> int:
    """Offer pictures one by one; return how many were looked at."""
    for index in range(count):
        trial.offer(offer(index))
        until(lambda index=index: pictures(trial) > index, 0.5)  # type: ignore[misc]
    return pictures(trial)


def pictures(trial: ShadowTrial) -> int:
    report = trial.report()
    return report.cameras["front"].pictures if report and report.cameras else 0


def test_trial_counts_what_the_candidate_would_tell(make: Make, bundle: Path) -> None:
    trial = make()
    assert trial.report() is None
    trial.begin(bundle, DIGEST)
    assert feed(trial, 5) == 5
    report = trial.report()
    assert report is not None
    assert report.bundle_sha256 == DIGEST
    assert [ref.version for ref in report.detectors] == [2]
    assert report.summary == "1 alert instead of 0 (1 new)"
    assert report.problem is None
    assert report.since is not None
    trial.end()
    assert trial.report() is None
    assert not trial.wants_pictures


def test_trial_of_a_failing_candidate_says_so_and_stands_still(make: Make, bundle: Path) -> None:
    def broken(path: Path, threads: int) -> object:
        opened = open_square_bundle(path, threads)
        assert isinstance(opened.detector, SquareDetector)
        opened.detector.broken = True
        return opened

    trial = make(broken)
    trial.begin(bundle, DIGEST)

    def has_given_up() -> bool:
        trial.offer(offer(0))
        return trial._detector.failing

    assert until(has_given_up)
    assert not trial.wants_pictures
    report = trial.report()
    assert report is not None
    assert report.problem == "the candidate failed: the network failed"
    assert pictures(trial) == 0


def test_trial_looks_at_nothing_while_the_device_has_no_time(make: Make, bundle: Path) -> None:
    trial = make(is_free=lambda: False)
    trial.begin(bundle, DIGEST)
    assert feed(trial, 2) == 0


@pytest.mark.parametrize("path", ["squares.zip", "missing.zip"])
def test_trial_that_cannot_begin_says_why(make: Make, bundle: Path, path: str) -> None:
    trial = make(ram_bytes=500_100)
    trial.begin(bundle.with_name(path), DIGEST)
    report = trial.report()
    assert report is not None
    assert "no room" in str(report.problem) or "cannot be run" in str(report.problem)
    assert not trial.wants_pictures


def measured(peak_bytes: int) -> Manifest:
    limits = MeasuredLimits(machine="m", ms_p50=1.0, ms_p99=1.0, peak_memory_bytes=peak_bytes)
    return square_manifest().model_copy(update={"measured": limits})


@pytest.mark.parametrize(
    ("manifest", "used_bytes", "fits"),
    [
        pytest.param(measured(60), 40, True, id="just fits"),
        pytest.param(measured(61), 40, False, id="measured, too large"),
        pytest.param(square_manifest(), 60, True, id="four times its file"),
        pytest.param(square_manifest(), 61, False, id="not measured, too large"),
    ],
)
def test_second_network_fits_only_within_the_profile(manifest: Manifest, used_bytes: int, fits: bool) -> None:
    assert (lacks_memory(manifest, 10, used_bytes, 100) is None) is fits
