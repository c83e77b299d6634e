"""How long a worker watches on without a server."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from cloud.streams.alone import ALONE_S, Alone
from tests.fakes.clock import FakeClock


@dataclass
class Tie:
    has_server: bool = True
    is_there: bool = True


@pytest.mark.parametrize(("away_s", "leaves"), [(ALONE_S - 1.0, False), (ALONE_S + 1.0, True)])
def test_worker_watches_on_without_a_server_but_not_for_ever(away_s: float, *, leaves: bool) -> None:
    tie, clock = Tie(), FakeClock()
    alone = Alone(tie, clock)
    clock.advance(2 * ALONE_S)
    assert alone.reason_to_leave() is None, "it has a server"
    tie.has_server = False
    clock.advance(away_s)
    assert (alone.reason_to_leave() is not None) is leaves


def test_next_server_gives_a_worker_all_its_time_again() -> None:
    tie, clock = Tie(has_server=False), FakeClock()
    alone = Alone(tie, clock)
    clock.advance(ALONE_S - 1.0)
    tie.has_server = True
    assert alone.reason_to_leave() is None
    tie.has_server = False
    clock.advance(ALONE_S - 1.0)
    assert alone.reason_to_leave() is None


def test_worker_leaves_a_home_that_is_gone() -> None:
    assert Alone(Tie(is_there=False), FakeClock()).reason_to_leave() == "its home folder is gone"
