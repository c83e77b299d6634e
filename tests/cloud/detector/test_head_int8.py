"""A head with int8 numbers answers nearly as the head itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cloud.detector.head import AnchorFreeHead
from cloud.detector.head_int8 import ANSWERS, ByteMap, head_graph, map_name
from cloud.detector.light_int8 import multiplies_bytes
from cloud.detector.spec import Block
from cloud.subnets.features import open_session
from cloud.subnets.graph import Array
from edge_agent.vision.arrays import Float32

pytestmark = pytest.mark.skipif(
    not multiplies_bytes(torch.cpu.get_capabilities()),
    reason="this processor's sums of int8 products overflow",
)
CHANNELS = (24, 40, 56)
STEPS = ((6 / 255, 0), (0.05, 100), (6 / 255, 0))


def taught_head(subnets: int, block: Block) -> AnchorFreeHead:
    """Return a head whose normalisations have seen something."""
    torch.manual_seed(3)
    head = AnchorFreeHead(CHANNELS * subnets, 2, 32, block)
    head.start_from([2.0, 2.0, 2.0, 2.0], torch.Generator().manual_seed(3))
    torch.nn.init.normal_(head.scores.weight, std=0.5)
    torch.nn.init.normal_(head.boxes.weight, std=0.5)
    for layer in head.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
            torch.nn.init.uniform_(layer.bias, 0.0, 1.5)
    with torch.no_grad():
        head.train()(
            [
                torch.rand(2, count, 16 >> at % 3, 16 >> at % 3) * 6
                for at, count in enumerate(CHANNELS * subnets)
            ]
        )
    return head.eval()


def some_maps(subnets: int, *, more: int = 0) -> tuple[list[ByteMap], list[Array]]:
    """Return what byte maps of a picture are like, with so many channels more than the head knows."""
    numbers = np.random.default_rng(7)
    forms, maps = [], []
    for index, channels in enumerate(CHANNELS * subnets):
        step, zero = STEPS[index % 3]
        forms.append(ByteMap(channels + more, step, zero))
        shape = (1, 16 >> index % 3, 24 >> index % 3, channels + more)
        maps.append(numbers.integers(0, 255, shape).astype(np.uint8))
    return forms, maps


def answered(head: AnchorFreeHead, forms: list[ByteMap], maps: list[Array]) -> Float32:
    session = open_session(head_graph(head, forms))
    return session.run([ANSWERS], {map_name(index): one for index, one in enumerate(maps)})[0]


def plainly(head: AnchorFreeHead, forms: list[ByteMap], maps: list[Array]) -> Float32:
    """Return logits and distances of the numbers that the bytes stand for."""
    real = [
        (one[..., :count].astype(np.float32) - form.zero) * np.float32(form.step)
        for one, form, count in zip(maps, forms, CHANNELS * (len(maps) // 3), strict=True)
    ]
    with torch.inference_mode():
        scores, boxes = head([torch.from_numpy(one).permute(0, 3, 1, 2) for one in real])
    return torch.cat([scores, boxes], 1).permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("block", ["dense3", "dense3_separable5"])
@pytest.mark.parametrize("subnets", [1, 2])
def test_int8_head_answers_nearly_as_the_head(subnets: int, block: Block) -> None:
    head = taught_head(subnets, block)
    forms, maps = some_maps(subnets)
    theirs = plainly(head, forms, maps)
    ours = answered(head, forms, maps)
    ours[..., 2:] = np.maximum(ours[..., 2:], 0)
    assert ours.shape == theirs.shape
    assert np.sqrt(np.square(ours - theirs).mean(axis=(0, 1, 2))).max() < 0.05 * theirs.std()


def test_channels_that_the_head_does_not_know_change_nothing() -> None:
    head = taught_head(1, "dense3")
    forms, maps = some_maps(1, more=8)
    narrow = [ByteMap(one.channels - 8, one.step, one.zero) for one in forms]
    without = [np.ascontiguousarray(one[..., :-8]) for one in maps]
    np.testing.assert_array_equal(answered(head, forms, maps), answered(head, narrow, without))
