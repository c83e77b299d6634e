"""The light form: its sizes, its fixed neck, its small head."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.detector.light import (
    MAX_STORED_BYTES,
    LightHead,
    LightNeck,
    LightNetwork,
    Surroundings,
    has_light_neck,
    light_neck,
    light_neck_sha256,
    new_light,
    rounded,
    stored_bytes,
)
from cloud.subnets.registry import subnet_by_name


def random_levels(channels: tuple[int, ...], seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(2, count, 24 >> index, 32 >> index, generator=generator)
        for index, count in enumerate(channels)
    ]


def test_light_neck_of_shipped_subnets_fits_their_levels() -> None:
    for name in ("efficientnet_lite0", "ssd_mobilenet_v2"):
        subnet = subnet_by_name(name)
        neck = light_neck(subnet)
        levels = neck(random_levels(tuple(level.channels for level in subnet.levels)))
        assert [level.shape[1:] for level in levels] == [(96, 24, 32), (96, 12, 16), (32, 6, 8)]
        assert neck.channels == (96, 96, 32)
        assert has_light_neck(subnet)
        assert len(light_neck_sha256(subnet)) == 64


def test_light_neck_is_frozen() -> None:
    network = new_light(subnet_by_name("efficientnet_lite0"), 1)
    learned = [name for name, value in network.named_parameters() if value.requires_grad]
    assert learned
    assert all(name.startswith("head.") for name in learned)


def test_surroundings_at_edge_count_only_what_is_there() -> None:
    ones = torch.ones(1, 2, 6, 7)
    assert torch.allclose(Surroundings(5)(ones), ones)


def test_surroundings_of_one_cell_spread_it_over_a_square() -> None:
    picture = torch.zeros(1, 1, 9, 9)
    picture[0, 0, 4, 4] = 9.0
    means = Surroundings(3)(picture)
    assert torch.allclose(means[0, 0, 3:6, 3:6], torch.ones(3, 3))
    assert means.sum() == 9.0


@given(classes=st.integers(1, 20))
@settings(max_examples=10, deadline=None)
def test_stored_head_stays_small(classes: int) -> None:
    assert stored_bytes(LightHead((96, 96, 32), classes)) <= MAX_STORED_BYTES


def test_new_head_finds_nothing_and_guesses_the_mean_box() -> None:
    head = LightHead((4, 4, 2), 3)
    head.start_from([1.0, 2.0, 3.0, 4.0], torch.Generator().manual_seed(0))
    logits, distances = head(random_levels((4, 4, 2)))
    assert logits.shape == (2, 3, 24, 32)
    assert torch.sigmoid(logits).max() < 0.05
    assert torch.allclose(distances.mean((0, 2, 3)), torch.tensor([1.0, 2.0, 3.0, 4.0]), atol=0.2)


def test_scores_do_not_depend_on_channels_of_boxes() -> None:
    head = LightHead((4, 4, 2), 1)
    head.start_from([1.0] * 4, torch.Generator().manual_seed(0))
    levels = random_levels((4, 4, 2))
    before = head(levels)
    with torch.no_grad():
        for adapter in head.adapters:
            assert isinstance(adapter, torch.nn.Conv2d)
            adapter.weight[head.score_width :] += 1.0
    after = head(levels)
    assert torch.equal(before[0], after[0])
    assert not torch.equal(before[1], after[1])


def test_rounded_head_survives_half_precision_and_answers_alike() -> None:
    head = LightHead((4, 4, 2), 2)
    head.start_from([1.0] * 4, torch.Generator().manual_seed(0))
    near = rounded(head)
    assert all(torch.equal(value, value.half().float()) for value in near.state_dict().values())
    levels = random_levels((4, 4, 2))
    for before, after in zip(head(levels), near(levels), strict=True):
        assert torch.allclose(before, after, atol=1e-2)


def test_network_is_neck_then_head() -> None:
    neck = LightNeck((5, 6, 7), (3, 3, 2), (3, 0, 0))
    head = LightHead(neck.channels, 1)
    levels = random_levels((5, 6, 7))
    assert neck.channels == (6, 3, 2)
    assert torch.equal(LightNetwork(neck, head)(levels)[0], head(neck(levels))[0])
