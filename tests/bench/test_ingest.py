"""What a simulated device says to a broker, and how it reads what it hears."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.ingesting import packets

_SENT = st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=300), st.integers(1, 65_535)), max_size=5)


@given(sent=_SENT, cut=st.integers(1, 50))
def test_packets_are_read_as_they_were_written_however_the_stream_is_cut(
    sent: list[tuple[str, bytes, int]], cut: int
) -> None:
    stream = b"".join(packets.publish(topic, payload, number) for topic, payload, number in sent)
    buffer, heard = bytearray(), []
    for start in range(0, len(stream), cut):
        buffer += stream[start : start + cut]
        heard += [packets.published(flags, body) for _, flags, body in packets.taken(buffer)]
    assert heard == [(payload, number.to_bytes(2, "big")) for _, payload, number in sent]
    assert not buffer


@pytest.mark.parametrize("size_bytes", [0, 127, 128, 16_384, 2_097_152])
def test_length_of_a_packet_takes_as_many_bytes_as_it_needs(size_bytes: int) -> None:
    (found,) = packets.taken(bytearray(packets.publish("t", bytes(size_bytes), 7)))
    kind, flags, body = found
    assert kind == packets.PUBLISH
    assert packets.published(flags, body) == (bytes(size_bytes), b"\x00\x07")


def test_message_that_wants_no_confirmation_has_no_id() -> None:
    assert packets.published(0, b"\x00\x01tpayload") == (b"payload", None)


def test_packets_are_those_of_the_standard() -> None:
    assert packets.connect("ab", 60) == b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02ab"
    assert packets.subscribe("t") == b"\x82\x06\x00\x01\x00\x01t\x01"
    assert packets.puback(b"\x00\x07") == b"\x40\x02\x00\x07"
    assert packets.disconnect() == b"\xe0\x00"
