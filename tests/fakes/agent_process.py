"""The real agent as a process, looking at red squares.

`python -m tests.fakes.agent_process CONFIG LOG BUNDLE`

LOG gets a line of UTC seconds for each moment at which a square was in view. While a file CAMERA.dead stands
beside it, that camera gives nothing. BUNDLE names what `open_square_bundle` opens.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from edge_agent.agent.parts import real_parts
from edge_agent.agent.runner import Agent
from edge_agent.camera.frame import Frame
from edge_agent.config import CameraConfig, load_config
from tests.fakes.squares import SquareCamera, open_square_bundle


class LoggedCamera(SquareCamera):
    """Writes down when a square was there."""

    log: Path
    dead: Path

    def latest(self, timeout_s: float) -> Frame | None:
        self.offline = "no pictures come" if self.dead.exists() else None
        frame = super().latest(timeout_s)
        if frame is not None and (frame.rgb[..., 1] == 0).any():
            with self.log.open("a") as file:
                file.write(f"{frame.time_s}\n")
        return frame


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    config = load_config(Path(sys.argv[1]))
    parts = real_parts()
    log, bundle = Path(sys.argv[2]), Path(sys.argv[3])

    def open_camera(config: CameraConfig) -> LoggedCamera:
        # A thing counts as gone 3 s after its last sight: nothing is there for longer than that.
        camera = LoggedCamera(parts.clock, period_s=6.0)
        camera.log, camera.dead = log, log.with_name(f"{config.name}.dead")
        return camera

    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stopping.set())
    world = replace(
        parts,
        open_camera=open_camera,
        open_bundle=open_square_bundle,
        base_bundle=lambda _config, _clock: bundle,
    )
    Agent(config, world).run(stopping)


if __name__ == "__main__":
    main()
