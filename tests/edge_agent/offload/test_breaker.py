"""The breaker: a table of what happens, and what it says then."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.offload.breaker import Breaker


def after(happened: str, now_s: float = 100.0) -> Breaker:
    breaker = Breaker()
    for letter in happened:
        breaker = breaker.failed(now_s) if letter == "f" else breaker.succeeded()
    return breaker


@pytest.mark.parametrize(
    ("happened", "open_for_s"),
    [
        ("", 0),
        ("f", 0),
        ("ff", 0),
        ("ffsff", 0),
        ("fff", 5),
        ("ffff", 10),
        ("fffff", 20),
        ("f" * 50, 300),
        ("fffs", 0),
    ],
)
def test_breaker_opens_after_three_failures_and_ever_longer(happened: str, open_for_s: float) -> None:
    breaker = after(happened)
    assert breaker.is_open(100.0 + open_for_s - 0.01) is (open_for_s > 0)
    assert not breaker.is_open(100.0 + open_for_s)


@given(st.text("fs", max_size=200))
def test_breaker_success_always_closes_and_opening_is_bound(happened: str) -> None:
    assert not after(happened + "s").is_open(0.0)
    assert not after(happened).is_open(100.0 + 300.0)
