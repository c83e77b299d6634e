"""Waits between tries."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.camera.backoff import reopen_delay_s


@given(st.integers(0, 10_000), st.integers(0, 2**32))
def test_reopen_delay_is_never_more_than_the_limit_nor_less_than_half_the_base(
    failures: int, seed: int
) -> None:
    assert 0.5 <= reopen_delay_s(failures, random.Random(seed)) <= 30.0


@pytest.mark.parametrize(("failures", "least_s", "most_s"), [(1, 0.5, 1), (2, 1, 2), (3, 2, 4), (9, 15, 30)])
def test_reopen_delay_doubles_and_is_spread(failures: int, least_s: float, most_s: float) -> None:
    delays_s = [reopen_delay_s(failures, random.Random(seed)) for seed in range(50)]
    assert least_s <= min(delays_s) < max(delays_s) <= most_s
    assert len(set(delays_s)) == 50
