"""The memory limit of a process: by cgroup on a made-up system, by looking on this one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from compress.memory_limit import memory_limited, pss_bytes

MB = 1_000_000
GREEDY = "import time; x = bytearray({size}); print('ready', flush=True); time.sleep(30)"


def started(size_bytes: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", GREEDY.format(size=size_bytes)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_pss_bytes_counts_what_a_process_holds() -> None:
    with started(40 * MB) as process:
        assert 40 * MB < pss_bytes(process.pid) < 80 * MB
        process.kill()
    assert pss_bytes(process.pid) == 0


@pytest.mark.parametrize(("limit_bytes", "over"), [(30 * MB, True), (200 * MB, False)])
def test_memory_limited_ends_a_process_above_its_limit(limit_bytes: int, over: bool) -> None:
    with started(60 * MB) as process:
        with memory_limited(process.pid, limit_bytes, process.kill, Path("/")) as watch:
            try:
                process.wait(1.0)
            except subprocess.TimeoutExpired:
                assert not over
        assert watch.over is over
        assert watch.limited_by in ("polling", "cgroup")
        process.kill()


def system(root: Path) -> Path:
    """Make a system with cgroups v2, in whose group `/us` we are."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("0::/us\n")
    (root / "proc/self/mountinfo").write_text("1 2 0:3 / /cg rw - cgroup2 none rw\n")
    group = root / "cg/us"
    group.mkdir(parents=True)
    return group


def test_memory_limited_without_the_memory_controller_falls_back_to_looking(tmp_path: Path) -> None:
    group = system(tmp_path)
    with memory_limited(1, 10 * MB, lambda: None, tmp_path) as watch:
        assert watch.limited_by == "polling"
    assert list(group.iterdir()) == []


class Kernel(type(Path())):  # type: ignore[misc]
    """A path under which a new cgroup has its files at once, as the kernel does it."""

    def mkdir(self, *arguments: object, **more: object) -> None:
        super().mkdir(*arguments, **more)
        for name in ("memory.max", "memory.swap.max", "cgroup.procs"):
            (self / name).write_text("")
        (self / "memory.peak").write_text("7000000")
        (self / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")


def test_memory_limited_by_cgroup_sets_the_limit_and_tells_of_a_kill(tmp_path: Path) -> None:
    group = Kernel(system(tmp_path))
    root = Kernel(tmp_path)
    with memory_limited(4711, 10 * MB, lambda: None, root) as watch:
        (made,) = (path for path in group.iterdir() if path.is_dir())
        assert (made / "memory.max").read_text() == str(10 * MB)
        assert (made / "cgroup.procs").read_text() == "4711"
    assert (watch.limited_by, watch.peak_bytes, watch.over) == ("cgroup", 7 * MB, True)
    assert (group / "cgroup.procs").read_text() == "4711"
    assert (made / "memory.max").read_text() == "max"
