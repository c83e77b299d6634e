"""What a step learns from: bases, gates, and how often a window comes."""

from __future__ import annotations

import torch

from cloud.detector.loss import TargetBatch
from cloud.training.basis import find_basis, project
from cloud.training.pool import WindowPool, count_repeats
from cloud.training.teachable import TeachableHead


def test_find_basis_keeps_what_varies() -> None:
    generator = torch.Generator().manual_seed(0)
    causes = torch.randn(50, 8, 8, 3, generator=generator)
    level = (causes @ torch.randn(3, 40, generator=generator)).half()
    basis = find_basis(level, 3)
    assert basis.shape == (3, 40)
    kept = project(level, basis).float().flatten(0, 2)
    back = torch.linalg.lstsq(kept, level.float().flatten(0, 2)).solution
    assert torch.dist(kept @ back, level.float().flatten(0, 2)) < 0.05 * level.float().norm()
    assert 0.5 < float(kept.std()) < 2.0


def test_find_basis_of_few_channels_and_dead_ones_is_finite() -> None:
    level = torch.zeros(4, 2, 2, 6).half()
    level[..., 0] = torch.arange(16).view(4, 2, 2)
    basis = find_basis(level, 64)
    assert basis.shape == (6, 6)
    assert bool(torch.isfinite(basis).all())


def _head() -> TeachableHead:
    head = TeachableHead((5, 6, 7), 2, 8, "dense3")
    head.start_from([1.0, 1.0, 1.0, 1.0], torch.Generator().manual_seed(0))
    return head


def test_folded_head_answers_the_same_on_the_trunk_s_channels() -> None:
    head = _head().eval()
    generator = torch.Generator().manual_seed(1)
    bases = [torch.randn(kept, 20, generator=generator) for kept in (5, 6, 7)]
    raw = [torch.randn(1, 20, 8 >> i, 8 >> i, generator=generator) for i in range(3)]
    projected = [torch.einsum("nchw,kc->nkhw", level, basis) for level, basis in zip(raw, bases, strict=True)]
    with torch.inference_mode():
        for one, other in zip(head(projected), head.folded(bases, "dense3")(raw), strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


def test_closed_gate_takes_the_level_out() -> None:
    head = _head()
    head.gates.data[1] = 0.001
    folded = head.folded([torch.eye(kept) for kept in (5, 6, 7)], "dense3")
    assert head.gate_values() == (1.0, 0.0, 1.0)
    weights = folded.state_dict()
    assert float(weights["adapters.1.weight"].abs().sum()) == 0.0
    assert float(weights["adapters.0.weight"].abs().sum()) > 0.0


def test_count_repeats_rare_class_and_hard_windows_come_more_often() -> None:
    heat = torch.zeros(12, 2, 4, 4)
    heat[:8, 0, 0, 0] = 1.0
    heat[8, 1, 2, 2] = 1.0
    hard = torch.zeros(12, dtype=torch.bool)
    hard[10] = True
    assert count_repeats(heat, hard).tolist() == [1] * 8 + [3, 1, 2, 1]


def test_pool_leaves_out_windows_of_which_nothing_is_known() -> None:
    trusted = torch.zeros(4, 1, 2, 2)
    trusted[1, 0, 0, 0] = 1.0
    nothing = torch.zeros(4, 1, 2, 2)
    targets = TargetBatch(nothing, nothing.expand(4, 4, 2, 2), nothing, trusted)
    pool = WindowPool((), (), targets, torch.tensor([0, 0, 1, 1]), torch.tensor([1, 3, 1, 1]))
    assert pool.of_frames([0]).tolist() == [1, 1, 1]
    assert pool.of_frames([1]).tolist() == [2, 3], "there are no others"
    assert pool.of_frames([0, 1]).tolist() == [1, 1, 1]
