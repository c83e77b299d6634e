"""Teaches a made-up frame, so that the first real one finds everything loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cloud.datasets.frames import LabelledBox, LabelledFrame, PictureSource
from cloud.training.config import TrainConfig
from cloud.training.session import TeachingSession

_SIZE_PX = 128
_STEPS = 2


def warm_up(config: TrainConfig) -> None:
    """Load the subnets of `config`, and what learning needs beside them; takes a second or two.

    Raises:
        ElfowlError: They cannot be loaded; whoever teaches with them is told the same.
    """
    source = PictureSource(Path("made-up.png"))
    box = LabelledBox("thing", (0.25, 0.25, 0.75, 0.75))
    few = replace(config, cache_dir=None, views_per_frame=1, min_steps=_STEPS, max_steps=_STEPS)
    session = TeachingSession(["thing"], few)
    session.put_frame(
        LabelledFrame(source, _SIZE_PX, _SIZE_PX, (box,)), np.zeros((_SIZE_PX, _SIZE_PX, 3), np.uint8)
    )
    session.update(lambda _: None, lambda: False, soon=True)
