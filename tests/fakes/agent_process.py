"""The real agent as a process, looking at red squares: `python -m tests.fakes.agent_process CONFIG LOG`.

LOG gets a line of UTC seconds for each moment at which a square was in view.
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
from edge_agent.config import load_config
from tests.fakes.squares import SquareCamera, open_square_bundle


class LoggedCamera(SquareCamera):
    """Writes down when a square was there."""

    log: Path

    def latest(self, timeout_s: float) -> Frame | None:
        frame = super().latest(timeout_s)
        if frame is not None and (frame.rgb[..., 1] == 0).any():
            with self.log.open("a") as file:
                file.write(f"{frame.time_s}\n")
        return frame


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    config = load_config(Path(sys.argv[1]))
    parts = real_parts()
    camera = LoggedCamera(parts.clock)
    camera.log = Path(sys.argv[2])
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stopping.set())
    world = replace(
        parts,
        open_camera=lambda _config: camera,
        open_bundle=open_square_bundle,
        base_bundle=lambda _config, _clock: Path("squares.zip"),
    )
    Agent(config, world).run(stopping)


if __name__ == "__main__":
    main()
