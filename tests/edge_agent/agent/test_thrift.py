"""What the agent hands back: code that only its start needed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from edge_agent.agent.thrift import give_back_memory, untouched_code

SMAPS = """\
7f0000000000-7f0000002000 r--p 00000000 fe:00 1   /lib/libone.so.1.2
Rss:                   8 kB
Anonymous:             0 kB
7f0000002000-7f0000005000 r-xp 00002000 fe:00 1   /lib/libone.so.1.2
Anonymous:             0 kB
7f0000005000-7f0000006000 r--p 00005000 fe:00 1   /lib/libone.so.1.2
Anonymous:             4 kB
7f0000006000-7f0000007000 rw-p 00006000 fe:00 1   /lib/libone.so.1.2
Anonymous:             0 kB
7f0000007000-7f0000008000 r--p 00000000 fe:00 2   /data/model with a space.tflite
Anonymous:             0 kB
7f0000008000-7f0000009000 r-xp 00000000 fe:00 3   /usr/bin/python3.11
Anonymous:             0 kB
7f0000009000-7f000000a000 r-xp 00000000 00:00 0   [vdso]
Anonymous:             0 kB
7f000000a000-7f000000b000 r--p 00000000 00:00 0
Anonymous:             0 kB
7f000000b000-7f000000c000 r-xp 00000000 fe:00 4   /lib/libgone.so (deleted)
Anonymous:             0 kB
""".splitlines()


def test_untouched_code_names_only_what_is_as_in_a_librarys_file() -> None:
    assert untouched_code(SMAPS, "/usr/bin/python3.11") == [
        (0x7F0000000000, 0x2000),
        (0x7F0000002000, 0x3000),
        (0x7F0000008000, 0x1000),
    ]


def test_give_back_memory_while_libraries_are_in_use_lets_them_work_on() -> None:
    values = np.arange(10_000, dtype=np.float32).reshape(100, 100)
    expected = values @ values.T
    before_kb = _mapped_kb("_multiarray_umath")

    give_back_memory()
    left_kb = _mapped_kb("_multiarray_umath")

    assert left_kb < before_kb
    np.testing.assert_array_equal(values @ values.T, expected)


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
