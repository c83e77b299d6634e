"""A real Mosquitto, and an ear at it that notes when each event was heard."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.wire.event import Event

_PROGRAM = shutil.which("mosquitto") or "/usr/sbin/mosquitto"


class HeardBroker:
    """Use as a context manager; `heard` are (monotonic seconds, event)."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._config = folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", "set_tcp_nodelay true"]
        self._config.write_text("\n".join([*lines, f"user {getpass.getuser()}", ""]))
        self.heard: list[tuple[float, Event]] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([_PROGRAM, "-c", str(self._config)], stderr=subprocess.DEVNULL)
        self._ear = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._ear.on_connect = lambda client, *_: client.subscribe("elfowl/#", 1)
        self._ear.on_message = self._on_message
        for _ in range(100):
            time.sleep(0.05)
            try:
                self._ear.connect("127.0.0.1", self.port)
                break
            except ConnectionRefusedError:
                continue
        self._ear.loop_start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ear.disconnect()
        self._ear.loop_stop()
        self._process.terminate()
        self._process.wait(10)

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        now_s = time.monotonic()
        if message.topic.endswith("/event"):
            self.heard.append((now_s, Event.from_json(bytes(message.payload))))
