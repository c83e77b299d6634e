"""Which worker gets which stream."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cloud.streams.placement import Placed, cost_of, place, to_move


def stream(number: int, detectors: str = "a", holder: str | None = None, cost: float = 5.0) -> Placed:
    return Placed(f"str_{number}", frozenset(detectors), cost, holder)


def test_stream_goes_to_the_worker_that_looks_with_its_detectors_already() -> None:
    streams = [stream(1, "a", "w1"), stream(2, "b", "w2"), stream(3, "b")]
    assert place(streams, ["w1", "w2"]) == {"str_3": "w2"}


def test_affinity_gives_way_when_the_other_worker_has_clearly_less_to_do() -> None:
    streams = [stream(1, "a", "w1"), stream(2, "a", "w1"), stream(3, "a")]
    assert place(streams, ["w1", "w2"]) == {"str_3": "w2"}


def test_holder_that_died_counts_as_none() -> None:
    assert place([stream(1, holder="dead")], ["w1"]) == {"str_1": "w1"}
    assert place([stream(1, holder="dead")], []) == {}


def test_uneven_workers_even_out_one_stream_at_a_time_and_then_rest() -> None:
    streams = [stream(number, holder="w1") for number in range(5)]
    for _ in range(10):
        moved = to_move(streams, ["w1", "w2"])
        if moved is None:
            break
        freed = [
            Placed(s.stream_id, s.detectors, s.cost, None if s.stream_id == moved else s.holder)
            for s in streams
        ]
        places = place(freed, ["w1", "w2"])
        streams = [Placed(s.stream_id, s.detectors, s.cost, places.get(s.stream_id, s.holder)) for s in freed]
    assert sorted(Counter(s.holder for s in streams).values()) == [2, 3]
    assert to_move([*streams, stream(9)], ["w1", "w2"]) is None, "nothing moves while something waits"


@given(
    st.lists(
        st.tuples(st.sets(st.sampled_from("abcd"), min_size=1), st.sampled_from([None, "w1", "w2", "gone"]))
    ),
    st.sets(st.sampled_from(["w1", "w2", "w3"]), min_size=1),
)
def test_every_free_stream_gets_one_living_worker_whatever_order_they_come_in(
    given_streams: list[tuple[set[str], str | None]], workers: set[str]
) -> None:
    streams = [
        Placed(f"str_{number}", frozenset(detectors), cost_of(5.0, len(detectors)), holder)
        for number, (detectors, holder) in enumerate(given_streams)
    ]
    places = place(streams, sorted(workers))
    assert set(places) == {one.stream_id for one in streams if one.holder not in workers}
    assert set(places.values()) <= workers
    assert places == place(streams[::-1], sorted(workers, reverse=True))
