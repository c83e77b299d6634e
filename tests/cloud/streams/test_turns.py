"""The one thread that looks for all: who waits, and for how long."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloud.streams.turns import Turns
from edge_agent.errors import BackendError
from tests.fakes.clock import FakeClock
from tests.fakes.frame_source import until


def test_turns_say_how_long_the_oldest_waits_and_how_long_all_waited_of_late() -> None:
    clock, looking, may_answer = FakeClock(), threading.Event(), threading.Event()

    def see(questions: Sequence[int]) -> list[int]:
        looking.set()
        assert may_answer.wait(60.0)
        return list(questions)

    turns: Turns[int, int] = Turns(see, clock, most=1)
    assert turns.lag_s() == 0.0

    def is_late() -> bool:
        clock.advance(1.0)
        return turns.lag_s() >= 3.0

    with ThreadPoolExecutor(2) as people:
        first = people.submit(turns.ask, 1)
        assert looking.wait(60.0)
        second = people.submit(turns.ask, 2)
        assert until(is_late)
        may_answer.set()
        assert (first.result(60.0), second.result(60.0)) == (1, 2)
    assert turns.lag_s() >= 1.5, "half of what the second waited, for the first did not"
    clock.advance(60.0)
    assert turns.lag_s() == 0.0
    turns.close()
    with pytest.raises(BackendError, match="stopped"):
        turns.ask(3)
