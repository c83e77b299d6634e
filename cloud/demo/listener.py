"""Counts what cameras publish on the home broker, as any automation would see it."""

from __future__ import annotations

import hashlib
import threading

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.wire.topics import DEFAULT_PREFIX

_EVENTS = f"{DEFAULT_PREFIX}/+/cam/+/event"


class EventListener:
    """Hears every event; what a broker delivers twice counts once."""

    def __init__(self, port: int) -> None:
        self._lock = threading.Lock()
        self._seen: set[bytes] = set()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        self._client.on_connect = lambda client, *_: client.subscribe(_EVENTS, qos=1)
        self._client.on_message = self._hear
        self._client.reconnect_delay_set(1, 2)
        self._client.connect_async("127.0.0.1", port, keepalive=15)
        self._client.loop_start()

    @property
    def count(self) -> int:
        """Return how many different event documents were heard."""
        with self._lock:
            return len(self._seen)

    def close(self) -> None:
        """Hang up."""
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        with self._lock:
            self._seen.add(hashlib.sha256(message.payload).digest())
