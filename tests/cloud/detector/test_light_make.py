"""The neck maker: principal components with mean 0 and spread 1."""

from __future__ import annotations

import numpy as np

from cloud.detector.light import NECK_WIDTHS
from cloud.detector.light_make import (
    VIEW_HEIGHT_PX,
    VIEW_WIDTH_PX,
    Moments,
    make_neck,
    photo_views,
    projection,
)
from cloud.subnets.features import Features
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.registry import subnet_by_name
from edge_agent.vision.arrays import Rgb


class NoisyExtractor:
    """Sees nothing but noise, always the same, in few channels."""

    def __init__(self) -> None:
        known = subnet_by_name("efficientnet_lite0")
        levels = tuple(level.model_copy(update={"channels": 50}) for level in known.levels)
        self.subnet: SubnetManifest = known.model_copy(update={"levels": levels})

    def features(self, pixels: Rgb) -> Features:
        random = np.random.default_rng(int(pixels.sum()))
        return tuple(
            random.normal(3.0, 2.0, (1, 8, 8, level.channels)).astype(np.float32)
            for level in self.subnet.levels
        )


def test_projection_has_mean_0_and_spread_1_on_what_it_was_fitted_to() -> None:
    random = np.random.default_rng(0)
    vectors = (random.normal(size=(500, 3)) @ random.normal(size=(3, 12)) + 5).astype(np.float32)
    vectors += random.normal(0, 0.01, vectors.shape).astype(np.float32)
    moments = Moments.of(12)
    moments.add(vectors[:200])
    moments.add(vectors[200:])
    weight, bias = projection(moments, 3)
    found = vectors @ weight.T + bias
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-2)
    np.testing.assert_allclose(np.cov(found.T), np.eye(3), atol=2e-2)


def test_projection_ignores_how_loud_a_channel_is() -> None:
    random = np.random.default_rng(1)
    vectors = random.normal(size=(800, 6)).astype(np.float32)
    quiet, loud = Moments.of(6), Moments.of(6)
    quiet.add(vectors)
    loud.add(vectors * np.array([100, 1, 1, 1, 1, 1], np.float32))
    np.testing.assert_allclose(projection(quiet, 2)[0][:, 1:], projection(loud, 2)[0][:, 1:], atol=1e-4)


def test_photo_views_have_one_size_and_leave_tiny_pictures_out() -> None:
    views = list(photo_views(np.zeros((900, 1200, 3), np.uint8)))
    assert len(views) > 2
    assert {view.shape for view in views} == {(VIEW_HEIGHT_PX, VIEW_WIDTH_PX, 3)}
    assert list(photo_views(np.zeros((100, 100, 3), np.uint8))) == []


def test_make_neck_twice_gives_the_same_neck() -> None:
    photo = np.full((400, 600, 3), 9, np.uint8)
    first, second = (make_neck(NoisyExtractor(), [photo]).state_dict() for _ in range(2))
    assert first["projections.0.weight"].shape[0] == NECK_WIDTHS[0]
    assert all(bool((first[name] == second[name]).all()) for name in first)
