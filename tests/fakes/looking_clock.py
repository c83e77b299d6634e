"""A clock by which a camera looks while somebody waits."""

from __future__ import annotations

from edge_agent.agent.local_detector import LocalDetector
from edge_agent.errors import BackendError
from tests.fakes.clock import FakeClock
from tests.fakes.squares import square_picture


class LookingClock(FakeClock):
    """Each time that somebody sleeps, the camera's detector looks once."""

    def __init__(self, detector: LocalDetector) -> None:
        super().__init__()
        self._detector = detector

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        try:
            self._detector.detect(square_picture(0))
        except BackendError:
            return
