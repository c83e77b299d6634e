"""Training as a whole, on drawn scenes: it learns, stops, repeats itself, and says what is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cloud.datasets.frames import LabelledBox, LabelledFrame, PictureSource
from cloud.datasets.images import read_image
from cloud.errors import InputError, TrainingError
from cloud.training.config import CancelledError, Progress, TrainConfig
from cloud.training.evaluate import evaluate
from cloud.training.fit import fit
from cloud.training.plan import check_examples, choose_grid, choose_input_size, plan_runs, seconds_to_learn
from tests.cloud.training.scenes import draw_scene

QUICK = TrainConfig(
    long_side_px=160, views_per_frame=3, epochs=4, batch=8, min_steps=60, folds=2, budget_s=600
)


def ignore(_: Progress) -> None:
    """Report to nobody."""


def never() -> bool:
    return False


@pytest.mark.slow
def test_fit_two_classes_finds_them_on_new_pictures(tmp_path: Path) -> None:
    kinds = ("red", "blue")
    frames = [draw_scene(tmp_path, n, kinds=kinds, objects=2 if n % 4 else 0) for n in range(12)]
    seen: list[Progress] = []
    result = fit(frames, kinds, replace(QUICK, epochs=8), seen.append, never)
    unseen = [draw_scene(tmp_path, n, kinds=kinds, objects=2) for n in range(50, 56)]
    quality = evaluate(result.detector, unseen)
    assert quality.ap50 > 0.9
    assert quality.per_class["red"].truth == 12
    assert result.quality is not None
    assert result.quality.how == "cross_validation"
    assert [label.threshold for label in result.detector.labels] == [
        result.quality.per_class[kind].threshold for kind in kinds
    ]
    found = result.detector.detect(read_image(unseen[0].source.path))
    assert {detection.label for detection in found} == set(kinds)
    stages = [progress.stage for progress in seen]
    assert sorted(set(stages), key=stages.index) == ["reading", "looking", "learning", "checking"]
    fractions = [progress.fraction for progress in seen if progress.stage == "learning"]
    assert fractions == sorted(fractions)
    assert all(progress.seconds_left is None or progress.seconds_left >= 0 for progress in seen)


@pytest.mark.slow
def test_fit_same_seed_gives_the_same_detector_with_and_without_cache(tmp_path: Path) -> None:
    frames = [draw_scene(tmp_path, n) for n in range(3)]
    config = replace(QUICK, views_per_frame=1, epochs=1, min_steps=8, cache_dir=tmp_path / "cache")
    results = [
        fit(frames, ["red"], one, ignore, never).detector.taught_head.state_dict()
        for one in (config, config, replace(config, cache_dir=None, threads=1), replace(config, seed=1))
    ]
    assert any((tmp_path / "cache").iterdir())
    for name, value in results[0].items():
        assert torch.equal(value, results[1][name]), "from the cache"
        assert torch.equal(value, results[2][name]), "without the cache, in one thread"
    assert not torch.equal(results[0]["block.0.weight"], results[3]["block.0.weight"]), "another seed"


@pytest.mark.slow
def test_fit_learns_nothing_from_outside_of_trusted_regions(tmp_path: Path) -> None:
    """Half of the objects are not labelled but lie outside of what is trusted: all are found the same."""
    frames = []
    for number in range(8):
        whole = draw_scene(tmp_path, number)
        middle = 0.5
        left = tuple(box for box in whole.boxes if box.box_xyxy_norm[2] <= middle)
        frames.append(replace(whole, boxes=left, trusted_xyxy_norm=((0.0, 0.0, middle, 1.0),)))
    result = fit(frames, ["red"], QUICK, ignore, never)
    assert result.quality is None, "nothing whole to check on"
    assert evaluate(result.detector, [draw_scene(tmp_path, n) for n in range(50, 54)]).ap50 > 0.9


@pytest.mark.slow
def test_fit_time_is_up_gives_a_detector_all_the_same(tmp_path: Path) -> None:
    frames = [draw_scene(tmp_path, n) for n in range(3)]
    result = fit(frames, ["red"], replace(QUICK, budget_s=0.0, epochs=1000), ignore, never)
    assert result.seconds < 60
    assert result.detector.detect_many([read_image(frames[0].source.path)], score_floor=0.0)


@pytest.mark.parametrize(
    ("spent_s", "left_s"),
    [(0.0, 40.0), (10.0, 30.0), (18.0, 22.0), (39.0, 22.0), (500.0, 22.0)],
    ids=["nothing looked at", "quick", "in its share", "slow", "far over time"],
)
def test_learning_keeps_its_share_of_time_however_long_looking_took(spent_s: float, left_s: float) -> None:
    assert seconds_to_learn(40.0, spent_s) == pytest.approx(left_s)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["reading", "looking", "learning"])
def test_fit_cancelled_stops_at_once(tmp_path: Path, stage: str) -> None:
    frames = [draw_scene(tmp_path, n) for n in range(3)]
    seen: list[str] = []
    with pytest.raises(CancelledError):
        fit(
            frames,
            ["red"],
            replace(QUICK, epochs=10_000),
            lambda progress: seen.append(progress.stage),
            lambda: stage in seen,
        )
    assert "checking" not in seen


@pytest.mark.slow
def test_fit_learning_rate_far_too_high_says_so(tmp_path: Path) -> None:
    frames = [draw_scene(tmp_path, n) for n in range(2)]
    with pytest.raises(TrainingError, match="astray"):
        fit(frames, ["red"], replace(QUICK, learning_rate=1e30), ignore, never)


@pytest.mark.slow
def test_fit_single_frame_has_no_quality_but_a_detector(tmp_path: Path) -> None:
    frame = draw_scene(tmp_path, 0)
    result = fit([frame], ["red"], QUICK, ignore, never)
    assert result.quality is None
    assert evaluate(result.detector, [frame]).ap50 > 0.9


def frame(name: str = "a.png", *labels: str, size: tuple[int, int] = (64, 64)) -> LabelledFrame:
    boxes = tuple(LabelledBox(label, (0.1, 0.1, 0.5, 0.5)) for label in labels)
    return LabelledFrame(PictureSource(Path(name)), *size, boxes)


@pytest.mark.parametrize(
    ("frames", "classes", "words"),
    [
        ([], ["cat"], "no labelled frames"),
        ([frame("a.png", "cat")], ["cat", "dog"], "no box shows dog"),
        ([frame("a.png")], ["cat"], "no box shows cat"),
        ([frame("a.png", "cat")], [], "at least one class"),
        ([frame("a.png", "cat")], ["cat", "Cat"], "each differently"),
    ],
)
def test_check_examples_says_what_is_missing(
    frames: list[LabelledFrame], classes: list[str], words: str
) -> None:
    with pytest.raises(TrainingError, match=words):
        check_examples(frames, classes)


def test_check_examples_same_picture_twice_is_refused() -> None:
    with pytest.raises(InputError, match=r"a\.png is labelled twice"):
        check_examples([frame("a.png", "cat"), frame("a.png")], ["cat"])


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((768, 576), (512, 384)),
        ((1920, 1080), (512, 288)),
        ((1080, 1920), (288, 512)),
        ((640, 272), (512, 224)),
        ((500, 500), (512, 512)),
        ((5000, 100), (512, 128)),
    ],
)
def test_choose_input_size_follows_the_pictures(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert choose_input_size([frame(size=size)], 512) == expected


@pytest.mark.parametrize(
    ("side", "expected"),
    [(0.5, (224, 224)), (0.11, (320, 320)), (0.09, (416, 416)), (0.07, (512, 512)), (0.01, (512, 512))],
)
def test_choose_input_size_is_small_for_large_objects(side: float, expected: tuple[int, int]) -> None:
    box = LabelledBox("cat", (0.2, 0.2, 0.2 + side, 0.9))
    assert choose_input_size([replace(frame(size=(1000, 1000)), boxes=(box,))], 512) == expected


@pytest.mark.parametrize(("count", "runs"), [(1, 1), (2, 3), (12, 4), (29, 4), (30, 1), (100, 1)])
def test_plan_runs_few_frames_are_all_learned_from(count: int, runs: int) -> None:
    frames = [frame(f"{n:03}.png", "cat") for n in range(count)]
    planned = plan_runs(frames, list(np.repeat(range(count), 5)), TrainConfig())
    assert len(planned) == runs
    few = count < 30
    assert len(planned[0].split.train) == (count if few else count - round(count * 0.2))
    assert all(run.plan.steps > 0 for run in planned)
    assert len(plan_runs(frames, list(np.repeat(range(count), 5)), TrainConfig(folds=0))) == 1


@pytest.mark.parametrize(
    ("side", "size_px", "grid"),
    [
        (0.1, (512, 384), 2),
        (0.4, (512, 384), 1),
        (0.1, (160, 128), 1),
        (0.05, (640, 480), 2),
        (0.05, (320, 256), 1),
    ],
    ids=["small objects", "large objects", "small input", "large input", "smaller objects"],
)
def test_choose_grid_tiles_only_where_objects_fit(side: float, size_px: tuple[int, int], grid: int) -> None:
    box = LabelledBox("cat", (0.2, 0.2, 0.2 + side, 0.2 + side))
    assert choose_grid([replace(frame(), boxes=(box,))], size_px) == grid
