"""Embeddings of crops: the same from the extractor and from the network that is exported."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cloud.attributes.crops import CROP_PX
from cloud.attributes.embed import EmbeddingNetwork, embed_crops, embed_pixels
from cloud.subnets.features import shared_extractor
from cloud.subnets.registry import subnet_by_name

SUBNET = subnet_by_name("efficientnet_lite0")


def picture(seed: int, height: int = 200, width: int = 300) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.slow
def test_embedding_network_says_what_the_extractor_says() -> None:
    pixels = [picture(seed, CROP_PX, CROP_PX) for seed in range(2)]
    expected = embed_pixels(shared_extractor(SUBNET), pixels)
    image = torch.from_numpy((np.stack(pixels).astype(np.float32) - 127) / 128)
    with torch.inference_mode():
        found = EmbeddingNetwork(SUBNET).eval()(image).numpy()
    assert found.shape == expected.shape == (2, 672 + 320)
    assert found == pytest.approx(expected, abs=1e-3)


@pytest.mark.slow
def test_embed_crops_depends_on_the_box_alone() -> None:
    rgb = picture(1)
    elsewhere = rgb.copy()
    elsewhere[150:, 200:] = 0
    box = (0.1, 0.1, 0.4, 0.5)
    once, again, other = embed_crops(
        shared_extractor(SUBNET), [(rgb, box), (elsewhere, box), (rgb, (0.5, 0.5, 0.9, 0.9))]
    )
    assert once == pytest.approx(again, abs=1e-5)
    assert np.abs(once - other).max() > 0.01


@pytest.mark.slow
def test_embed_no_crops_gives_no_rows() -> None:
    assert embed_crops(shared_extractor(SUBNET), []).shape == (0, 672 + 320)
