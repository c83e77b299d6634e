"""The real agent as a process that faults are done to.

`python -m tests.fakes.faulted_agent CONFIG FOLDER`

Cameras named by an rtsp:// address are opened as the agent opens them; the source `squares` is a camera made
here. Either way the detector is the one that sees red squares. FOLDER gets `<camera>.seen`: a line of
monotonic seconds for each picture with a square that the camera's thread took. A number of seconds in
FOLDER/clock puts the wall clock wrong by so much.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from edge_agent.agent.parts import capture_of, real_parts
from edge_agent.agent.runner import Agent
from edge_agent.camera.capture import CaptureHealth
from edge_agent.camera.frame import Frame
from edge_agent.camera.picture_source import PictureSource
from edge_agent.clock import SystemClock
from edge_agent.config import CameraConfig, load_config
from tests.fakes.squares import SquareCamera, SquareDetector, open_square_bundle

PERIOD_S = 5.0
SEEN_S = 2.0


class WrongClock(SystemClock):
    """A wall clock that is wrong by what stands in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now_s(self) -> float:
        try:
            return super().now_s() + float(self._file.read_text())
        except (OSError, ValueError):
            return super().now_s()


class Witness:
    """Implements `PictureSource`: passes pictures on, and writes down when there was a square."""

    def __init__(self, source: PictureSource, file: Path) -> None:
        self._source = source
        self._file = file
        self._eye = SquareDetector()

    def start(self) -> None:
        self._source.start()

    def latest(self, timeout_s: float) -> Frame | None:
        frame = self._source.latest(timeout_s)
        if frame is not None and self._eye.detect(frame.rgb):
            with self._file.open("a") as file:
                file.write(f"{frame.monotonic_s}\n")
        return frame

    def health(self) -> CaptureHealth:
        return self._source.health()

    def close(self) -> None:
        self._source.close()


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    config = load_config(Path(sys.argv[1]))
    folder = Path(sys.argv[2])
    parts = real_parts(config.cloud.ca_file if config.cloud is not None else None)
    clock = WrongClock(folder / "clock")

    def open_camera(camera: CameraConfig) -> PictureSource:
        source: PictureSource = (
            SquareCamera(clock, fps=camera.fps, seen_s=SEEN_S, period_s=PERIOD_S)
            if camera.source == "squares"
            else capture_of(camera, clock, parts.rng)
        )
        return Witness(source, folder / f"{camera.name}.seen")

    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stopping.set())
    world = replace(
        parts,
        clock=clock,
        open_camera=open_camera,
        open_bundle=open_square_bundle,
        base_bundle=lambda _config, _clock: Path("squares.zip"),
    )
    Agent(config, world).run(stopping)


if __name__ == "__main__":
    main()
