"""Stacked heads answer as each of them alone, whatever their classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.detector.light import LightHead
from cloud.detector.shared_heads import StackedHeads

CHANNELS = (12, 10, 6)


def some_heads(classes: Sequence[int], seed: int) -> list[LightHead]:
    generator = torch.Generator().manual_seed(seed)
    heads = []
    for count in classes:
        head = LightHead(CHANNELS, count, 8, 16).eval().requires_grad_(requires_grad=False)
        for value in head.parameters():
            torch.nn.init.normal_(value, std=0.7, generator=generator)
        heads.append(head)
    return heads


def some_levels(height: int, width: int, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(height >> shift, width >> shift, channels, generator=generator)
        for shift, channels in enumerate(CHANNELS)
    ]


def alone(head: LightHead, levels: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits `(classes, h, w)` and distances `(4, h, w)`."""
    logits, distances = head([level.permute(2, 0, 1)[None] for level in levels])
    return logits[0], distances[0]


def assert_logits_as_alone(heads: Sequence[LightHead], levels: Sequence[torch.Tensor]) -> None:
    stacked = StackedHeads(heads)
    logits = stacked.logits(levels)
    wanted = [alone(heads[column.head], levels)[0][column.label] for column in stacked.columns]
    np.testing.assert_allclose(logits, torch.stack(wanted, 2).numpy(), atol=2e-5)


@given(
    classes=st.lists(st.integers(1, 5), min_size=1, max_size=7),
    height=st.integers(1, 4),
    width=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_logits_of_any_classes_are_those_of_each_head(
    classes: list[int], height: int, width: int, seed: int
) -> None:
    assert_logits_as_alone(some_heads(classes, seed), some_levels(4 * height, 4 * width, seed))


def test_logits_of_a_map_in_unequal_chunks_are_those_of_each_head() -> None:
    # Chunks of four double rows; the last has one.
    assert_logits_as_alone(some_heads([1, 2] * 25, 0), some_levels(36, 64, 1))


@given(
    classes=st.lists(st.integers(1, 3), min_size=1, max_size=5),
    count=st.integers(0, 40),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_distances_are_those_of_each_head_at_its_cells(classes: list[int], count: int, seed: int) -> None:
    heads, levels = some_heads(classes, seed), some_levels(8, 12, seed)
    random = np.random.default_rng(seed)
    of = np.sort(random.integers(0, len(heads), count))
    rows, columns = random.integers(0, 8, count), random.integers(0, 12, count)
    distances = StackedHeads(heads).distances(levels, of, rows, columns)
    assert distances.shape == (count, 4)
    assert (distances >= 0).all()
    maps = [alone(head, levels)[1].numpy() for head in heads]
    wanted = [maps[head][:, row, column] for head, row, column in zip(of, rows, columns, strict=True)]
    np.testing.assert_allclose(distances, np.array(wanted).reshape(-1, 4), atol=2e-5)
