"""Devices are asked at the same time, and one that dawdles costs only itself."""

from __future__ import annotations

import threading

from edge_agent.discover.found import Device, Stream
from edge_agent.discover.survey import survey
from edge_agent.errors import CameraError
from tests.fakes.clock import FakeClock

STREAM = Stream("sub", "", "rtsp://192.0.2.1/sub", "H264", 640, 360, 15.0)
DEVICES = [Device(f"192.0.2.{n}", f"http://192.0.2.{n}/") for n in (1, 2, 3)]


class AnHourLater(FakeClock):
    """A clock that shows an hour more once the quick devices have answered."""

    def __init__(self) -> None:
        super().__init__()
        self.answered = threading.Event()
        self._looks = 0

    def monotonic_s(self) -> float:
        self._looks += 1
        if self._looks == 1:
            return 100.0
        assert self.answered.wait(60)
        return 3_700.0


def test_survey_of_devices_of_which_one_hangs_and_one_fails_tells_of_each() -> None:
    clock, released = AnHourLater(), threading.Event()

    def ask(device: Device, _seconds: float) -> tuple[str, list[Stream]]:
        if device == DEVICES[0]:
            released.wait(60)
        if device == DEVICES[1]:
            message = "192.0.2.2: wants a\n user"
            raise CameraError(message)
        clock.answered.set()
        return "Acme", [STREAM]

    hung, failed, well = survey(DEVICES, ask, clock)
    assert "takes too long" in hung.error
    released.set()
    assert failed.error == "192.0.2.2: wants a user"
    assert (well.model, [p.detect for p in well.proposals], well.error) == ("Acme", [STREAM], "")
