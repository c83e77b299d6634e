"""Keeps a runtime's greeting off standard error, and nothing else.

LiteRT writes `INFO: Created TensorFlow Lite XNNPACK delegate for CPU.` straight to file descriptor 2 when it
loads its first network. No environment variable and no call of its Python package turns that off, and going
without the delegate would make networks several times slower. So the descriptor points to memory while a
network loads; whatever else was written there, by any thread, follows right after. Only the last words of a
process that dies natively while loading are lost.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2
_GREETINGS = (b"INFO: Created TensorFlow Lite",)
_one_at_a_time = threading.Lock()


@contextmanager
def without_greeting() -> Iterator[None]:
    """Hold back standard error for the moment, then let through all but greetings."""
    if not hasattr(os, "memfd_create"):
        yield
        return
    with _one_at_a_time:
        try:
            true_stderr = os.dup(_STDERR)
        except OSError:  # there is no standard error
            yield
            return
        held = os.memfd_create("stderr")
        os.dup2(held, _STDERR)
        try:
            yield
        finally:
            os.dup2(true_stderr, _STDERR)
            _pass_on(held)
            os.close(true_stderr)
            os.close(held)


def _pass_on(held: int) -> None:
    size = os.lseek(held, 0, os.SEEK_END)
    written = os.pread(held, size, 0)
    kept = [line for line in written.splitlines(keepends=True) if not line.startswith(_GREETINGS)]
    if kept:
        os.write(_STDERR, b"".join(kept))
