"""What the agent hands back: code that only its start needed."""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence

import pytest

from edge_agent.agent import thrift
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


_MAPPED = """
import re

def mapped_kb(library):
    present, name = 0, ""
    for line in open("/proc/self/smaps"):
        if re.match(r"^[0-9a-f]+-[0-9a-f]+ ", line):
            name = line
        elif line.startswith("Rss:") and library in name:
            present += int(line.split()[1])
    return present
"""

_ALONE = """
import threading
import numpy as np
from edge_agent.agent.thrift import give_back_memory

values = np.arange(10_000, dtype=np.float32).reshape(100, 100)
expected = values @ values.T
before_kb = mapped_kb("openblas")
give_back_memory()
assert mapped_kb("openblas") < before_kb // 2, "code stays"
wrong, stopping = [], threading.Event()

def work():
    while not stopping.is_set():
        if not np.array_equal(values @ values.T, expected):
            wrong.append(1)

workers = [threading.Thread(target=work) for _ in range(2)]
for worker in workers:
    worker.start()
for _ in range(20):
    give_back_memory()
stopping.set()
for worker in workers:
    worker.join()
assert wrong == []
"""


_SELDOM = """
import numpy as np
from cryptography.fernet import Fernet
from edge_agent.agent.thrift import give_back_memory, give_back_seldom_used

give_back_memory()
cipher = Fernet(Fernet.generate_key())
values = np.arange(10_000, dtype=np.float32).reshape(100, 100)
values @ values.T
for _ in range(20):
    token = cipher.encrypt(b"picture")
    used_kb, others_kb = mapped_kb("/cryptography/"), mapped_kb("openblas")
    give_back_seldom_used()
    assert mapped_kb("/cryptography/") < used_kb // 2, "code stays"
    assert mapped_kb("openblas") == others_kb
    assert cipher.decrypt(token) == b"picture"
"""


@pytest.mark.parametrize("program", [_ALONE, _SELDOM], ids=["all", "seldom used"])
def test_give_back_lets_go_of_code_and_those_who_use_it_work_on(program: str) -> None:
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    words = [sys.executable, "-c", _MAPPED + program]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_give_back_memory_beside_other_threads_asks_the_loader_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[object] = []

    def find(libc: ctypes.CDLL, _names: Sequence[bytes] = ()) -> tuple[Span, ...]:
        asked.append(libc)
        return ()

    monkeypatch.setattr(thrift, "_find_code", find)
    stopping = threading.Event()
    other = threading.Thread(target=stopping.wait)
    other.start()
    give_back_memory()
    stopping.set()
    other.join()
    assert asked == []
