"""Hands memory back that only a start or a busy moment needed.

Loading takes more than what is loaded. The heap keeps what was freed; and of each library the pages stay
mapped that only its loading touched, which is more than half of them. Those of files cost nothing to leave:
what is still needed of them is mapped again at the next touch, from the page cache.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_MAPS = Path("/proc/self/smaps")
_PROGRAM = Path("/proc/self/exe")
_LIBRARY = re.compile(r"\.so(\.\d+)*$")
# An address range, what may be done there, where in its file it begins, and the file.
_RANGE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+ +(/.*?)$")
_MADV_DONTNEED = 4

Span = tuple[int, int]
"""First address, and how many bytes."""


def give_back_memory() -> None:
    """Hand free memory back to the system, and code that is not in use to its page cache."""
    gc.collect()
    libc = ctypes.CDLL(None)
    trim = getattr(libc, "malloc_trim", None)
    if trim is not None:
        trim(0)
    _leave(libc, untouched_code(_lines(), _program()))


def untouched_code(smaps: Iterable[str], program: str) -> list[Span]:
    """Return where libraries and the program lie as they are in their files: code and constants.

    Nobody unloads these, so they are still there when they are left. What was written to since it was mapped
    (the loader writes addresses into it) is not in any file, and so not among them.

    Args:
        smaps: Lines of the kernel's list of mappings.
        program: The file of the interpreter.
    """
    spans: list[Span] = []
    here: Span | None = None
    for line in smaps:
        if found := _RANGE.match(line):
            first, end, may, file = int(found[1], 16), int(found[2], 16), found[3], found[4]
            is_code = may[0] == "r" and may[1] == "-" and (file == program or _LIBRARY.search(file))
            here = (first, end - first) if is_code else None
        elif here is not None and line.startswith("Anonymous:"):
            if line.split()[1] == "0":
                spans.append(here)
            here = None
    return spans


def _leave(libc: ctypes.CDLL, spans: Iterable[Span]) -> None:
    advise = getattr(libc, "madvise", None)
    if advise is None:
        return
    for first, size in spans:
        # Where the kernel refuses, the pages stay.
        advise(ctypes.c_void_p(first), ctypes.c_size_t(size), _MADV_DONTNEED)


def _lines() -> Iterator[str]:
    """Give the kernel's list line by line: as a whole it takes more than a megabyte."""
    with contextlib.suppress(OSError, UnicodeDecodeError), _MAPS.open() as mappings:
        yield from mappings


def _program() -> str:
    try:
        return str(_PROGRAM.readlink())
    except OSError:
        return ""
