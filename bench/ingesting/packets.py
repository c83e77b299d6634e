"""As much of MQTT 3.1.1 as a simulated device speaks: joins, hears one topic, publishes with QoS 1; pure.

A client library for each of a thousand devices costs more than the cloud that is measured beside them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

PUBLISH, PUBACK, SUBACK, CONNACK = 0x30, 0x40, 0x90, 0x20
_CONNECT, _SUBSCRIBE, _DISCONNECT = 0x10, 0x82, 0xE0
_CLEAN = 0x02
_QOS_1 = 0x02


def connect(client_id: str, keep_alive_s: int = 3600) -> bytes:
    """Return the packet that opens a clean session."""
    return _packet(
        _CONNECT, _text("MQTT") + bytes([4, _CLEAN]) + struct.pack("!H", keep_alive_s) + _text(client_id)
    )


def subscribe(topic: str) -> bytes:
    """Return the packet that subscribes to a topic with QoS 1."""
    return _packet(_SUBSCRIBE, struct.pack("!H", 1) + _text(topic) + bytes([1]))


def publish(topic: str, payload: bytes, packet_id: int) -> bytes:
    """Return the packet that publishes with QoS 1."""
    return _packet(PUBLISH | _QOS_1, _text(topic) + struct.pack("!H", packet_id) + payload)


def puback(packet_id: bytes) -> bytes:
    """Return the packet that confirms what was published to us; its id as it came."""
    return _packet(PUBACK, packet_id)


def disconnect() -> bytes:
    """Return the packet that says goodbye."""
    return _packet(_DISCONNECT, b"")


def published(flags: int, body: bytes) -> tuple[bytes, bytes | None]:
    """Return the payload of a packet that was published to us, and its id where it wants to be confirmed."""
    (length,) = struct.unpack_from("!H", body)
    start = 2 + length
    if not flags & 0x06:
        return body[start:], None
    return body[start + 2 :], body[start : start + 2]


def taken(buffer: bytearray) -> Iterator[tuple[int, int, bytes]]:
    """Take the packets that are whole out of what was read: kind, flags, body."""
    while (found := _head(buffer)) is not None:
        start, length = found
        if len(buffer) < start + length:
            return
        first, body = buffer[0], bytes(buffer[start : start + length])
        del buffer[: start + length]
        yield first & 0xF0, first & 0x0F, body


def _head(buffer: bytearray) -> tuple[int, int] | None:
    length, shift = 0, 0
    for place in range(1, min(len(buffer), 5)):
        length |= (buffer[place] & 0x7F) << shift
        shift += 7
        if not buffer[place] & 0x80:
            return place + 1, length
    return None


def _packet(first: int, body: bytes) -> bytes:
    head, left = bytearray([first]), len(body)
    while True:
        left, low = left >> 7, left & 0x7F
        head.append(low | 0x80 if left else low)
        if not left:
            return bytes(head) + body


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("!H", len(data)) + data
