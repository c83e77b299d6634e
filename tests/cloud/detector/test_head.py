"""The head: few cells look at few cells, and every operator folds."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cloud.detector.head import AnchorFreeHead

CHANNELS = (240, 672, 320)
FOLDABLE = (
    nn.Conv2d,
    nn.BatchNorm2d,
    nn.ReLU6,
    nn.Sequential,
    nn.ModuleList,
    AnchorFreeHead,
)


def features(height: int = 8, width: int = 12) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(1, channels, height >> level, width >> level, generator=generator)
        for level, channels in enumerate(CHANNELS)
    ]


def started(classes: int = 3) -> AnchorFreeHead:
    head = AnchorFreeHead(CHANNELS, classes)
    head.start_from([1.0, 2.0, 3.0, 4.0], torch.Generator().manual_seed(3))
    return head.eval()


def test_head_starts_with_low_scores_and_boxes_of_the_mean_size() -> None:
    with torch.inference_mode():
        logits, distances = started()(features())
    assert logits.shape == (1, 3, 8, 12)
    assert float(torch.sigmoid(logits).mean()) == pytest.approx(0.01, abs=0.01)
    assert distances.mean((0, 2, 3)).tolist() == pytest.approx([1.0, 2.0, 3.0, 4.0], abs=0.2)


def test_head_starts_the_same_for_the_same_seed() -> None:
    assert all(
        torch.equal(one, other)
        for one, other in zip(started().state_dict().values(), started().state_dict().values(), strict=True)
    )


def test_head_coarse_levels_land_on_the_cells_they_cover() -> None:
    head = started()
    quiet = [torch.zeros_like(level) for level in features()]
    loud = [level.clone() for level in quiet]
    loud[2][..., 1, 2] = 5.0  # stride 32: covers rows 4 to 7, columns 8 to 11 at stride 8
    with torch.inference_mode():
        change = (head(loud)[0] - head(quiet)[0]).abs().sum((0, 1)) > 1e-6
    rows, columns = change.nonzero().T
    assert int(rows.min()) >= 4 - 3
    assert int(columns.min()) >= 8 - 3
    assert change[4:, 8:].all()


def test_head_of_two_subnets_sums_what_their_adapters_give() -> None:
    one = started()
    head = AnchorFreeHead((*CHANNELS, *CHANNELS), 3).eval()
    weights = one.state_dict()
    for level in range(3):
        half = weights[f"adapters.{level}.weight"] / 2
        weights[f"adapters.{level}.weight"] = half
        weights[f"adapters.{level + 3}.weight"] = half
    head.load_state_dict(weights)
    with torch.inference_mode():
        for alone, both in zip(started()(features()), head([*features(), *features()]), strict=True):
            torch.testing.assert_close(both, alone, atol=1e-5, rtol=1e-4)


def test_head_uses_only_layers_that_small_runtimes_have() -> None:
    assert all(isinstance(layer, FOLDABLE) for layer in started().modules())
