"""The starter's network: padding, anchors, and channels that are taken away without a change of answers."""

from __future__ import annotations

import math
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import UnknownDetectorError
from compress.starter.anchors import ssd_anchors
from compress.starter.dead_channels import remove_dead_channels
from compress.starter.network import BLOCKS, SsdMobileNetV2, same_padding
from compress.starter.source import CLASSES, read_network
from compress.starter.weights import ConvLayer
from edge_agent.vision.arrays import Float32

CLASS_COUNT = 3
STRIDES = {0: 2, 1: 2, 3: 2, 6: 2, 13: 2}


@given(st.integers(1, 500), st.sampled_from([1, 3, 5]), st.sampled_from([1, 2]))
def test_same_padding_gives_the_rounded_up_size(size: int, kernel: int, stride: int) -> None:
    before, after = same_padding(size, kernel, stride)
    if size + before + after >= kernel:
        assert (size + before + after - kernel) // stride + 1 == math.ceil(size / stride)
    assert 0 <= after - before <= 1


def test_anchors_at_the_trained_size_lie_as_trained() -> None:
    anchors = ssd_anchors(300, 300, 6)
    assert anchors.shape == (1917, 4)
    # The middle cell of the finest level: three shapes about the picture's middle.
    middle = anchors[(9 * 19 + 9) * 3 : (9 * 19 + 9) * 3 + 3]
    np.testing.assert_allclose(middle[:, :2], 0.5, atol=1e-6)
    expected = [
        (0.1, 0.1),
        (0.2 / math.sqrt(2), 0.2 * math.sqrt(2)),
        (0.2 * math.sqrt(2), 0.2 / math.sqrt(2)),
    ]
    np.testing.assert_allclose(middle[:, 2:], expected, atol=1e-6)
    np.testing.assert_allclose(anchors[-1], (0.5, 0.5, math.sqrt(0.95), math.sqrt(0.95)), atol=1e-6)


