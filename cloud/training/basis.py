"""Fewer channels to learn from: each level of features in the directions in which it varies most.

A training step spends most of its time on the hundreds of channels that a trunk offers, and most of those say
nothing about one camera. A basis of some tens keeps what varies; afterwards it goes into the adapters'
weights, so that the detector takes the trunk's own channels. It is found without labels.
"""

from __future__ import annotations

import torch

KEPT_CHANNELS = (64, 96, 96)
"""How many directions of the levels at stride 8, 16 and 32 are kept."""

_SAMPLE_CELLS = 4000
_EXTRA_DIRECTIONS = 16
_ROUNDS = 3
_LEAST_SPREAD = 0.05
_CHUNK_WINDOWS = 64


def find_basis(level: torch.Tensor, kept: int) -> torch.Tensor:
    """Return the principal directions of one level `(kept, channels) float32`, or all if there are fewer.

    Channels are brought to a spread of 1 first; the result contains that scaling, and has a mean spread of 1.
    Randomised subspace iteration (Halko et al. 2011), the same for the same cells.

    Args:
        level: Windows `(n, rows, columns, channels)`.
        kept: How many directions.
    """
    cells = level.flatten(0, 2)
    some = cells[:: max(1, len(cells) // _SAMPLE_CELLS)].float()
    centred = some - some.mean(0)
    scale = 1 / centred.square().mean(0).sqrt().clamp(min=_LEAST_SPREAD)
    centred *= scale
    kept = min(kept, centred.shape[1])
    generator = torch.Generator().manual_seed(0)
    width = min(kept + _EXTRA_DIRECTIONS, centred.shape[1])
    directions = torch.randn(centred.shape[1], width, generator=generator)
    for _ in range(_ROUNDS):
        directions, _ = torch.linalg.qr(centred.T @ (centred @ directions))
    inside = centred @ directions
    # In double precision: nearly equal eigenvalues have made single precision fail.
    spread, turn = torch.linalg.eigh((inside.T @ inside / len(inside)).double())
    unit = torch.rsqrt(spread[-kept:].clamp(min=1e-6).mean()).float()
    basis: torch.Tensor = (directions @ turn[:, -kept:].float()).T * (unit * scale)
    return basis


def project(level: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
    """Return windows `(n, rows, columns, channels)` along a basis: `(n, rows, columns, kept) float16`."""
    # In parts, so that only little of it is in single precision at any time.
    return torch.cat([(part.float() @ basis.T).half() for part in torch.split(level, _CHUNK_WINDOWS)])
