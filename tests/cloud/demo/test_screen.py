"""A log gets lines, a terminal gets bars; both tell what is left."""

from __future__ import annotations

import io

import pytest

from cloud.demo.screen import PlainScreen, TerminalScreen, screen_for
from tests.fakes.clock import FakeClock


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_lines_of_a_step_tell_each_quarter_once() -> None:
    stream, clock = io.StringIO(), FakeClock()
    screen = PlainScreen(clock, stream)
    with screen.step("Train") as step:
        for percent in range(0, 100, 5):
            clock.advance(1.0)
            step.update(percent / 100, "fit", 100.0 - percent)
    lines = stream.getvalue().splitlines()
    assert lines == [
        "[   0.0 s] Train ...",
        "[   6.0 s] Train: 25% fit · about 75 s left",
        "[  11.0 s] Train: 50% fit · about 50 s left",
        "[  16.0 s] Train: 75% fit · about 25 s left",
        "[  20.0 s] Train: done",
    ]


def test_step_that_fails_is_not_called_done() -> None:
    stream = io.StringIO()
    with pytest.raises(ZeroDivisionError), PlainScreen(FakeClock(), stream).step("Train"):
        _ = 1 / 0
    assert "done" not in stream.getvalue()


def test_steps_on_a_terminal_are_ticked_off_one_after_the_other() -> None:
    stream = Terminal()
    screen = TerminalScreen(stream)
    for title in ("Train", "Shrink"):
        with screen.step(title) as step:
            step.update(0.5, "half", 3.0)
    screen.say("[not markup]")
    assert "✓ Train" in stream.getvalue()
    assert "✓ Shrink" in stream.getvalue()
    assert "[not markup]" in stream.getvalue()


def test_screen_fits_where_it_writes_to() -> None:
    assert isinstance(screen_for(Terminal(), FakeClock()), TerminalScreen)
    assert isinstance(screen_for(io.StringIO(), FakeClock()), PlainScreen)
