"""The optimiser: the published update, on one flat vector."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cloud.training.optimize import FlatAdamW, one_cycle


def small_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3), nn.Conv2d(3, 1, 1))


def test_flat_adamw_moves_as_torch_s_adamw_does() -> None:
    ours, theirs = small_net(), small_net()
    flat = FlatAdamW(ours, weight_decay=0.01)
    reference = torch.optim.AdamW(theirs.parameters(), lr=1e-2, betas=(0.9, 0.99), weight_decay=0.01)
    batch = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    for _ in range(5):
        for net in (ours, theirs):
            net(batch).square().mean().backward()
        flat.step(1e-2)
        reference.step()
        reference.zero_grad()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_one_cycle_rises_then_falls_to_nothing() -> None:
    rates = [one_cycle(step / 100, 1.0) for step in range(101)]
    top = rates.index(max(rates))
    assert rates[top] == pytest.approx(1.0)
    assert 10 <= top <= 30
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] < 1e-3
