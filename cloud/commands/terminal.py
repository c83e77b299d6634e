"""What people see: results on stdout, progress with time left on stderr."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from cloud.jobs.progress import ProgressLine

_BAR_COLUMNS = 28
_LINES = 10


def answer(result: object, lines: Sequence[str], *, as_json: bool) -> None:
    """Print a result: as JSON only, or as lines for people."""
    if as_json:
        typer.echo(json.dumps(result))
    else:
        for line in lines:
            typer.echo(line)


class Terminal:
    """Shows progress: a bar on a terminal, else a line for each stage and tenth."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._shown = ""

    def show(self, progress: ProgressLine) -> None:
        """Show how far it is."""
        if self._is_terminal:
            text = bar_line(progress)
            sys.stderr.write("\r" + text.ljust(len(self._shown)))
            self._shown = text
        elif (mark := f"{progress.stage} {int(progress.progress * _LINES)}") != self._shown:
            self._shown = mark
            sys.stderr.write(plain_line(progress) + "\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the line of the bar empty."""
        if self._is_terminal and self._shown:
            sys.stderr.write("\r" + " " * len(self._shown) + "\r")
            sys.stderr.flush()


@contextmanager
def progress_shown() -> Iterator[Terminal]:
    """Give a terminal to show progress on until the block ends."""
    terminal = Terminal()
    try:
        yield terminal
    finally:
        terminal.end()


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set, so that work ends in order."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def bar_line(progress: ProgressLine) -> str:
    """Return progress as a bar with time left."""
    done = round(progress.progress * _BAR_COLUMNS)
    bar = "█" * done + "░" * (_BAR_COLUMNS - done)
    return f"{bar} {progress.progress:4.0%}  {_words(progress)}"


def plain_line(progress: ProgressLine) -> str:
    """Return progress as one line of a log."""
    return f"{progress.progress:4.0%}  {_words(progress)}"


def _words(progress: ProgressLine) -> str:
    parts = [progress.message or progress.stage]
    parts += [f"{name} {value:.2f}" for name, value in progress.figures.items()]
    if progress.seconds_left is not None:
        parts.append(f"about {progress.seconds_left:.0f} s left")
    return ", ".join(parts)


def percent(share: object) -> str:
    """Return a share of 1 as people read it; a dash when nothing was measured."""
    return f"{share:.3f}" if isinstance(share, float) else "-"


def megabytes(count: int) -> str:
    """Return a size as people read it."""
    return f"{count / 1e6:.2f} MB"
