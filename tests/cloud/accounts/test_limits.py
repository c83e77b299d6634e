"""Who guesses waits longer each time, and nobody can lock another out for long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.accounts.limits import OF_ACCOUNT, OF_ADDRESS, LoginLimit, Patience, wait_s
from cloud.errors import QuotaError
from tests.fakes.clock import FakeClock

PATIENCE = Patience(free=3, longest_s=60.0)


@pytest.mark.parametrize(
    ("failures", "expected_s"), [(0, 0.0), (2, 0.0), (3, 1.0), (4, 2.0), (5, 4.0), (9, 60.0), (5000, 60.0)]
)
def test_wait_doubles_up_to_its_limit(failures: int, expected_s: float) -> None:
    assert wait_s([100.0] * failures, 100.0, PATIENCE) == expected_s


def test_wait_runs_down_and_old_failures_are_forgotten() -> None:
    assert wait_s([100.0] * 5, 103.0, PATIENCE) == 1.0
    assert wait_s([100.0] * 5, 104.0, PATIENCE) == 0.0
    assert wait_s([100.0] * 50, 100.0 + PATIENCE.forgotten_after_s, PATIENCE) == 0.0


@given(st.lists(st.floats(0, 1e5), max_size=40), st.floats(0, 1e5))
def test_wait_is_never_longer_than_the_limit_nor_negative(attempts: list[float], later_s: float) -> None:
    attempts.sort()
    now_s = (attempts[-1] if attempts else 0.0) + later_s
    assert 0.0 <= wait_s(attempts, now_s, PATIENCE) <= PATIENCE.longest_s


def test_guesses_at_the_same_time_are_all_counted() -> None:
    limit = LoginLimit(FakeClock())
    for _ in range(OF_ADDRESS.free):
        limit.begin("anna", "1.2.3.4")
    with pytest.raises(QuotaError, match="try again in 1 s"):
        limit.begin("anna", "1.2.3.4")


def test_other_address_is_not_kept_waiting_by_a_guesser_until_the_account_is_under_attack() -> None:
    clock = FakeClock()
    limit = LoginLimit(clock)
    for _ in range(OF_ADDRESS.free):
        limit.begin("anna", "1.2.3.4")
    limit.begin("anna", "5.6.7.8")
    for number in range(20):
        clock.advance(OF_ACCOUNT.longest_s)
        limit.begin("anna", f"9.9.9.{number}")
    with pytest.raises(QuotaError) as caught:
        limit.begin("anna", "5.6.7.8")
    assert caught.value.retry_after_s <= OF_ACCOUNT.longest_s


def test_right_password_takes_its_count_back() -> None:
    limit = LoginLimit(FakeClock())
    for _ in range(50):
        limit.begin("anna", "1.2.3.4")
        limit.succeeded("anna", "1.2.3.4")
    for _ in range(OF_ADDRESS.free):
        limit.begin("anna", "1.2.3.4")
    with pytest.raises(QuotaError):
        limit.begin("anna", "1.2.3.4")
