"""Cameras as far as a live wall can tell: they send pictures while somebody looks."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.wire.live import LivePicture, LookWanted


class ShownCameras(ABC):
    """Hears what is wanted of the cameras of devices, and sends it in turns, from a thread of its own."""

    def __init__(self, port: int, every_s: float) -> None:
        """Connect to the broker at a port of this machine."""
        self.sent = self.turn = 0
        self._every_s = every_s
        self._wishes: dict[tuple[str, str], LookWanted] = {}
        self._stopping = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="shown-cameras")
        self._client.on_connect = lambda client, *_: client.subscribe("elfowl/+/down/look")
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    @abstractmethod
    def picture(self, device: str, wanted: LookWanted) -> LivePicture | None:
        """Return what a camera of a device shows in this `turn`; none: nothing."""

    def close(self) -> None:
        """Send no more."""
        self._stopping.set()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        device = message.topic.split("/")[1]
        wanted = LookWanted.from_json(bytes(message.payload))
        self._wishes[device, wanted.camera] = wanted

    def _send(self) -> None:
        while not self._stopping.wait(self._every_s):
            self.turn += 1
            for (device, _), wanted in list(self._wishes.items()):
                picture = self.picture(device, wanted)
                if picture is not None:
                    self._client.publish(f"elfowl/{device}/up/look", picture.to_json())
                    self.sent += 1
