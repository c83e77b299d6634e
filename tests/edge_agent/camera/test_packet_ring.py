"""The ring of packets keeps what can be decoded, and no more than it may."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.camera.packet_ring import PacketRing, StreamPacket


def packet(at_s: float, *, key: bool = False, size: int = 10) -> StreamPacket:
    return StreamPacket(at_s, int(at_s * 10), int(at_s * 10), key, b"x" * size)


def filled(ring: PacketRing, count: int, *, group: int = 5) -> PacketRing:
    for n in range(count):
        ring.add(packet(float(n), key=n % group == 0))
    return ring


def test_cut_begins_with_the_key_frame_before() -> None:
    ring = filled(PacketRing(20.0, 10_000), 18)
    assert [one.monotonic_s for one in ring.cut(7.0, 11.0)] == [5, 6, 7, 8, 9, 10, 11]


def test_cut_from_before_the_ring_begins_with_its_first_key_frame() -> None:
    ring = filled(PacketRing(8.0, 10_000), 30)
    times = [one.monotonic_s for one in ring.cut(0.0, 100.0)]
    assert times[0] <= 29 - 8
    assert (times[0] % 5, times[-1]) == (0, 29)


def test_ring_of_too_few_bytes_keeps_the_newest_groups() -> None:
    ring = filled(PacketRing(100.0, 70), 13)
    assert [one.monotonic_s for one in ring.cut(0.0, 100.0)] == [10, 11, 12]


def test_ring_smaller_than_one_group_keeps_nothing_and_goes_on() -> None:
    ring = filled(PacketRing(100.0, 25), 5)
    assert (ring.bytes, list(ring.cut(0.0, 100.0))) == (0, [])
    ring.add(packet(6.0))
    ring.add(packet(7.0, key=True))
    assert [one.monotonic_s for one in ring.cut(0.0, 100.0)] == [7.0]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=60))
def test_ring_of_any_stream_never_takes_more_than_it_may_and_can_be_decoded(
    steps: list[tuple[bool, int]],
) -> None:
    ring = PacketRing(7.0, 100)
    for n, (key, size) in enumerate(steps):
        ring.add(packet(float(n), key=key, size=size))
        kept = ring.cut(-1.0, 1_000.0)
        assert sum(len(one.data) for one in kept) == ring.bytes <= 100
        assert not kept or kept[0].is_key