@given(st.integers(3, 20), st.integers(3, 20))
def test_anchors_keep_their_pixels_at_other_sizes(columns: int, rows: int) -> None:
    width_px, height_px = 32 * columns, 32 * rows
    anchors = ssd_anchors(width_px, height_px, 1)
    assert len(anchors) == 3 * (width_px // 16) * (height_px // 16)
    np.testing.assert_allclose(anchors[0, 2:] * (height_px, width_px), 30.0, rtol=1e-5)
    steps_px = np.diff(anchors[: 3 * (width_px // 16) : 3, 1]) * width_px
    np.testing.assert_allclose(steps_px, 16.0, rtol=1e-3)


def layer(
    rng: np.random.Generator, out: int, into: int, *, depthwise: bool = False, stride: int = 1
) -> ConvLayer:
    size = 3 if depthwise or stride == 2 else 1
    shape = (1, 3, 3, out) if depthwise else (out, size, size, into)
    kernel = rng.normal(0, 1 / math.sqrt(size * size * (1 if depthwise else into)), shape)
    bias = rng.normal(0.3, 0.5, out)
    return ConvLayer(kernel.astype(np.float32), bias.astype(np.float32), stride, depthwise, relu6=True)


def linear(made: ConvLayer) -> ConvLayer:
    return ConvLayer(made.kernel, made.bias, made.stride, made.depthwise, relu6=False)


def predictors(rng: np.random.Generator, into: int, anchors: int) -> list[ConvLayer]:
    return [linear(layer(rng, anchors * 4, into)), linear(layer(rng, anchors * CLASS_COUNT, into))]


def small_layers(rng: np.random.Generator) -> list[ConvLayer]:
    """Return the layers of a narrow network of the same shape."""
    layers = [layer(rng, 6, 3, stride=2)]
    for block in range(BLOCKS):
        hidden = 6 if block == 0 else 12
        if block:
            layers.append(layer(rng, hidden, 4))
        if block == 13:
            layers += predictors(rng, hidden, 3)
        layers.append(layer(rng, hidden, 1, depthwise=True, stride=STRIDES.get(block, 1) if block else 1))
        layers.append(linear(layer(rng, 4, hidden)))
    layers += [layer(rng, 16, 4), *predictors(rng, 16, 6)]
    for _ in range(2):
        layers += [layer(rng, 4, 16), layer(rng, 16, 4, stride=2), *predictors(rng, 16, 6)]
    return layers


def kill(made: ConvLayer, channels: list[int], bias: float) -> None:
    if made.depthwise:
        made.kernel[..., channels] = 0
    else:
        made.kernel[channels] = 0
    made.bias[channels] = bias


@pytest.mark.parametrize("bias", [-1.0, 0.7, 9.0])
def test_dead_channels_go_and_the_answers_stay(bias: float) -> None:
    rng = np.random.default_rng(5)
    layers = small_layers(rng)
    for made in layers:
        if made.relu6 and made.kernel.shape[0] != 16:
            kill(made, [1, 2], bias)
    whole, smaller = SsdMobileNetV2(layers).eval(), SsdMobileNetV2(layers).eval()
    removed = remove_dead_channels(smaller)
    assert removed >= 2 * (BLOCKS - 1)
    picture = torch.from_numpy(rng.uniform(-1, 1, (1, 96, 128, 3)).astype(np.float32))
    for before, after in zip(whole(picture), smaller(picture), strict=True):
        # Channels that stay for their bias get one small weight; over 17 untrained blocks that adds up.
        torch.testing.assert_close(before, after, atol=0.05, rtol=0.05)


def test_no_channel_has_a_scale_of_almost_zero_afterwards() -> None:
    rng = np.random.default_rng(6)
    layers = small_layers(rng)
    for made in layers:
        if made.relu6:
            kill(made, [3], 5.0)
    network = SsdMobileNetV2(layers).eval()
    remove_dead_channels(network)
    for block in network.residual_blocks():
        assert block.depthwise.conv.weight.abs().amax(dim=(1, 2, 3)).min() > 1e-4


def test_kept_classes_answer_as_before() -> None:
    rng = np.random.default_rng(7)
    layers = small_layers(rng)
    whole, part = SsdMobileNetV2(layers).eval(), SsdMobileNetV2(layers).eval()
    part.keep([2, 0], levels=3)
    picture = torch.from_numpy(rng.uniform(-1, 1, (1, 96, 128, 3)).astype(np.float32))
    boxes, scores = whole(picture)
    part_boxes, part_scores = part(picture)
    rows = part_boxes.shape[1]
    assert rows < boxes.shape[1]
    torch.testing.assert_close(part_boxes, boxes[:, :rows])
    torch.testing.assert_close(part_scores, scores[:, :rows, [2, 0]])


def test_our_input_gives_the_same_answers() -> None:
    rng = np.random.default_rng(8)
    layers = small_layers(rng)
    trained, ours = SsdMobileNetV2(layers).eval(), SsdMobileNetV2(layers).eval()
    ours.take_our_input()
    picture: Float32 = rng.integers(0, 256, (1, 96, 128, 3)).astype(np.float32)
    before = trained.stem(torch.from_numpy((picture - 127.5) / 127.5).permute(0, 3, 1, 2))
    after = ours.stem(torch.from_numpy((picture - 127) / 128).permute(0, 3, 1, 2))
    # All but the right and bottom edge, where padding is another grey now.
    torch.testing.assert_close(before[..., :-1, :-1], after[..., :-1, :-1], atol=1e-4, rtol=1e-4)


def test_another_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "objectron_solution_packed_assets.data").write_bytes(b"x" * 500)
    with tarfile.open(tmp_path / "p.tgz", "w:gz") as archive:
        archive.add(tmp_path / "package", "package")
    with pytest.raises(UnknownDetectorError, match="SHA-256 differs"):
        read_network(tmp_path / "p.tgz")
    (tmp_path / "q.tgz").write_bytes(b"no archive")
    with pytest.raises(UnknownDetectorError, match="npm pack"):
        read_network(tmp_path / "q.tgz")


def test_class_names_are_those_of_the_network() -> None:
    assert len(CLASSES) == len(set(CLASSES)) == 24
    assert CLASSES.index("Person") == 4
