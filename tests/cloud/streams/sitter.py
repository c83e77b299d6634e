"""A process that sits at a seat and does nothing: `python -m tests.cloud.streams.sitter SEAT`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from cloud.streams.seats import Sitting
from edge_agent.clock import SystemClock

if __name__ == "__main__":
    sitting = Sitting(Path(sys.argv[1]), SystemClock())
    sys.stdout.write("sits\n")
    sys.stdout.flush()
    signal.pause()
