"""Progress on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as RichProgress

from compress.progress import Progress, ProgressListener


@contextmanager
def shown_progress() -> Iterator[ProgressListener]:
    """Give a listener that shows progress until the block ends."""
    if sys.stderr.isatty():
        with _bar() as listener:
            yield listener
    else:
        yield PlainLines()


_NUMBER = re.compile(r"\d+(\.\d+)?")
_FURTHER = 0.05


class PlainLines:
    """One line whenever another thing is being done, or the same a good deal further: fit for logs."""

    def __init__(self) -> None:
        self._last, self._fraction = "", 0.0

    def __call__(self, progress: Progress) -> None:
        """Print a line if the message is new, but for its numbers, or 5 % more is done."""
        kind = _NUMBER.sub("#", progress.message)
        if kind == self._last and progress.fraction < self._fraction + _FURTHER:
            return
        self._last, self._fraction = kind, progress.fraction
        print(plain_line(progress), file=sys.stderr, flush=True)  # noqa: T201 - this is the output


def plain_line(progress: Progress) -> str:
    """Return progress as one line."""
    percent = round(100 * progress.fraction)
    return f"{percent:3d} %  {progress.message}, about {round(progress.seconds_left)} s left"


@contextmanager
def _bar() -> Iterator[ProgressListener]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Starting", total=1.0, left="")

        def show(progress: Progress) -> None:
            left = f"{round(progress.seconds_left)} s left"
            bar.update(task, completed=progress.fraction, description=progress.message, left=left)

        yield show
