"""Pictures with different detectors, looked at together, are answered as by each detector alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import torch

from cloud.cache.plan import CachePlan
from cloud.detector.files import save_detector
from cloud.detector.full import FullDetector
from cloud.detector.head import AnchorFreeHead
from cloud.detector.light import LightNetwork
from cloud.detector.presence import PresenceHead
from cloud.errors import InputError, NotFoundError
from cloud.offload.batcher import Seen, Waiting
from cloud.offload.cached import CachedDetectors
from cloud.offload.eyes import DetectorEyes
from cloud.offload.gathered import Levels, OnnxTrunks, Question, TorchTrunks, Trunks, detect_each
from cloud.settings import Settings
from cloud.subnets.manifest import SubnetManifest
from edge_agent.errors import BackendError
from edge_agent.vision.arrays import Rgb
from tests.cloud.detector.examples import small_detector
from tests.cloud.detector.test_shared import assert_same, light_detector, renamed, some_pictures

CPU = torch.device("cpu")


class CountingTrunks:
    """Counts how many pictures are looked at together."""

    device = CPU

    def __init__(self, *, broken: int | None = None) -> None:
        self.looks: list[int] = []
        self._broken = broken

    def levels(self, subnet: SubnetManifest, pixels: Rgb) -> Levels:
        self.looks.append(len(pixels))
        levels = OnnxTrunks().levels(subnet, pixels)
        if self._broken is not None:
            levels[0][self._broken] = torch.nan
        return levels


def full_detector(name: str, seed: int = 0) -> FullDetector:
    """Return a full detector that finds something here and there."""
    detector = renamed(small_detector(), name)
    assert isinstance(detector.taught_head, AnchorFreeHead)
    outputs = detector.taught_head.scores
    torch.nn.init.zeros_(detector.taught_head.get_parameter("scores.bias"))
    torch.nn.init.normal_(outputs.weight, std=1.0, generator=torch.Generator().manual_seed(seed))
    return detector


def crowd() -> list[Question]:
    """Return six questions to five detectors of two forms."""
    full, other = full_detector("full"), full_detector("other", 1)
    light = [light_detector(0, "cat"), light_detector(1, "cat", "dog", "cow"), light_detector(2, "hat")]
    for one in light:
        assert isinstance(one.taught_head, LightNetwork)
        torch.nn.init.zeros_(one.taught_head.head.get_parameter("scores.bias"))
    detectors = [full, light[0], other, light[1], full, light[2]]
    return [Question(one, rgb) for one, rgb in zip(detectors, some_pictures(6), strict=True)]


@pytest.mark.parametrize("trunks", [OnnxTrunks(), TorchTrunks(CPU)], ids=["onnx", "torch"])
def test_crowd_with_different_detectors_is_answered_as_by_each_alone(trunks: Trunks) -> None:
    questions = crowd()
    for question, found in zip(questions, detect_each(questions, trunks), strict=True):
        assert isinstance(found, list)
        alone = question.detector.detect(question.rgb)
        assert alone
        assert_same([found], [alone])


def test_subnet_looks_once_for_all_detectors_that_share_it() -> None:
    trunks = CountingTrunks()
    detect_each(crowd(), trunks)
    assert trunks.looks == [6]


def test_picture_whose_numbers_are_not_finite_fails_alone() -> None:
    found = detect_each(crowd(), CountingTrunks(broken=3))
    assert [isinstance(one, BackendError) for one in found] == [place == 3 for place in range(6)]


def test_eyes_answer_what_they_can_and_tell_of_the_rest(tmp_path: Path) -> None:
    detector = full_detector("full")
    folders = tmp_path / "detectors"
    save_detector(detector, folders / "full" / "v1")
    picture = simplejpeg.encode_jpeg(some_pictures(1)[0], 90, "RGB")
    asked = [(folders / "full" / "v1", picture), (folders / "none" / "v1", picture)]
    asked.append((folders / "full" / "v1", picture[:300]))
    eyes = DetectorEyes(OnnxTrunks(), CachedDetectors(CachePlan.of(Settings(home=tmp_path)), CPU))
    eyes.get_ready(folders / "full" / "v1")
    seen = eyes.see([Waiting(folder, jpeg, 0.0, 1.0, lambda _: None) for folder, jpeg in asked])
    assert isinstance(seen[0], Seen)
    assert seen[0].detector == detector.ref
    assert seen[0].detections
    assert [type(one) for one in seen[1:]] == [NotFoundError, InputError]


class SizedTrunks(CountingTrunks):
    """Notes the sizes of the inputs, `(n, h, w)`."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[tuple[int, ...]] = []

    def levels(self, subnet: SubnetManifest, pixels: Rgb) -> Levels:
        self.sizes.append(pixels.shape[:3])
        return super().levels(subnet, pixels)


def test_part_of_a_frame_is_looked_at_in_the_size_that_it_has_in_the_frame() -> None:
    detector, picture = full_detector("full"), some_pictures(1)[0]
    wide = np.repeat(np.repeat(picture, 4, axis=0), 4, axis=1)[:384, :512]
    part = wide[:192, :256]
    trunks = SizedTrunks()
    asked = [Question(detector, wide), Question(detector, part, part=(0.0, 0.0, 0.5, 0.5))]
    assert all(isinstance(one, list) for one in detect_each(asked, trunks))
    assert trunks.sizes == [(1, 96, 128), (1, 64, 64)]


def test_whether_something_is_there_at_all_is_told_of_the_whole_input() -> None:
    detector, picture = full_detector("full"), some_pictures(1)[0]
    presence = replace(detector, taught_head=PresenceHead([1, 1, 1], 2))
    assert Question(detector, picture, part=(0.0, 0.0, 0.5, 0.5)).look_px != detector.input_size_px
    assert Question(presence, picture, part=(0.0, 0.0, 0.5, 0.5)).look_px == detector.input_size_px
