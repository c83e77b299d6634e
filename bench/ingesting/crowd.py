"""Simulated devices at a broker: each has its own connection, and sends again what nobody acknowledged."""

from __future__ import annotations

import selectors
import time
from collections.abc import Sequence
from dataclasses import dataclass

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.errors import LinkError
from edge_agent.wire.detection import DetectorRef, FrameSize
from edge_agent.wire.event import Event, EventClock, TrackSummary
from edge_agent.wire.sync import Ack, BatchItem, EventBatch
from edge_agent.wire.topics import Topics

_AGAIN_S = 20.0
_POLL_S = 0.05
_QOS = 1


@dataclass
class _Device:
    name: str
    client: Client
    batches: Sequence[bytes]
    ends: Sequence[int]
    sent: int = 0
    acked: int = 0
    sent_s: float = 0.0

    @property
    def done(self) -> bool:
        return self.acked >= len(self.batches)

    def send(self, now_s: float) -> None:
        topic = Topics(self.name).up_events
        self.client.publish(topic, self.batches[self.acked], qos=_QOS)
        self.sent, self.sent_s = self.acked + 1, now_s


def batches_of(device: str, batches: int, events: int) -> list[bytes]:
    """Return what a device sends: batches of so many events, each a thing of its own."""
    found = []
    for number in range(batches):
        first = number * events + 1
        items = tuple(BatchItem(seq=seq, event=_event(device, seq)) for seq in range(first, first + events))
        found.append(EventBatch(device=device, epoch=f"bench-{device}", items=items).to_json().encode())
    return found


def play(port: int, devices: Sequence[str], batches: int, events: int, *, limit_s: float) -> float:
    """Let all devices send all they have, one batch after the other; return how many seconds that took.

    Args:
        port: Of the broker on loopback.
        devices: Their names.
        batches: Of each.
        events: In a batch.
        limit_s: Give up after so long.
    """
    selector = selectors.DefaultSelector()
    crowd = [_joined(port, name, batches_of(name, batches, events), events, selector) for name in devices]
    started_s = time.perf_counter()
    for device in crowd:
        device.send(started_s)
    while not all(device.done for device in crowd):
        now_s = time.perf_counter()
        if now_s - started_s > limit_s:
            break
        for key, _ in selector.select(_POLL_S):
            key.data.client.loop_read()
        for device in crowd:
            _go_on(device, now_s)
    took_s = time.perf_counter() - started_s
    for device in crowd:
        device.client.disconnect()
    selector.close()
    return took_s


def _go_on(device: _Device, now_s: float) -> None:
    if not device.done and (device.sent == device.acked or now_s - device.sent_s > _AGAIN_S):
        device.send(now_s)
    if device.client.want_write():
        device.client.loop_write()


def _joined(
    port: int, name: str, batches: Sequence[bytes], events: int, selector: selectors.BaseSelector
) -> _Device:
    client = Client(CallbackAPIVersion.VERSION2, client_id=name)
    ends = [events * (number + 1) for number in range(len(batches))]
    device = _Device(name, client, batches, ends)

    def hear(_client: Client, _data: object, message: MQTTMessage) -> None:
        seq = Ack.from_json(bytes(message.payload)).seq
        while not device.done and device.ends[device.acked] <= seq:
            device.acked += 1

    client.on_message = hear
    client.connect("127.0.0.1", port, keepalive=3600)
    while not client.is_connected():
        client.loop(0.1)
    subscribed: list[int] = []
    client.on_subscribe = lambda *_: subscribed.append(1)
    client.subscribe(Topics(name).down_ack, _QOS)
    while not subscribed:
        client.loop(0.1)
    line = client.socket()
    if line is None:
        message = f"{name}: the broker hung up"
        raise LinkError(message)
    selector.register(line.fileno(), selectors.EVENT_READ, device)
    return device


def _event(device: str, seq: int) -> Event:
    at_s = 1_800_000_000.0 + seq
    return Event(
        event_type="end",
        id=f"{device}-{seq:08d}",
        device=device,
        camera="front",
        label="person",
        score=0.8,
        top_score=0.9,
        box=(0.1, 0.2, 0.3, 0.4),
        frame_size=FrameSize(width_px=640, height_px=360),
        start_time=at_s,
        end_time=at_s + 1.0,
        frame_time=at_s + 1.0,
        track=TrackSummary(frames=3),
        detector=DetectorRef(id="d1", name="persons", version=1, precision="int8"),
        answered_by="local",
        clock=EventClock(boot_id="boot", monotonic_s=float(seq)),
    )
