"""The tiny detector with a second stage: are the squares bright or dark?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from compress.capture import normalised
from compress.protocol import Compressible, NotHere, Rgb
from compress.second_stage import SecondStage
from edge_agent.vision.few_shot import unit
from edge_agent.wire.attributes import AttributeRule, AttributeRules
from tests.compress.tiny import TinyDetector, TinyNetwork, fitted_network

CROP_PX = 32


class Embedding(nn.Module):
    """The tiny network's features, averaged."""

    def __init__(self, network: TinyNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return `(n, 96)`."""
        return self.network.features(image.permute(0, 3, 1, 2)).mean((2, 3))


def crop(seed: int, *, bright: bool) -> Rgb:
    """Return a red square on grey, bright or dark."""
    random = np.random.default_rng(seed)
    rgb = random.integers(60, 120, (CROP_PX, CROP_PX, 3), dtype=np.uint8)
    rgb[4:28, 4:28] = (240, 60, 60) if bright else (100, 0, 0)
    return rgb


class TinyStage:
    """Implements `compress.second_stage.SecondStage`."""

    crop_px = CROP_PX
    around_share = 0.15

    @property
    def rules(self) -> AttributeRules:
        crops = [crop(seed, bright=bright) for bright in (True, False) for seed in range(4)]
        with torch.inference_mode():
            embeddings = self.network()(torch.from_numpy(normalised(np.stack(crops)))).numpy()
        centre = embeddings.mean(axis=0)
        means = unit(np.stack([embeddings[:4].mean(axis=0), embeddings[4:].mean(axis=0)]) - centre)
        rule = AttributeRule(
            name="Brightness",
            slug="brightness",
            labels=("red_square",),
            values=("bright", "dark"),
            centre=tuple(centre.tolist()),
            means=tuple(tuple(mean) for mean in means.tolist()),
            least_similarity=0.5,
            least_margin=0.2,
        )
        return AttributeRules(attributes=(rule,))

    def network(self) -> nn.Module:
        return Embedding(fitted_network()).eval()

    def crops(self, limit: int) -> Sequence[Rgb]:
        return [crop(seed, bright=seed % 2 == 0) for seed in range(100, 100 + min(limit, 12))]


class AttributedTiny(TinyDetector):
    """Implements `compress.second_stage.TellsAttributes` too."""

    def second_stage(self) -> SecondStage | None:
        return TinyStage()


def load_tiny(reference: str) -> Compressible | NotHere:
    """Be a detector loader that knows one detector."""
    return AttributedTiny() if reference == "tiny" else NotHere("the tests", "`tiny` is there")
