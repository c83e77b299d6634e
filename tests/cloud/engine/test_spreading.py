"""Where those that watch go in a cluster."""

from __future__ import annotations

import pytest

from cloud.engine.spreading import emptiest, is_crowded


@pytest.mark.parametrize(
    ("places", "machines", "found"),
    [
        ({}, [], None),
        ({}, ["b", "a"], "a"),
        ({"one": "a"}, ["a", "b"], "b"),
        ({"one": "a", "two": "b", "three": "b"}, ["a", "b"], "a"),
        ({"one": "dead"}, ["a"], "a"),
    ],
)
def test_worker_goes_where_the_fewest_are(
    places: dict[str, str], machines: list[str], found: str | None
) -> None:
    assert emptiest(places, machines) == found


@pytest.mark.parametrize(
    ("places", "machines", "crowded"),
    [
        ({"one": "a", "two": "a"}, ["a", "b"], True),
        ({"one": "a", "two": "a"}, ["a"], False),
        ({"one": "a", "two": "b"}, ["a", "b", "c"], False),
        ({"one": "a"}, ["a", "b"], False),
        ({}, ["a"], False),
    ],
)
def test_all_on_one_machine_is_a_crowd_where_there_is_another(
    places: dict[str, str], machines: list[str], *, crowded: bool
) -> None:
    assert is_crowded(places, machines) is crowded
