"""Estimates for devices that were not at hand."""

from __future__ import annotations

import pytest

from compress.estimates import estimates
from edge_agent.runtime.profiles import load_profile


@pytest.mark.parametrize(
    ("profile", "macs", "ms"),
    [
        ("pi-4", 300_000_000, 44.0),
        ("pi-4", 600_000_000, 88.0),
        ("pi-zero-2w", 150_000_000, 55.3),  # 79 ms at 1.4 GHz for twice as many; this one has 1 GHz
        ("arm64-128mb", 300_000_000, None),
    ],
)
def test_estimates_of_time_scale_a_published_one_and_say_from_what(
    profile: str, macs: int, ms: float | None
) -> None:
    found = [one for one in estimates(load_profile(profile), macs) if one.unit == "ms a picture"]

    assert [one.value for one in found] == ([] if ms is None else [ms])
    assert all("MobileNet v2" in one.made_from and "https://" in one.made_from for one in found)


def test_estimates_of_a_network_that_was_not_counted_are_none() -> None:
    assert estimates(load_profile("pi-4"), None) == ()
