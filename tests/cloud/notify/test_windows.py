"""Times of the week."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.errors import InputError
from cloud.notify.windows import end_of_windows, is_within, parse_window

UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = UTC_ZONE) -> float:
    """Return a moment of local time; 2027-03-01 is a Monday."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("window", "moment", "within"),
    [
        ("08:00-18:00", "2027-03-01T08:00", True),
        ("08:00-18:00", "2027-03-01T18:00", False),
        ("22:00-06:00", "2027-03-01T23:00", True),
        ("22:00-06:00", "2027-03-01T05:59", True),
        ("22:00-06:00", "2027-03-01T06:00", False),
        ("mon-fri 08:00-18:00", "2027-03-06T09:00", False),
        ("sat,sun 08:00-18:00", "2027-03-06T09:00", True),
        ("fri 22:00-06:00", "2027-03-06T05:00", True),
        ("fri 22:00-06:00", "2027-03-05T05:00", False),
        ("sat-mon 00:00-24:00", "2027-03-01T12:00", True),
        ("00:00-00:00", "2027-03-01T12:00", True),
    ],
)
def test_window_holds_the_moments_that_it_says(window: str, moment: str, within: bool) -> None:
    assert is_within([parse_window(window)], at(moment), UTC_ZONE) is within


def test_window_is_meant_in_its_time_zone_and_ends_there_over_a_change_of_clocks() -> None:
    night = [parse_window("22:00-06:00")]
    late = at("2027-03-27T23:30", BERLIN)
    assert is_within(night, late, BERLIN)
    assert end_of_windows(night, late, BERLIN) == at("2027-03-28T06:00", BERLIN)
    assert end_of_windows(night, late, BERLIN) - late == pytest.approx(5.5 * 3600)


@pytest.mark.parametrize("text", ["", "8-18", "25:00-26:00", "noday 08:00-18:00", "08:00-24:30", "08:00"])
def test_window_that_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="mon-fri 08:00-18:00"):
        parse_window(text)


@settings(max_examples=60, deadline=None)
@given(
    start=st.integers(0, 1439), end=st.integers(0, 1439), offset_s=st.floats(0, 14 * 86_400),
    day=st.sampled_from(["", "mon ", "tue-thu ", "sun "]),
)  # fmt: skip
def test_end_of_windows_lies_outside_and_everything_before_it_inside(
    start: int, end: int, offset_s: float, day: str
) -> None:
    text = f"{day}{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
    windows, moment = [parse_window(text)], at("2027-03-20T00:00") + offset_s
    until = end_of_windows(windows, moment, BERLIN)
    assert until >= moment
    if start != end:
        assert not is_within(windows, until, BERLIN)
    inside = [moment + share * (until - moment) for share in (0.0, 0.5, 0.99)] if until > moment else []
    assert all(is_within(windows, one, BERLIN) for one in inside)
