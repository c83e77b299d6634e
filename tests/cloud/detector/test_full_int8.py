"""A full detector with int8 numbers says nearly the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cloud.detector.full import run_head
from cloud.detector.full_int8 import int8_full
from cloud.detector.head import AnchorFreeHead
from cloud.detector.light_int8 import multiplies_bytes
from cloud.subnets.features import shared_extractor
from edge_agent.vision.arrays import Rgb
from edge_agent.vision.resize import resize
from tests.cloud.detector.examples import small_detector

QUICK = multiplies_bytes(torch.cpu.get_capabilities())


@pytest.fixture
def scene() -> Rgb:
    """Give soft blobs of colour `(1, 128, 192, 3)`: noise alone is like no picture."""
    coarse = np.random.default_rng(5).integers(0, 255, (8, 12, 3)).astype(np.uint8)
    return resize(coarse, 192, 128)[None]


@pytest.mark.skipif(not QUICK, reason="this processor's sums of int8 products overflow")
@pytest.mark.parametrize(
    "subnets", [("ssd_mobilenet_v2",), ("efficientnet_lite0",), ("ssd_mobilenet_v2", "efficientnet_lite0")]
)
def test_int8_detector_answers_nearly_as_the_detector(subnets: tuple[str, ...], scene: Rgb) -> None:
    detector = small_detector(subnets=subnets)
    head = detector.taught_head
    assert isinstance(head, AnchorFreeHead)
    for layer in (head.scores, head.boxes):
        torch.nn.init.normal_(layer.weight, std=0.3, generator=torch.Generator().manual_seed(1))
    network = int8_full(head, detector.manifests)
    assert network is not None
    levels = tuple(
        level for subnet in detector.manifests for level in shared_extractor(subnet).features(scene)
    )
    for ours, theirs in zip(network.outputs(scene), run_head(head, levels), strict=True):
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
        # An untaught head has its hidden numbers all over from 0 to 6, where small errors of maps count most.
        assert np.sqrt(np.square(ours - theirs).mean()) < 0.35 * theirs.std()


def test_detector_on_a_subnet_without_ranges_has_no_int8_numbers() -> None:
    detector = small_detector()
    other = detector.manifests[0].model_copy(update={"sha256": "0" * 64})
    head = detector.taught_head
    assert isinstance(head, AnchorFreeHead)
    assert int8_full(head, [other]) is None
