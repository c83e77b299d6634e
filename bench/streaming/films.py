"""Films at 360p and five pictures a second: one in which people always walk, and some that mostly rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from bench.creating.lessons import Lessons
from cloud.datasets.pictures import read_pictures
from edge_agent.vision.arrays import Rgb
from edge_agent.vision.resize import resize

FPS = 5
WIDTH_PX, HEIGHT_PX = 480, 360
MOVING_S, FILM_S = 6, 60
"""Of each minute of a film that mostly rests, people walk for so long."""

VARIANTS = FILM_S // MOVING_S
"""Films that move at different times, so that a tenth of all streams moves at any time."""

_NOISE = 2.0


def write_films(lessons: Lessons, folder: Path, *, variants: int = VARIANTS) -> dict[str, list[Path]]:
    """Write the films of both kinds; return their paths by kind."""
    moving = list(_moving(lessons))
    folder.mkdir(parents=True, exist_ok=True)
    busy = _write(folder / "busy.mp4", moving)
    quiet = [
        _write(folder / f"quiet{number}.mp4", list(_resting(moving[: MOVING_S * FPS], number)))
        for number in range(variants)
    ]
    return {"busy": [busy], "quiet": quiet}


def _moving(lessons: Lessons) -> Iterator[Rgb]:
    sources = [frame.source for frame in lessons.test[: MOVING_S * FPS]]
    for _, rgb in read_pictures(sources):
        yield resize(rgb, WIDTH_PX, HEIGHT_PX)


def _resting(moving: Sequence[Rgb], number: int) -> Iterator[Rgb]:
    """Yield a minute that moves in its part of that number, and trembles as a camera's picture does else."""
    rng = np.random.default_rng(number)
    still = moving[0].astype(np.float32)
    for picture in range(FILM_S * FPS):
        part, place = divmod(picture, MOVING_S * FPS)
        if part == number:
            yield moving[place % len(moving)]
        else:
            noise = rng.normal(0.0, _NOISE, (HEIGHT_PX, WIDTH_PX, 1)).astype(np.float32)
            yield np.clip(still + noise, 0, 255).astype(np.uint8)


def _write(path: Path, pictures: Sequence[Rgb]) -> Path:
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=FPS, options={"g": str(2 * FPS), "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        for number, rgb in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path
