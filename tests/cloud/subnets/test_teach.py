"""A subnet that a user brought teaches, saves, loads and runs a detector like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cloud.datasets.images import read_image
from cloud.detector.files import load_detector, save_detector
from cloud.subnets import shelf
from cloud.subnets.registry import look_in
from cloud.training.config import Progress, TrainConfig
from cloud.training.evaluate import evaluate
from cloud.training.fit import fit
from edge_agent.vision.letterbox import letterbox
from tests.cloud.subnets.networks import write_onnx
from tests.cloud.training.scenes import draw_scene


def ignore(_: Progress) -> None:
    """Report to nobody."""


@pytest.mark.slow
def test_detector_taught_on_an_added_subnet_finds_what_it_learned(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (tmp_path / "LICENCE").write_text("Do as you like.")
    file = write_onnx(tmp_path / "brought.onnx", seed=5, width=4)
    subnet = shelf.add(file, shelf.said("brought.onnx", "MIT", tmp_path / "LICENCE", {}), home)
    look_in(home)
    frames = [draw_scene(tmp_path, number) for number in range(8)]
    config = TrainConfig(
        subnets=("brought",), long_side_px=160, views_per_frame=3, min_steps=150, batch=8, budget_s=600
    )
    taught = fit(frames, ["red"], config, ignore, lambda: False).detector
    save_detector(taught, tmp_path / "v1")
    detector = load_detector(tmp_path / "v1")
    assert [one.sha256 for one in detector.subnets] == [subnet.sha256]
    assert [notice.text for notice in detector.licences] == ["Do as you like."]
    assert evaluate(detector, [draw_scene(tmp_path, number) for number in range(50, 54)]).ap50 > 0.8
    rgb = read_image(frames[0].source.path)
    pixels = letterbox(rgb, *detector.input_size_px, detector.spec.input.pad_value).pixels
    with torch.inference_mode():
        image = (torch.from_numpy(pixels.copy()).float().permute(2, 0, 1)[None] - 127) / 128
        scores = detector.network()(image)[0].sigmoid().max()
    best = max(detection.score for detection in detector.detect(rgb))
    assert abs(float(scores) - best) < 1e-3, "the network that is compressed answers the same"
