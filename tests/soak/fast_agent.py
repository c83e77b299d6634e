"""The real agent in a world that runs 50 times as fast: `python -m tests.soak.fast_agent CONFIG SPEED`.

Beside CONFIG, `sent.log` gets a line for each event handed to the broker: real monotonic seconds, id, type.
While `hold` stands there, the world stands still: with a red square if it says `1`, without if it says `0`.
"""

from __future__ import annotations

import json
import logging
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from edge_agent.agent.parts import real_parts
from edge_agent.agent.runner import Agent
from edge_agent.camera.frame import Frame
from edge_agent.clock import SystemClock
from edge_agent.config import CameraConfig, load_config
from edge_agent.report.link import Broker, Link, LinkEvents, Message, MqttLink
from tests.fakes.squares import SquareCamera, open_square_bundle, square_picture

FPS = 2.0
SEEN_S, PERIOD_S = 8.0, 30.0


class FastClock:
    """A clock of which one second is `speed` seconds."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._system = SystemClock()
        self._begun_s = self._system.monotonic_s()
        self._began_at_s = self._system.now_s()

    def now_s(self) -> float:
        return self._began_at_s + self.monotonic_s()

    def monotonic_s(self) -> float:
        return (self._system.monotonic_s() - self._begun_s) * self._speed

    def sleep(self, seconds: float) -> None:
        self._system.sleep(seconds / self._speed)


class HeldCamera(SquareCamera):
    """Squares that come and go, unless the world is held."""

    hold: Path

    def latest(self, timeout_s: float) -> Frame | None:
        frame = super().latest(timeout_s)
        try:
            held = self.hold.read_text()
        except OSError:
            return frame
        if frame is None or not held:
            return frame
        return replace(frame, rgb=square_picture(20 if held == "1" else None))


class NotedLink:
    """A link that writes down which events it took."""

    def __init__(self, link: Link, log: Path) -> None:
        self._link = link
        self._log = log

    @property
    def connected(self) -> bool:
        return self._link.connected

    @property
    def reason(self) -> str:
        return self._link.reason

    def publish(self, message: Message, on_ack: Callable[[bool], None] | None = None) -> bool:
        taken = self._link.publish(message, on_ack)
        if taken and message.topic.endswith("/event"):
            event = json.loads(message.payload)
            with self._log.open("a") as file:
                file.write(f"{time.monotonic()} {event['id']} {event['event_type']}\n")
        return taken

    def start(self, events: LinkEvents) -> None:
        self._link.start(events)

    def stop(self, farewell: Sequence[Message] = ()) -> None:
        self._link.stop(farewell)


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    file, speed = Path(sys.argv[1]), float(sys.argv[2])
    config = load_config(file)
    clock = FastClock(speed)

    def open_camera(_config: CameraConfig) -> HeldCamera:
        camera = HeldCamera(clock, fps=FPS, seen_s=SEEN_S, period_s=PERIOD_S)
        camera.hold = file.with_name("hold")
        return camera

    def connect(broker: Broker, will: Message, subscriptions: Sequence[str]) -> Link:
        # The network is as slow as ever.
        link = MqttLink(
            broker, will=will, subscriptions=subscriptions, clock=SystemClock(), rng=random.Random(1)
        )
        return NotedLink(link, file.with_name("sent.log"))

    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stopping.set())
    world = replace(
        real_parts(),
        clock=clock,
        connect=connect,
        open_camera=open_camera,
        open_bundle=open_square_bundle,
        base_bundle=lambda _config, _clock: Path("squares.zip"),
        farewell_s=2.0 * speed,
    )
    Agent(config, world).run(stopping)


if __name__ == "__main__":
    main()
