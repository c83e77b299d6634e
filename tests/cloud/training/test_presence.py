"""Presence from whole-frame tags: it learns, it is a detector like others, and it says what is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cloud.datasets.frames import LabelledFrame
from cloud.datasets.images import read_image
from cloud.datasets.tags import frames_of_tags
from cloud.detector.files import load_detector, save_detector
from cloud.errors import TrainingError
from cloud.training.config import Progress, TrainConfig
from cloud.training.evaluate import evaluate
from cloud.training.presence import INPUT_PX, fit_presence
from edge_agent.vision.letterbox import letterbox
from edge_agent.wire.base import WHOLE
from tests.cloud.training.scenes import draw_scene


def tagged(folder: Path, numbers: range, *tags: str) -> list[LabelledFrame]:
    """Return frames that show what they are tagged with, without boxes."""
    drawn = [draw_scene(folder, number, kinds=tags, objects=2) for number in numbers]
    return frames_of_tags([replace(frame, boxes=(), tags=tags) for frame in drawn])


def ignore(_: Progress) -> None:
    """Report to nobody."""


@pytest.mark.slow
def test_fit_presence_tells_what_is_in_new_pictures_and_survives_the_disk(tmp_path: Path) -> None:
    frames = [
        *tagged(tmp_path, range(8), "red"),
        *tagged(tmp_path, range(8, 16), "blue"),
        *tagged(tmp_path, range(16, 22)),
    ]
    seen: list[Progress] = []
    result = fit_presence(frames, ("red", "blue"), TrainConfig(), seen.append, lambda: False)
    assert result.quality is not None
    assert result.quality.how == "cross_validation"
    assert seen[-1].fraction >= 0.8
    unseen = [*tagged(tmp_path, range(50, 55), "red"), *tagged(tmp_path, range(55, 60))]
    assert evaluate(result.detector, unseen).per_class["red"].ap50 > 0.9
    save_detector(result.detector, tmp_path / "v1")
    again = load_detector(tmp_path / "v1")
    rgb = read_image(unseen[0].source.path)
    told = again.detect_many([rgb], score_floor=0.02)[0]
    assert {detection.label: detection.box for detection in told}["red"] == pytest.approx(WHOLE)
    _network_answers_the_same(again.network(), rgb, {one.label: one.score for one in told})


def _network_answers_the_same(network: torch.nn.Module, rgb: np.ndarray, told: dict[str, float]) -> None:
    pixels = letterbox(rgb, INPUT_PX, INPUT_PX, 127).pixels
    image = torch.from_numpy((pixels.astype(np.float32) - 127) / 128).permute(2, 0, 1)[None]
    with torch.inference_mode():
        scores, boxes = network(image)
    assert scores.shape == (1, 1, 1, 2)
    assert boxes.flatten().tolist() == [0.5, 0.5, 0.5, 0.5]
    assert float(torch.sigmoid(scores[0, 0, 0, 0])) == pytest.approx(told["red"], abs=1e-3)


@pytest.mark.parametrize(("red", "none", "counts"), [(2, 5, "2 frames and absent from 5"), (5, 1, "5 .* 1")])
def test_fit_presence_with_too_few_of_one_side_says_so(
    tmp_path: Path, red: int, none: int, counts: str
) -> None:
    frames = [*tagged(tmp_path, range(red), "red"), *tagged(tmp_path, range(20, 20 + none))]
    with pytest.raises(TrainingError, match=counts):
        fit_presence(frames, ("red",), TrainConfig(), ignore, lambda: False)


def test_frames_of_tags_without_tags_show_nothing(tmp_path: Path) -> None:
    frame = draw_scene(tmp_path, 1)
    assert frames_of_tags([replace(frame, tags=None)])[0].boxes == ()
    assert [box.label for box in frames_of_tags([replace(frame, tags=("red",))])[0].boxes] == ["red"]
