"""Whether people hear that a stream is looked at less often than was asked."""

from __future__ import annotations

import pytest

from cloud.streams.pace import Pace


@pytest.mark.parametrize(
    ("dropped_each", "interval_s", "says"),
    [
        (0, 0.2, None),
        (0, 10.0, None),
        (4, 1.0, "only 1.0 of 5.0 pictures a second"),
        (1, 0.4, "only 2.5 of 5.0 pictures a second"),
        (99, 20.0, "only 0.1 of 5.0 pictures a second"),
    ],
)
def test_pace_of_pictures_that_newer_ones_replaced_is_told_with_what_to_do(
    dropped_each: int, interval_s: float, says: str | None
) -> None:
    pace = Pace()
    said = [pace.note(number * interval_s, number * dropped_each) for number in range(30)]
    assert said[0] is None
    if says is None:
        assert said[-1] is None
    else:
        assert said[-1] is not None
        assert says in said[-1]
        assert "elfowl-cloud worker" in said[-1]


def test_pace_that_was_too_slow_once_is_forgotten_after_a_while() -> None:
    pace = Pace()
    assert pace.note(0.0, 0) is None
    assert pace.note(3.0, 14) is None, "the first one waited for the detectors"
    assert pace.note(6.0, 28) is not None
    assert [pace.note(6.0 + 0.2 * number, 28) for number in range(60)][-1] is None
