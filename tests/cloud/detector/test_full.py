"""The full detector: what it offers to compression is what it does itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cloud.datasets.frames import LabelledBox, LabelledFrame, PictureSource
from cloud.detector.full import FullDetector, FullNetwork, decode_detections
from cloud.detector.head import AnchorFreeHead
from cloud.subnets.trunks import load_trunk
from compress.protocol import Compressible, TwoPartNetwork
from edge_agent.errors import BackendError, CameraError
from edge_agent.vision.letterbox import letterbox
from tests.cloud.detector.examples import small_detector, small_spec


def compressible(detector: FullDetector) -> Compressible:
    """Return the same object; the type checker sees that it fits the protocol."""
    return detector


def picture(
    seed: int = 0, height_px: int = 120, width_px: int = 200
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)


def test_network_gives_what_detect_uses() -> None:
    detector = small_detector()
    boxed = letterbox(picture(), *detector.input_size_px, 127)
    image = (torch.from_numpy(boxed.pixels).float().permute(2, 0, 1)[None] - 127) / 128
    network = compressible(detector).network()
    assert not network.training
    with torch.inference_mode():
        scores, boxes = network(image)
    assert scores.shape == (1, 12, 16, 2)
    assert boxes.shape == (1, 12, 16, 4)
    assert float(boxes.min()) >= 0
    decoded = decode_detections(
        detector.spec, scores.numpy(), boxes.numpy(), boxed.to_source_norm, score_floor=0.005
    )
    direct = detector.detect_many([picture()], score_floor=0.005)[0]
    assert len(direct) == len(decoded) > 0
    for ours, theirs in zip(direct, decoded, strict=True):
        assert ours.label == theirs.label
        assert ours.score == pytest.approx(theirs.score, abs=1e-3)
        assert ours.box == pytest.approx(theirs.box, abs=1e-3)


@pytest.mark.parametrize("subnets", [("efficientnet_lite0",), ("efficientnet_lite0", "ssd_mobilenet_v2")])
def test_network_in_two_parts_answers_as_in_one(subnets: tuple[str, ...]) -> None:
    detector = small_detector(subnets=subnets)
    whole = FullNetwork([load_trunk(one) for one in detector.manifests], own_head(detector)).eval()
    parts = detector.network()
    assert isinstance(parts, TwoPartNetwork)
    image = torch.randn(1, 3, 96, 128, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        mixed = parts.body(image)
        assert mixed.shape == (1, detector.spec.head_channels, 12, 16)
        for expected, found, alone in zip(whole(image), parts(image), parts.heads[0](mixed), strict=True):
            assert torch.equal(expected, found)
            assert torch.equal(expected, alone)


def test_network_is_a_copy() -> None:
    detector = small_detector()
    for parameter in detector.network().parameters():
        parameter.data.zero_()
    assert float(own_head(detector).scores.weight.detach().abs().max()) > 0


def test_detect_many_answers_each_picture_as_alone() -> None:
    detector = small_detector()
    pictures = [picture(1), picture(2, 64, 64), picture(3, 300, 90)]
    together = detector.detect_many(pictures, score_floor=0.005)
    for one, answered in zip(pictures, together, strict=True):
        alone = detector.detect_many([one], score_floor=0.005)[0]
        assert [d.box for d in answered] == [pytest.approx(d.box, abs=1e-4) for d in alone]


def test_detect_many_of_nothing_is_nothing() -> None:
    assert small_detector().detect_many([]) == []


@pytest.mark.parametrize("bad", [np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5), np.uint8)])
def test_detect_no_picture_is_an_error_not_an_empty_list(
    bad: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
) -> None:
    with pytest.raises(CameraError):
        small_detector().detect(bad)


def own_head(detector: FullDetector) -> AnchorFreeHead:
    assert isinstance(detector.taught_head, AnchorFreeHead)
    return detector.taught_head


def test_detect_network_gone_wrong_is_an_error_not_an_empty_list() -> None:
    detector = small_detector()
    own_head(detector).scores.weight.data.fill_(float("nan"))
    with pytest.raises(BackendError):
        detector.detect(picture())


def test_decode_detections_uses_each_class_s_own_threshold() -> None:
    spec = small_spec()
    labels = (spec.labels[0], spec.labels[1].model_copy(update={"threshold": 0.9}))
    spec = spec.model_copy(update={"labels": labels})
    scores = np.full((1, 12, 16, 2), -9.0, np.float32)
    scores[0, 3, 4] = 1.0  # sigmoid 0.73: over 0.3, under 0.9
    boxes = np.full((1, 12, 16, 4), 1.5, np.float32)
    found = decode_detections(spec, scores, boxes, lambda px: px / np.float32(128), None)
    assert [detection.label for detection in found] == ["cat"]
    assert found[0].box == pytest.approx(((4.5 - 1.5) / 16, (3.5 - 1.5) / 16, 6 / 16, 5 / 16))


def test_calibration_and_held_out_pictures_come_from_the_frames(tmp_path: Path) -> None:
    frames = []
    for number in range(10):
        path = tmp_path / f"{number}.png"
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(path)
        box = LabelledBox("dog", (0.0, 0.0, 0.5, 0.5))
        partial = ((0.0, 0.0, 0.5, 0.5),) if number == 9 else None
        frames.append(LabelledFrame(PictureSource(path), 8, 8, (box,), partial))
    detector = replace(small_detector(), examples=tuple(frames), test_frames=tuple(frames[7:]))
    spread = [int(rgb[0, 0, 0]) for rgb in detector.calibration_pictures(4)]
    assert len(spread) <= 4
    assert max(spread) - min(spread) >= 6
    held_out = detector.held_out_pictures()
    assert [one.name for one in held_out] == ["7.png", "8.png"], "the partial frame is left out"
    assert held_out[0].truth[0].label_index == 1
    assert int(held_out[0].rgb()[0, 0, 0]) == 7


def test_licences_travel_for_every_subnet() -> None:
    detector = small_detector()
    assert {notice.subnet for notice in detector.licences} == {subnet.name for subnet in detector.subnets}
