"""Hands memory back that only a start or a busy moment needed.

Loading takes more than what is loaded. The heap keeps what was freed; and of each library the pages stay
mapped that only its loading touched, which is more than half of them. Those of files cost nothing to leave:
what is still needed of them is mapped again at the next touch, from the page cache.

What is needed for a moment now and then is handed back after each time, where memory is scarce: the cipher of
key frames has 3 MB of code, and is at work for a millisecond a second.

Where libraries lie is asked only while no other thread runs Python. The loader holds its lock while it
answers, and a thread that loads a library holds Python's: each would wait for the other.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import struct
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

# As their files are named.
_SELDOM_USED = (b"/cryptography/",)

_LOADED, _DYNAMIC, _WRITABLE = 1, 2, 2
_TEXT_RELOCATIONS, _FLAGS, _FLAG_TEXT_RELOCATIONS = 22, 30, 4
_MADV_DONTNEED = 4
# Of the 32-bit and the 64-bit ELF format: a header of a segment, and an entry of the dynamic section.
_IS_64 = ctypes.sizeof(ctypes.c_void_p) == 8
_HEADER = struct.Struct("=IIQQQQQQ" if _IS_64 else "=IIIIIIII")
_ENTRY = struct.Struct("=qQ" if _IS_64 else "=iI")

Span = tuple[int, int]
"""First address, and how many bytes."""


class Segment(NamedTuple):
    """A part of a library's file: what it is for, what may be done there, and where it lies in memory."""

    kind: int
    flags: int
    address: int
    size: int


class _Library(ctypes.Structure):
    """As the loader tells of a library; what follows in newer ones is of no use here."""

    _fields_ = (
        ("base", ctypes.c_size_t),
        ("name", ctypes.c_char_p),
        ("headers", ctypes.c_void_p),
        ("headers_count", ctypes.c_uint16),
    )


_Told = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Library), ctypes.c_size_t, ctypes.c_void_p)


class _Known:
    """Where the code of libraries lies that were there when this was asked last; none of them is unloaded."""

    code: tuple[Span, ...] = ()
    seldom_used: tuple[Span, ...] = ()


def give_back_memory() -> None:
    """Hand free memory back to the system, and code that is not in use to its page cache."""
    gc.collect()
    libc = ctypes.CDLL(None)
    trim, advise = getattr(libc, "malloc_trim", None), getattr(libc, "madvise", None)
    if trim is not None:
        trim(0)
    if threading.active_count() == 1:
        _Known.code = _find_code(libc)
        _Known.seldom_used = _find_code(libc, _SELDOM_USED)
    if advise is not None:
        _leave(_Known.code, advise)


def give_back_seldom_used() -> None:
    """Hand back the code of what is used now and then, where that lies is known; it takes 0.1 ms."""
    advise = getattr(ctypes.CDLL(None), "madvise", None)
    if advise is not None:
        _leave(_Known.seldom_used, advise)


def _leave(spans: Iterable[Span], advise: Callable[..., int]) -> None:
    for first, size in spans:
        # Where the kernel refuses, the pages stay.
        advise(ctypes.c_void_p(first), ctypes.c_size_t(size), _MADV_DONTNEED)


def code_spans(segments: Iterable[Segment], page_bytes: int = mmap.PAGESIZE) -> list[Span]:
    """Return where a library lies in memory just as it does in its file: whole pages of code and constants.

    What may be written to is not among them, nor what the loader wrote addresses into and then locked: that
    lies in a writable segment. Of a library whose code itself was written to so, there is nothing.
    """
    segments = tuple(segments)
    if any(_rewrites_code(segment) for segment in segments if segment.kind == _DYNAMIC):
        return []
    spans = []
    for segment in segments:
        first = -(-segment.address // page_bytes) * page_bytes
        end = (segment.address + segment.size) // page_bytes * page_bytes
        if segment.kind == _LOADED and not segment.flags & _WRITABLE and end > first:
            spans.append((first, end - first))
    return spans


def _find_code(libc: ctypes.CDLL, names: Sequence[bytes] = (b"",)) -> tuple[Span, ...]:
    """Return where the code of libraries lies whose files have one of `names` in theirs; by default of all.

    See above for when this may be asked.
    """
    found: list[Span] = []

    def note(library: Any, _size: int, _data: int | None) -> int:  # noqa: ANN401 - a pointer of ctypes
        file = library.contents.name or b""
        if any(name in file for name in names):
            found.extend(code_spans(_segments(library.contents)))
        return 0

    tell = getattr(libc, "dl_iterate_phdr", None)
    if tell is not None:
        tell(_Told(note), None)
    return tuple(found)


def _segments(library: _Library) -> list[Segment]:
    """Return a library's segments; none of the kernel's own, which has no file."""
    if b"vdso" in (library.name or b""):
        return []
    raw = ctypes.string_at(library.headers, library.headers_count * _HEADER.size)
    return [_segment(library.base, header) for header in _HEADER.iter_unpack(raw)]


def _segment(base: int, header: tuple[int, ...]) -> Segment:
    if _IS_64:
        kind, flags, _, address, _, _, size, _ = header
    else:
        kind, _, address, _, _, size, flags, _ = header
    return Segment(kind, flags, base + address, size)


def _rewrites_code(dynamic: Segment) -> bool:
    raw = ctypes.string_at(dynamic.address, dynamic.size // _ENTRY.size * _ENTRY.size)
    return any(
        tag == _TEXT_RELOCATIONS or (tag == _FLAGS and value & _FLAG_TEXT_RELOCATIONS)
        for tag, value in _ENTRY.iter_unpack(raw)
    )
