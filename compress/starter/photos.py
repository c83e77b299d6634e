"""Photos from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_agent.errors import ConfigError
from edge_agent.vision.arrays import Rgb


def read_photo(path: Path) -> Rgb:
    """Return a photo `(h, w, 3) uint8`.

    Raises:
        ConfigError: It cannot be read.
    """
    import cv2

    bgr = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        message = f"{path} is no picture"
        raise ConfigError(message)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
