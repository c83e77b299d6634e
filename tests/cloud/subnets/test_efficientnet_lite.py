"""EfficientNet-Lite: right architecture, right weights, right padding."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from cloud.datasets.images import read_image
from cloud.subnets.adapters.efficientnet_lite import published_name, trunk_from
from cloud.subnets.adapters.inverted_residual import ConvBn
from cloud.subnets.registry import subnet_by_name
from cloud.subnets.weights import weights_path
from edge_agent.vision.letterbox import letterbox

NAMES = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
PHOTOS = Path("/usr/share/doc/opencv-doc/examples/data")


@cache
def weights_of(name: str) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = torch.load(weights_path(subnet_by_name(name)), weights_only=True)
    return weights


@cache
def trunk_of(name: str) -> nn.Module:
    return trunk_from(weights_of(name))


@pytest.mark.parametrize("name", NAMES)
def test_trunk_uses_every_published_tensor_but_the_classifier(name: str) -> None:
    weights = weights_of(name)
    used = {published_name(key) for key in trunk_of(name).state_dict()}
    left = {key.split(".")[0] for key in weights.keys() - used}
    assert left == {"_conv_head", "_bn1", "_fc"}


@pytest.mark.parametrize(
    ("kernel", "stride", "side"), [(3, 2, 8), (5, 2, 8), (3, 1, 7), (5, 1, 6), (1, 1, 5)]
)
def test_conv_bn_pads_as_tensorflow_same(kernel: int, stride: int, side: int) -> None:
    """Compare with the definition: output[i] sums kernel[k] * input[i * stride + k - before]."""
    generator = torch.Generator().manual_seed(1)
    layer = ConvBn(1, 1, kernel=kernel, stride=stride, relu=False).eval()
    torch.nn.init.normal_(layer.conv.weight, generator=generator)
    picture = torch.randn(side, side, generator=generator)
    out_side = -(-side // stride)
    before = max((out_side - 1) * stride + kernel - side, 0) // 2
    padded = torch.zeros(side + 2 * kernel, side + 2 * kernel)
    padded[before : before + side, before : before + side] = picture
    expected = torch.stack(
        [
            torch.stack(
                [
                    (
                        padded[y * stride : y * stride + kernel, x * stride : x * stride + kernel]
                        * layer.conv.weight[0, 0]
                    ).sum()
                    for x in range(out_side)
                ]
            )
            for y in range(out_side)
        ]
    )
    with torch.inference_mode():
        result = layer(picture[None, None])[0, 0]
    # Batch normalisation at its start only divides by sqrt(1 + eps).
    assert torch.allclose(result, expected / (1 + 1e-3) ** 0.5, atol=1e-5)


@pytest.mark.skipif(
    not PHOTOS.is_dir(), reason="the photos of the Debian package opencv-doc are not installed"
)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("photo", "imagenet_class"), [("apple.jpg", 948), ("baboon.jpg", 372)])
def test_trunk_with_published_classifier_knows_what_is_on_a_photo(
    name: str, photo: str, imagenet_class: int
) -> None:
    weights = weights_of(name)
    pixels = letterbox(read_image(PHOTOS / photo), 224, 224, 127).pixels
    image = (torch.from_numpy(pixels).float().permute(2, 0, 1)[None] - 127) / 128
    with torch.inference_mode():
        features = functional.conv2d(trunk_of(name)(image)[2], weights["_conv_head.weight"])
        mean, variance = weights["_bn1.running_mean"], weights["_bn1.running_var"]
        scale, shift = weights["_bn1.weight"], weights["_bn1.bias"]
        features = functional.relu6(functional.batch_norm(features, mean, variance, scale, shift, eps=1e-3))
        logits = functional.linear(features.mean((2, 3)), weights["_fc.weight"], weights["_fc.bias"])
    assert imagenet_class in logits[0].topk(5).indices.tolist()
