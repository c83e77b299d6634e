"""What the agent hands back: code that only its start needed."""

from __future__ import annotations

import ctypes
import re
import struct
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from edge_agent.agent.thrift import Segment, Span, code_spans, give_back_memory

LOADED, DYNAMIC, OTHER = 1, 2, 6
READ, WRITE, RUN = 4, 2, 1
NOTHING_SPECIAL, TEXT_RELOCATIONS, SAID_IN_FLAGS = (0, 0), (22, 0), (30, 4)


@pytest.mark.parametrize(
    ("segments", "spans"),
    [
        ([Segment(LOADED, READ, 0x10000, 0x2000)], [(0x10000, 0x2000)]),
        ([Segment(LOADED, READ | RUN, 0x10000, 0x2000)], [(0x10000, 0x2000)]),
        # A page that is shared with what comes before or after stays.
        ([Segment(LOADED, READ | RUN, 0x10010, 0x2FFF)], [(0x11000, 0x2000)]),
        ([Segment(LOADED, READ | RUN, 0x10010, 0x800)], []),
        ([Segment(LOADED, READ | WRITE, 0x10000, 0x2000)], []),
        ([Segment(OTHER, READ, 0x10000, 0x2000)], []),
    ],
)
def test_code_spans_are_whole_pages_that_nobody_may_write_to(
    segments: Sequence[Segment], spans: Sequence[Span]
) -> None:
    assert code_spans(segments, 0x1000) == spans


@pytest.mark.parametrize(
    ("entry", "spans"),
    [(NOTHING_SPECIAL, [(0x10000, 0x2000)]), (TEXT_RELOCATIONS, []), (SAID_IN_FLAGS, [])],
)
def test_code_spans_of_a_library_whose_code_was_written_to_are_none(
    entry: tuple[int, int], spans: Sequence[Span]
) -> None:
    form = "=qQ" if ctypes.sizeof(ctypes.c_void_p) == 8 else "=iI"
    dynamic = ctypes.create_string_buffer(struct.pack(form, 1, 7) + struct.pack(form, *entry))
    segments = [
        Segment(LOADED, READ | RUN, 0x10000, 0x2000),
        Segment(DYNAMIC, READ | WRITE, ctypes.addressof(dynamic), 2 * struct.calcsize(form)),
    ]
    assert code_spans(segments, 0x1000) == spans


def test_give_back_memory_while_libraries_are_in_use_lets_them_work_on() -> None:
    values = np.arange(10_000, dtype=np.float32).reshape(100, 100)
    expected = values @ values.T
    wrong: list[int] = []
    stopping = threading.Event()

    def work() -> None:
        while not stopping.is_set():
            if not np.array_equal(values @ values.T, expected):
                wrong.append(1)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(5):
            give_back_memory()
    finally:
        stopping.set()
        worker.join()
    before_kb = _mapped_kb("_multiarray_umath")
    give_back_memory()
    assert _mapped_kb("_multiarray_umath") <= before_kb
    assert wrong == []
    np.testing.assert_array_equal(np.sort(values.ravel()[::-1]), values.ravel())


def test_give_back_memory_lets_go_of_code_that_is_not_in_use() -> None:
    numbers = TypeAdapter(list[int])
    assert numbers.validate_python(["3"]) == [3]
    before_kb = _mapped_kb("_pydantic_core")
    give_back_memory()
    assert _mapped_kb("_pydantic_core") < before_kb // 2
    assert numbers.validate_python(["3"]) == [3]


def _mapped_kb(library: str) -> int:
    """Return how much of a library's file is mapped into this process and present."""
    present = 0
    name = ""
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match(r"^[0-9a-f]+-[0-9a-f]+ ", line):
            name = line
        elif line.startswith("Rss:") and library in name:
            present += int(line.split()[1])
    return present
