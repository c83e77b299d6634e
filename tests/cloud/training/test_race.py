"""A race from frames to a detector and a report, on drawn scenes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cloud.errors import TrainingError
from cloud.training.config import CancelledError, Progress, TrainConfig
from cloud.training.evaluate import evaluate
from cloud.training.race import race
from tests.cloud.training.scenes import draw_scene

QUICK = TrainConfig(long_side_px=160, views_per_frame=1, batch=8, min_steps=40, folds=2, budget_s=600)
TWO = ("ssd_mobilenet_v2", "efficientnet_lite0")


def ignore(_: Progress) -> None:
    """Report to nobody."""


def never() -> bool:
    return False


@pytest.mark.slow
def test_race_reports_every_candidate_and_keeps_one(tmp_path: Path) -> None:
    frames = [draw_scene(tmp_path, number) for number in range(6)]
    raced = race(frames, ["red"], QUICK, ignore, never, subnets=TWO)
    report = raced.report
    assert [entry.verdict for entry in report.entries].count("kept") == 1
    kept = next(entry for entry in report.entries if entry.verdict == "kept")
    assert kept.name == report.chosen
    assert tuple(subnet.name for subnet in raced.result.detector.subnets) == kept.subnets
    assert raced.result.detector.spec.architecture == kept.architecture
    assert [entry.macs for entry in report.entries] == sorted(entry.macs for entry in report.entries)
    pair = next(entry for entry in report.entries if len(entry.subnets) == 2)
    assert set(pair.gates) == set(pair.subnets)
    assert all(entry.verdict for entry in report.entries)
    assert evaluate(raced.result.detector, [draw_scene(tmp_path, n) for n in range(50, 53)]).ap50 > 0.8


@pytest.mark.slow
def test_race_without_time_still_gives_the_first_candidate(tmp_path: Path) -> None:
    frames = [draw_scene(tmp_path, number) for number in range(3)]
    raced = race(frames, ["red"], replace(QUICK, budget_s=0.0, min_steps=4), ignore, never, subnets=TWO)
    assert raced.report.chosen == "ssd_mobilenet_v2"
    assert sum(entry.verdict.startswith("not raced") for entry in raced.report.entries) >= 1


def test_race_of_one_frame_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="at least two"):
        race([draw_scene(tmp_path, 0)], ["red"], QUICK, ignore, never)


def test_race_cancelled_stops(tmp_path: Path) -> None:
    frames = [draw_scene(tmp_path, number) for number in range(2)]
    with pytest.raises(CancelledError):
        race(frames, ["red"], QUICK, ignore, lambda: True)
