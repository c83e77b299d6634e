"""Recordings taken picture by picture, for a try that leaves none out."""

from __future__ import annotations

from collections.abc import Iterator

from edge_agent.camera.capture import CaptureHealth
from edge_agent.camera.frame import Frame, FrameSource
from edge_agent.clock import Clock


class EveryPicture:
    """Gives each picture of a recording once, when asked; otherwise like a `Capture`."""

    def __init__(self, source: FrameSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._frames: Iterator[Frame] | None = iter(source)
        self._started_s = clock.monotonic_s()
        self._since_s = clock.now_s()
        self._given = 0
        self._finished = False

    def start(self) -> None:
        """Begin; nothing to do."""

    def latest(self, timeout_s: float) -> Frame | None:
        """Return the next picture; at the end none, after `timeout_s`.

        Raises:
            CameraError: The recording is damaged here.
        """
        frame = None
        if self._frames is not None:
            frames, self._frames = self._frames, None
            frame = next(frames, None)
            self._frames = frames if frame is not None else None
        if frame is None:
            self._finished = True
            self._clock.sleep(timeout_s)
            return None
        self._given += 1
        return frame

    def health(self) -> CaptureHealth:
        """Return how it is."""
        passed_s = max(self._clock.monotonic_s() - self._started_s, 1e-3)
        reason = "the recording ended" if self._finished else "pictures are coming"
        return CaptureHealth(
            "offline" if self._finished else "online",
            reason,
            self._since_s,
            fps=self._given / passed_s,
            frames=self._given,
            finished=self._finished,
        )

    def close(self) -> None:
        """Let go of the file."""
        self._source.close()
