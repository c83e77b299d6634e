"""Simulated devices at a broker: each has its own connection, and sends again what nobody acknowledged.

A process of its own: `python -m bench.ingesting.crowd PORT DEVICES BATCHES EVENTS LIMIT_S`. It says when all
have joined, begins at a line on standard input, and ends with a line of JSON (`Played`).
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from bench.ingesting import packets
from edge_agent.errors import LinkError
from edge_agent.wire.detection import DetectorRef, FrameSize
from edge_agent.wire.event import Event, EventClock, TrackSummary
from edge_agent.wire.sync import Ack, BatchItem, EventBatch
from edge_agent.wire.topics import Topics

_AGAIN_S = 20.0
_LOOK_S = 1.0
_PATIENCE_S = 60.0
_READ_BYTES = 65_536
_PACKET_IDS = 65_535


@dataclass(frozen=True)
class Played:
    """How long it took, of how much processor time of the crowd, and how many batches were acknowledged."""

    took_s: float
    cpu_s: float
    acked: int


@dataclass(eq=False)
class _Device:
    name: str
    line: socket.socket
    batches: Sequence[bytes]
    ends: Sequence[int]
    acked: int = 0
    packet_id: int = 0
    sent_s: float = 0.0
    unread: bytearray = field(default_factory=bytearray)

    @property
    def done(self) -> bool:
        return self.acked >= len(self.batches)

    def send(self, now_s: float) -> None:
        self.packet_id = self.packet_id % _PACKET_IDS + 1
        topic = Topics(self.name).up_events
        self.line.sendall(packets.publish(topic, self.batches[self.acked], self.packet_id))
        self.sent_s = now_s

    def read(self) -> None:
        """Take what came; raises `LinkError` when the broker hung up."""
        data = self.line.recv(_READ_BYTES)
        if not data:
            message = f"{self.name}: the broker hung up"
            raise LinkError(message)
        self.unread += data
        for kind, flags, body in packets.taken(self.unread):
            if kind == packets.PUBLISH:
                self._hear(flags, body)

    def _hear(self, flags: int, body: bytes) -> None:
        payload, packet_id = packets.published(flags, body)
        if packet_id is not None:
            self.line.sendall(packets.puback(packet_id))
        seq = Ack.from_json(payload).seq
        while not self.done and self.ends[self.acked] <= seq:
            self.acked += 1


def names_of(count: int) -> list[str]:
    """Return the names of so many devices."""
    return [f"sim-{number:05d}" for number in range(count)]


def batches_of(device: str, batches: int, events: int) -> list[bytes]:
    """Return what a device sends: batches of so many events, each a thing of its own."""
    found = []
    for number in range(batches):
        first = number * events + 1
        items = tuple(BatchItem(seq=seq, event=_event(device, seq)) for seq in range(first, first + events))
        found.append(EventBatch(device=device, epoch=f"bench-{device}", items=items).to_json().encode())
    return found


def join(port: int, devices: Sequence[str], batches: int, events: int) -> list[_Device]:
    """Return devices that are connected to a broker on loopback and hear their acknowledgements."""
    return [_joined(port, name, batches_of(name, batches, events), events) for name in devices]


def play(crowd: Sequence[_Device], *, limit_s: float) -> Played:
    """Let all devices send all they have, one batch after the other.

    Args:
        crowd: All of them.
        limit_s: Give up after so long.
    """
    selector = selectors.DefaultSelector()
    for device in crowd:
        selector.register(device.line, selectors.EVENT_READ, device)
    started_s, cpu_s = time.perf_counter(), time.process_time()
    for device in crowd:
        device.send(started_s)
    busy, looked_s = set(crowd), started_s
    while busy and (now_s := time.perf_counter()) - started_s < limit_s:
        for key, _ in selector.select(_LOOK_S):
            _go_on(key.data, busy, now_s)
        if now_s - looked_s > _LOOK_S:
            looked_s = now_s
            for device in busy:
                if now_s - device.sent_s > _AGAIN_S:
                    device.send(now_s)
    took_s = time.perf_counter() - started_s
    selector.close()
    return Played(took_s, time.process_time() - cpu_s, sum(device.acked for device in crowd))


def _go_on(device: _Device, busy: set[_Device], now_s: float) -> None:
    before = device.acked
    device.read()
    if device.acked == before:
        return
    if device.done:
        busy.discard(device)
    else:
        device.send(now_s)


def _joined(port: int, name: str, batches: Sequence[bytes], events: int) -> _Device:
    line = socket.create_connection(("127.0.0.1", port), _PATIENCE_S)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    device = _Device(name, line, batches, [events * (number + 1) for number in range(len(batches))])
    line.sendall(packets.connect(name))
    _await(device, packets.CONNACK, 0)
    line.sendall(packets.subscribe(Topics(name).down_ack))
    _await(device, packets.SUBACK, 1)
    return device


def _await(device: _Device, wanted: int, code: int) -> None:
    while True:
        data = device.line.recv(_READ_BYTES)
        device.unread += data
        for kind, _, body in packets.taken(device.unread):
            if (kind, body[-1]) != (wanted, code):
                message = f"{device.name}: the broker refuses"
                raise LinkError(message)
            return
        if not data:
            message = f"{device.name}: the broker hung up"
            raise LinkError(message)


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


def main() -> None:
    """Play as the command line says."""
    port, count, batches, events = map(int, sys.argv[1:5])
    crowd = join(port, names_of(count), batches, events)
    sys.stdout.write("joined\n")
    sys.stdout.flush()
    sys.stdin.readline()
    played = play(crowd, limit_s=float(sys.argv[5]))
    sys.stdout.write(json.dumps(asdict(played)) + "\n")
    sys.stdout.flush()
    for device in crowd:
        device.line.sendall(packets.disconnect())
        device.line.close()


if __name__ == "__main__":
    main()
