"""What the person in front of the demo sees: one line and bar a step, time left where it is known."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from edge_agent.clock import Clock


class Step(Protocol):
    """One running step."""

    def update(self, fraction: float, message: str = "", seconds_left: float | None = None) -> None:
        """Show how far it is, 0..1."""
        ...


class Screen(Protocol):
    """Where the demo speaks to."""

    def say(self, text: str) -> None:
        """Show a line that stays."""
        ...

    def step(self, title: str) -> AbstractContextManager[Step]:
        """Show a step while it runs."""
        ...


def _words(message: str, seconds_left: float | None) -> str:
    left = "" if seconds_left is None else f"about {seconds_left:.0f} s left"
    return " · ".join(part for part in (message, left) if part)


class TerminalScreen:
    """Bars that move, for a terminal."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._console = Console(file=stream)
        columns = (TextColumn("{task.description:34}"), BarColumn(24), TextColumn("{task.fields[words]}"))
        self._progress = Progress(*columns, TimeElapsedColumn(), console=self._console)

    def say(self, text: str) -> None:
        """Show a line that stays."""
        self._console.print(text, highlight=False, markup=False)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a bar while a step runs."""
        task = self._progress.add_task(title, total=1.0, words="")
        progress = self._progress

        class _Bar:
            def update(self, fraction: float, message: str = "", seconds_left: float | None = None) -> None:
                progress.update(task, completed=fraction, words=_words(message, seconds_left))

        with progress if not progress.live.is_started else nullcontext():
            yield _Bar()
            progress.update(task, completed=1.0, words="done")
        progress.remove_task(task)
        self._console.print(f"  ✓ {title}", highlight=False, markup=False)


class PlainScreen:
    """Lines for a log: when a step begins, each quarter of it, and its end."""

    def __init__(self, clock: Clock, stream: TextIO = sys.stderr) -> None:
        self._clock = clock
        self._stream = stream
        self._start_s = clock.monotonic_s()

    def say(self, text: str) -> None:
        """Write a line."""
        self._stream.write(f"[{self._clock.monotonic_s() - self._start_s:6.1f} s] {text}\n")
        self._stream.flush()

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Write when a step begins, each quarter of it, and its end."""
        say = self.say
        say(f"{title} ...")

        class _Lines:
            told = 0

            def update(self, fraction: float, message: str = "", seconds_left: float | None = None) -> None:
                if (quarter := int(fraction * 4)) > self.told:
                    self.told = quarter
                    say(f"{title}: {fraction:.0%} {_words(message, seconds_left)}".rstrip())

        yield _Lines()
        say(f"{title}: done")


def screen_for(stream: TextIO, clock: Clock) -> Screen:
    """Return bars for a terminal, lines for anything else."""
    return TerminalScreen(stream) if stream.isatty() else PlainScreen(clock, stream)
