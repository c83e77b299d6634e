"""Where a thing is and was."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from edge_agent.pipeline.whereabouts import Stay, Whereabouts
from edge_agent.pipeline.zones import Line, Zone

LEFT = Zone("left", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)), loiter_s=10.0)
GATE = Line("gate", (0.5, 0.2), (0.5, 0.8))


def walk(
    feet: Iterable[tuple[float, float]], *, step_s: float = 1.0, line: Line = GATE, label: str = "person"
) -> Whereabouts:
    """Return what is known of a thing of a fifth of the picture's height that was seen there."""
    where = Whereabouts()
    for index, (x, y) in enumerate(feet):
        where.see((x - 0.05, y - 0.2, x + 0.05, y), label, index * step_s, [LEFT], [line])
    return where


def sides(where: Whereabouts) -> list[str]:
    return [crossed.towards for crossed in where.crossings]


def test_stay_in_a_zone_counts_from_its_first_sight_there() -> None:
    outside, inside = (0.8, 0.5), (0.2, 0.5)
    assert not walk([outside, *[inside] * 10]).loitering([LEFT])
    assert walk([outside, *[inside] * 11]).loitering([LEFT]) == (Stay("left", 1.0),)
    assert walk([outside, *[inside] * 11]).entered == ["left"]


@pytest.mark.parametrize(("seconds_outside", "since_s"), [(1, 0.0), (2, 0.0), (3, 9.0)])
def test_stay_goes_on_over_a_moment_outside(seconds_outside: int, since_s: float) -> None:
    inside, outside = (0.45, 0.5), (0.55, 0.5)
    steps = [*[inside] * 6, *[outside] * seconds_outside, *[inside] * 20]
    (stay,) = walk(steps).loitering([LEFT])
    assert stay.since_s == since_s


def test_loiter_is_due_only_while_the_last_sight_is_too_old_to_tell() -> None:
    where = walk([(0.2, 0.5)] * 3)
    assert not where.loiter_due([LEFT], 9.9)
    assert where.loiter_due([LEFT], 10.0)
    where.see((0.15, 0.3, 0.25, 0.5), "person", 10.0, [LEFT], [])
    assert where.loitering([LEFT])
    assert not where.loiter_due([LEFT], 11.0)
    assert not where.loiter_due([], 11.0), "the zone is gone"


@pytest.mark.parametrize(
    ("feet", "crossed"),
    [
        ([0.3, 0.4, 0.6, 0.7], ["left"]),
        ([0.7, 0.6, 0.4, 0.3], ["right"]),
        ([0.3, 0.7, 0.3], ["left", "right"]),
        ([0.3, 0.7, 0.72, 0.74], ["left"]),
        ([0.3, 0.49, 0.51, 0.49, 0.51, 0.505], []),  # trembles on the line
        ([0.3, 0.49, 0.51, 0.49, 0.51, 0.6], ["left"]),
    ],
)
def test_crossing_counts_once_who_is_clearly_over_the_line(feet: list[float], crossed: list[str]) -> None:
    where = walk([(x, 0.5) for x in feet])
    assert sides(where) == crossed
    assert where.crossed == len(crossed)


def test_crossing_around_the_end_of_a_line_is_none() -> None:
    assert not sides(walk([(0.4, 0.5), (0.45, 0.95), (0.5, 0.95), (0.55, 0.95), (0.6, 0.5)]))


@pytest.mark.parametrize(
    ("line", "label", "crossed"),
    [
        (Line("gate", (0.5, 0.2), (0.5, 0.8), towards="right"), "person", ["right"]),
        (Line("gate", (0.5, 0.2), (0.5, 0.8), towards="left"), "person", ["left"]),
        (Line("gate", (0.5, 0.8), (0.5, 0.2), towards="left"), "person", ["left"]),
        (Line("gate", (0.5, 0.2), (0.5, 0.8), labels=frozenset({"car"})), "person", []),
        (Line("gate", (0.5, 0.2), (0.5, 0.8), labels=frozenset({"car"})), "car", ["left", "right"]),
    ],
)
def test_crossing_counts_by_direction_and_label(line: Line, label: str, crossed: list[str]) -> None:
    assert sides(walk([(0.3, 0.5), (0.7, 0.5), (0.3, 0.5)], line=line, label=label)) == crossed


def test_sight_that_is_not_newer_changes_nothing() -> None:
    where = walk([(0.2, 0.5)] * 2)
    where.see((0.75, 0.3, 0.85, 0.5), "person", 1.0, [LEFT], [GATE])
    assert where.zones == ("left",)
    assert not where.crossings
