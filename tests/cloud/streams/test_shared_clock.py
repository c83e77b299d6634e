"""The clock that machines share."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from cloud.errors import AwayError
from cloud.streams.shared_clock import SharedClock
from tests.fakes.clock import FakeClock


@dataclass
class Elsewhere:
    """A clock that is ahead of the own one, and takes its time to answer."""

    own: FakeClock
    ahead_s: float = 7.0
    takes_s: float = 0.0
    reads: int = 0
    is_away: bool = False

    def read_s(self) -> float:
        if self.is_away:
            message = "the database is away"
            raise AwayError(message)
        self.reads += 1
        self.own.advance(self.takes_s / 2)
        now_s = self.own.now_s() + self.ahead_s
        self.own.advance(self.takes_s / 2)
        return now_s


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere(FakeClock())


@pytest.mark.parametrize("takes_s", [0.0, 0.4])
def test_time_is_that_of_the_shared_clock_and_rarely_asked_for(elsewhere: Elsewhere, takes_s: float) -> None:
    elsewhere.takes_s = takes_s
    clock = SharedClock(elsewhere.read_s, elsewhere.own)
    for _ in range(50):
        assert clock.now_s() == pytest.approx(elsewhere.own.now_s() + 7.0)
        elsewhere.own.advance(1.0)
    assert elsewhere.reads == 1
    elsewhere.own.advance(60.0)
    clock.now_s()
    assert elsewhere.reads == 2


@pytest.mark.parametrize("set_by_s", [-3600.0, -2.0, 2.0, 3600.0])
def test_own_clock_that_is_set_does_not_move_the_shared_time(elsewhere: Elsewhere, set_by_s: float) -> None:
    clock = SharedClock(elsewhere.read_s, elsewhere.own)
    before_s = clock.now_s()
    elsewhere.own.jump_wall_clock(set_by_s)
    elsewhere.ahead_s -= set_by_s
    assert clock.now_s() == pytest.approx(before_s)
    assert elsewhere.reads == 2


def test_clock_that_cannot_be_read_at_first_is_read_the_next_time(elsewhere: Elsewhere) -> None:
    clock = SharedClock(elsewhere.read_s, elsewhere.own)
    elsewhere.is_away = True
    with pytest.raises(AwayError):
        clock.now_s()
    elsewhere.is_away = False
    assert clock.now_s() == pytest.approx(elsewhere.own.now_s() + 7.0)
