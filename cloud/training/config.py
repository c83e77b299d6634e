"""What training can be told, and what it tells while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edge_agent.errors import ElfowlError
from edge_agent.wire.detection import DetectorRef

Stage = Literal["reading", "looking", "learning", "checking"]


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one training; the defaults are what the benchmark `create` measures.

    Attributes:
        ref: Which detector and version comes out.
        seed: Same seed, frames and settings give the same detector, as long as `budget_s` is not reached.
        budget_s: After this the learning rate is brought down early and training ends; checks come on top. On
            a machine too slow to look at the pictures within their share of it, learning keeps its own.
        threads: Threads for looking at pictures and for the folds; each uses one core.
        cache_dir: Where features of pictures are kept from one training to the next; none keeps nothing.
        cache_bytes: How much may be kept there; the longest unused goes first.
        subnets: Names of the pretrained subnets to build on.
        views_per_frame: Random network inputs made of each picture, twice as many where objects or input are
            not fit for tiles; fewer when there are many pictures.
        max_views: Over all pictures, so that hundreds of pictures do not take hundreds of times longer.
        long_side_px: Longer side of the network's input at most; large objects get a smaller input.
        epochs: How often each window is seen.
        min_steps: However few the windows are.
        max_steps: However many the windows are.
        batch: Windows in one step.
        learning_rate: Peak of the one-cycle schedule.
        folds: Parts of the cross-validation when there are few frames; 0 holds nothing out, however many
            there are, so that there is no quality.
        fold_steps_share: Steps of a run that only checks, as a share of those of the run that counts.
        sparsity: Price of an open gate where several subnets are combined.
    """

    ref: DetectorRef = field(default_factory=lambda: DetectorRef(id="untitled", name="untitled", version=1))
    seed: int = 0
    budget_s: float = 45.0
    threads: int = 2
    cache_dir: Path | None = None
    cache_bytes: int = 2_000_000_000
    subnets: tuple[str, ...] = ("ssd_mobilenet_v2",)
    views_per_frame: int = 4
    max_views: int = 200
    long_side_px: int = 640
    epochs: int = 2
    min_steps: int = 150
    max_steps: int = 600
    batch: int = 16
    learning_rate: float = 4e-3
    folds: int = 3
    fold_steps_share: float = 0.4
    sparsity: float = 0.02


@dataclass(frozen=True)
class Progress:
    """Where training stands: `fraction` 0..1 over all of it, `seconds_left` once it can be estimated.

    `loss` is the newest of the run that makes the detector, while it learns.
    """

    stage: Stage
    fraction: float
    message: str
    seconds_left: float | None = None
    loss: float | None = None


class CancelledError(ElfowlError):
    """The person asked training to stop; nothing was kept but cached features."""
