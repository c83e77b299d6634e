"""Many detectors at once answer as each of them alone."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch

from cloud.detector.full import FullDetector
from cloud.detector.head import AnchorFreeHead
from cloud.detector.light import LightHead, LightNetwork, light_neck
from cloud.detector.shared import SharedRunner
from cloud.subnets.features import FeatureExtractor, Features
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.registry import subnet_by_name
from edge_agent.errors import BackendError, CameraError
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection, DetectorRef
from tests.cloud.detector.examples import small_detector, small_spec

SUBNET = subnet_by_name("efficientnet_lite0")


class CountingExtractor:
    """Sees colours and noise, and counts how often it looks."""

    def __init__(self, subnet: SubnetManifest = SUBNET, *, broken: bool = False) -> None:
        self.subnet = subnet
        self.looks = 0
        self._broken = broken

    def features(self, pixels: Rgb) -> Features:
        self.looks += 1
        height, width = pixels.shape[1:3]
        levels = []
        for level in self.subnet.levels:
            random = np.random.default_rng([level.stride_px, int(pixels.sum())])
            shape = (len(pixels), height // level.stride_px, width // level.stride_px, level.channels)
            levels.append(np.abs(random.normal(0, 1.5, shape)).astype(np.float32))
        if self._broken:
            levels[0][0, 0, 0, 0] = np.nan
        return tuple(levels)


def light_detector(number: int, *names: str, threshold: float = 0.3) -> FullDetector:
    """Return a light detector that finds something here and there."""
    neck = light_neck(SUBNET)
    head = LightHead(neck.channels, len(names) or 1)
    generator = torch.Generator().manual_seed(number)
    head.start_from([1.5 + number % 3, 2.0, 2.5, 3.0], generator)
    torch.nn.init.normal_(head.scores.weight, std=0.7, generator=generator)
    torch.nn.init.normal_(head.boxes.weight, std=0.2, generator=generator)
    spec = small_spec(*(names or ("thing",)), threshold=threshold)
    ref = DetectorRef(id=f"d{number}", name=f"d{number}", version=1)
    spec = spec.model_copy(update={"detector": ref})
    return FullDetector(spec, LightNetwork(neck, head.eval()))


def renamed(detector: FullDetector, name: str) -> FullDetector:
    spec = detector.spec.model_copy(update={"detector": DetectorRef(id=name, name=name, version=1)})
    return FullDetector(spec, detector.taught_head)


def some_pictures(count: int = 2) -> list[Rgb]:
    random = np.random.default_rng(3)
    return [random.integers(0, 255, (90 + 10 * n, 140, 3)).astype(np.uint8) for n in range(count)]


def assert_same(shared: list[list[Detection]], alone: list[list[Detection]]) -> None:
    assert [[one.label for one in seen] for seen in shared] == [[one.label for one in seen] for seen in alone]
    for ours, theirs in zip(chain(*shared), chain(*alone), strict=True):
        assert ours.score == pytest.approx(theirs.score, abs=1e-5)
        assert ours.box == pytest.approx(theirs.box, abs=1e-5)


@pytest.mark.parametrize("score_floor", [None, 0.02])
def test_light_detectors_with_different_classes_answer_as_alone(score_floor: float | None) -> None:
    detectors = [
        light_detector(0, "cat"),
        light_detector(1, "cat", "dog", "cow"),
        light_detector(2, "hat", threshold=0.2),
        light_detector(3, "hat", "coat"),
        light_detector(4, threshold=0.6),
    ]
    eye: FeatureExtractor = CountingExtractor()
    runner = SharedRunner(detectors, extractor_for=lambda _: eye)
    answers = runner.detect_many(some_pictures(), score_floor=score_floor)
    assert list(answers) == [detector.ref for detector in detectors]
    assert sum(len(seen) for answer in answers.values() for seen in answer) > 10
    for detector in detectors:
        alone = detector.detect_many(some_pictures(), score_floor=score_floor, extractors=[eye])
        assert_same(answers[detector.ref], alone)


def test_full_and_light_detectors_side_by_side_answer_as_alone() -> None:
    full, light = renamed(small_detector(), "full"), light_detector(2)
    assert isinstance(full.taught_head, AnchorFreeHead)
    outputs = full.taught_head.scores
    torch.nn.init.constant_(outputs.weight, 0.1)
    torch.nn.init.normal_(outputs.weight, std=3.0, generator=torch.Generator().manual_seed(0))
    eye: FeatureExtractor = CountingExtractor()
    answers = SharedRunner([full, light], extractor_for=lambda _: eye).detect_many(
        some_pictures(), score_floor=0.05
    )
    for detector in (full, light):
        alone = detector.detect_many(some_pictures(), score_floor=0.05, extractors=[eye])
        assert any(alone)
        assert_same(answers[detector.ref], alone)


class BrightLevels:
    """Says the same everywhere, in place of a subnet and its neck."""

    def levels(self, pixels: Rgb) -> Features:
        height, width = pixels.shape[1:3]
        return tuple(
            np.full((len(pixels), height // stride, width // stride, channels), 2.0, np.float32)
            for stride, channels in zip((8, 16, 32), light_neck(SUBNET).channels, strict=True)
        )


def test_light_detectors_answer_from_given_levels_without_a_look_of_the_subnet() -> None:
    eye, levels = CountingExtractor(), BrightLevels()
    detector = light_detector(1, threshold=0.1)
    runner = SharedRunner([detector], extractor_for=lambda _: eye, levels_for=lambda _: levels)
    (seen,) = runner.detect_many(some_pictures(1), score_floor=0.02)[detector.ref]
    assert isinstance(detector.taught_head, LightNetwork)
    pixels = np.zeros((1, detector.spec.input.height_px, detector.spec.input.width_px, 3), np.uint8)
    own = [torch.from_numpy(level).permute(0, 3, 1, 2) for level in levels.levels(pixels)]
    scores = torch.sigmoid(detector.taught_head.head(own)[0])
    assert eye.looks == 0
    assert all(one.score == pytest.approx(scores.max().item(), abs=1e-5) for one in seen)
    assert bool(seen) == (scores.max().item() >= 0.02)


def test_light_detectors_beside_full_ones_answer_from_the_subnet() -> None:
    eye, full, light = CountingExtractor(), renamed(small_detector(), "full"), light_detector(2)
    runner = SharedRunner([full, light], extractor_for=lambda _: eye, levels_for=lambda _: BrightLevels())
    answers = runner.detect_many(some_pictures(), score_floor=0.05)
    assert eye.looks == 1
    alone = light.detect_many(some_pictures(), score_floor=0.05, extractors=[eye])
    assert_same(answers[light.ref], alone)


def test_subnet_looks_once_however_many_detectors() -> None:
    eye = CountingExtractor()
    runner = SharedRunner(
        [*(light_detector(n) for n in range(4)), small_detector()], extractor_for=lambda _: eye
    )
    runner.detect_many(some_pictures(3))
    assert eye.looks == 1


def test_inputs_of_two_sizes_are_looked_at_twice() -> None:
    large = light_detector(1)
    spec = large.spec.model_copy(update={"input_width_px": 160})
    eye = CountingExtractor()
    runner = SharedRunner(
        [light_detector(0), FullDetector(spec, large.taught_head)], extractor_for=lambda _: eye
    )
    assert all(len(answer) == 1 for answer in runner.detect_many(some_pictures(1)).values())
    assert eye.looks == 2


def test_added_detector_answers_and_removed_one_no_longer() -> None:
    eye: FeatureExtractor = CountingExtractor()
    first, second = light_detector(0), light_detector(1)
    runner = SharedRunner([first], extractor_for=lambda _: eye)
    runner.detect_many(some_pictures())
    runner.add(second)
    both = runner.detect_many(some_pictures(), score_floor=0.05)
    assert_same(both[second.ref], second.detect_many(some_pictures(), score_floor=0.05, extractors=[eye]))
    runner.remove(first.ref)
    assert list(runner.detect_many(some_pictures())) == [second.ref]
    assert runner.refs == (second.ref,)


def test_no_pictures_and_no_detectors_give_nothing() -> None:
    assert SharedRunner().detect_many(some_pictures()) == {}
    only = light_detector(0)
    assert SharedRunner([only]).detect_many([]) == {only.ref: []}


def test_broken_features_raise_rather_than_find_nothing() -> None:
    eye: FeatureExtractor = CountingExtractor(broken=True)
    with pytest.raises(BackendError, match="not finite"):
        SharedRunner([light_detector(0)], extractor_for=lambda _: eye).detect_many(some_pictures(1))


def test_empty_picture_is_refused() -> None:
    with pytest.raises(CameraError):
        SharedRunner([light_detector(0)], extractor_for=lambda _: CountingExtractor()).detect_many(
            [np.zeros((0, 5, 3), np.uint8)]
        )
