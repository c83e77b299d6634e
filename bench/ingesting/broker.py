"""A real Mosquitto on loopback, with nobody at it."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROGRAM = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
_START_S = 30.0


@dataclass(frozen=True)
class Running:
    """A broker: where it listens, and which process it is."""

    port: int
    process_id: int


@contextmanager
def mosquitto(folder: Path) -> Iterator[Running]:
    """Run a broker, and yield it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "max_queued_messages 0"]
    config = folder / "mosquitto.conf"
    config.write_text("\n".join([*lines, f"user {getpass.getuser()}", ""]))
    with subprocess.Popen([_PROGRAM, "-c", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield Running(port, process.pid)
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    until_s = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.05)
        else:
            return
