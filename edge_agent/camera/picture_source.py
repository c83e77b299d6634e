"""What a camera's thread needs of whoever brings pictures."""

from __future__ import annotations

from typing import Protocol

from edge_agent.camera.capture import CaptureHealth
from edge_agent.camera.frame import Frame


class PictureSource(Protocol):
    """What is needed of a `Capture`."""

    def start(self) -> None:
        """Begin to read."""
        ...

    def latest(self, timeout_s: float) -> Frame | None:
        """Return the newest picture."""
        ...

    def health(self) -> CaptureHealth:
        """Return how the camera is."""
        ...

    def close(self) -> None:
        """Stop reading."""
        ...
