"""The real agent as a process, and an ear that hears what is said on MQTT."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.wire.event import Event

SQUARES = (
    "device: porch\nprofile: x86-64\nbundle: starter\nmqtt: {{host: 127.0.0.1, port: {port}}}\n"
    "cameras:\n  - {{name: front, source: squares}}\n"
)


def retained(port: int) -> dict[str, bytes]:
    """Return everything that a broker keeps."""
    kept: dict[str, bytes] = {}
    complete = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2)

    def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        # What is kept comes before what is said later.
        if message.topic == "the/end":
            complete.set()
        elif message.retain:
            kept[message.topic] = bytes(message.payload)

    client.on_message = on_message
    client.on_subscribe = lambda client, *_: client.publish("the/end", "", 1)
    client.on_connect = lambda client, *_: client.subscribe("#", 1)
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert complete.wait(60.0)
    client.disconnect()
    client.loop_stop()
    return kept


class Ear:
    """Hears everything, with a session that the broker keeps."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self.changed = threading.Condition()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="ear", clean_session=False)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        with self.changed:
            self.heard.append((message.topic, bytes(message.payload), message.retain))
            self.changed.notify_all()

    def wait(self, condition: Callable[[], bool], timeout_s: float = 120.0) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, timeout_s), sorted({topic for topic, _, _ in self.heard})

    def payloads(self, topic: str) -> list[bytes]:
        return [payload for name, payload, _ in self.heard if name == topic]

    def last(self, topic: str) -> bytes | None:
        payloads = self.payloads(topic)
        return payloads[-1] if payloads else None

    def events(self) -> list[Event]:
        return [Event.from_json(payload) for payload in self.payloads("elfowl/porch/cam/front/event")]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class AgentProcess:
    """Looks at red squares; runs the text of a config file."""

    def __init__(self, folder: Path, config: str, bundle: str = "squares.zip") -> None:
        self.bundle = bundle
        self.log = folder / "squares.log"
        self.config = folder / "agent.yaml"
        self.config.write_text(config)
        self._output = (folder / "agent.log").open("ab")
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        files = [str(self.config), str(self.log), self.bundle]
        command = [sys.executable, "-m", "tests.fakes.agent_process", *files]
        return subprocess.Popen(command, stdout=self._output, stderr=self._output)

    def restart(self, config: str | None = None) -> None:
        """Start again after a kill, or an end by itself; with another config file when one is given."""
        if config is not None:
            self.config.write_text(config)
        self.process = self._start()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> int:
        """Let it end by itself."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(60)

    def stop(self) -> int:
        code = self.end()
        self._output.close()
        return code

    def clean_up(self) -> None:
        """Leave no process behind; not by a kill, or the next ones go into safe operation."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
        self._output.close()

    def visits(self) -> list[tuple[float, float]]:
        """Return when squares came and went, as far as they were long enough in view to be confirmed."""
        visits: list[list[float]] = []
        for moment in map(float, self.log.read_text().split()):
            if visits and moment - visits[-1][-1] < 1.0:
                visits[-1].append(moment)
            else:
                visits.append([moment])
        return [(times[0], times[-1]) for times in visits if times[-1] - times[0] > 1.0]
