"""Recordings for tests of sources."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

FPS = 10
PICTURES = 20


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video of 20 pictures, 160 by 120, 10 a second; each brighter than the one before."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for index in range(PICTURES):
            rgb = np.full((120, 160, 3), 10 + 10 * index, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a PNG, 80 by 60, red."""
    path = tmp_path_factory.mktemp("photos") / "photo.png"
    rgb = np.zeros((60, 80, 3), dtype=np.uint8)
    rgb[..., 0] = 200
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 80, 60, "rgb24"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode(None))
    return path
