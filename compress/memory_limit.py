"""A memory limit for one process: by the system (cgroup v2) where it lets us, else by looking every 50 ms.

Never by `RLIMIT_AS`: that counts addresses, not memory, and runtimes map far more than they use.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

LimitedBy = Literal["cgroup", "polling"]

POLL_S = 0.05

_counter = itertools.count()


@dataclass
class MemoryWatch:
    """What was seen of a process under its limit: how it was held, the peak, and whether it went over."""

    limit_bytes: int
    limited_by: LimitedBy
    peak_bytes: int = 0
    over: bool = False


@contextlib.contextmanager
def memory_limited(
    pid: int, limit_bytes: int, end: Callable[[], None], root: Path = Path("/")
) -> Iterator[MemoryWatch]:
    """Hold a process under a memory limit while the block runs.

    Args:
        pid: A child of ours.
        limit_bytes: The most memory that it may use.
        end: Ends the process; called at most once, when it is seen above the limit.
        root: Where /proc and the cgroups are found.
    """
    group = _made_group(root, pid, limit_bytes)
    if group is None:
        with _polled(pid, limit_bytes, end, root) as watch:
            yield watch
        return
    watch = MemoryWatch(limit_bytes, "cgroup")
    try:
        yield watch
    finally:
        watch.peak_bytes = _number(group / "memory.peak")
        watch.over = _killed(group)
        _lift(group, _own_group(root))


def pss_bytes(pid: int, root: Path = Path("/")) -> int:
    """Return a process's share of memory (PSS), 0 when it is gone or the system does not tell."""
    try:
        lines = (root / "proc" / str(pid) / "smaps_rollup").read_text("utf-8").splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


@contextlib.contextmanager
def _polled(pid: int, limit_bytes: int, end: Callable[[], None], root: Path) -> Iterator[MemoryWatch]:
    watch = MemoryWatch(limit_bytes, "polling")
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            watch.peak_bytes = max(watch.peak_bytes, pss_bytes(pid, root))
            if watch.peak_bytes > limit_bytes:
                watch.over = True
                end()
                return
            done.wait(POLL_S)

    poller = threading.Thread(target=look, daemon=True)
    poller.start()
    try:
        yield watch
    finally:
        done.set()
        poller.join()


def _made_group(root: Path, pid: int, limit_bytes: int) -> Path | None:
    """Return a new cgroup with the limit, the process in it; none where the system does not let us."""
    for parent in _places(root):
        group = parent / f"elfowl-{os.getpid()}-{next(_counter)}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if not (group / "memory.max").exists():  # the memory controller is not handed down to here
                raise FileNotFoundError(group)
            (group / "memory.max").write_text(str(limit_bytes))
            with contextlib.suppress(OSError):  # not there without swap
                (group / "memory.swap.max").write_text("0")
            (group / "cgroup.procs").write_text(str(pid))
        except OSError:
            with contextlib.suppress(OSError):
                group.rmdir()
            continue
        return group
    return None


def _places(root: Path) -> list[Path]:
    """Return where a cgroup of ours could be: below our own, or beside it."""
    own = _own_group(root)
    return [] if own is None else [own, own.parent]


def _own_group(root: Path) -> Path | None:
    try:
        lines = (root / "proc/self/cgroup").read_text("utf-8").splitlines()
        mounts = (root / "proc/self/mountinfo").read_text("utf-8").splitlines()
    except OSError:
        return None
    own = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), None)
    mount = next((line.split()[4] for line in mounts if " - cgroup2 " in line), None)
    return None if own is None or mount is None else root / mount.lstrip("/") / own.lstrip("/")


def _killed(group: Path) -> bool:
    try:
        events = (group / "memory.events").read_text("utf-8").split("\n")
    except OSError:
        return False
    return any(line.startswith("oom_kill ") and line.split()[1] != "0" for line in events)


def _lift(group: Path, home: Path | None) -> None:
    """Take the limit away: the process goes back to where we are, the group goes."""
    with contextlib.suppress(OSError):
        (group / "memory.max").write_text("max")
    with contextlib.suppress(OSError):
        for process in (group / "cgroup.procs").read_text("utf-8").split():
            if home is not None:
                (home / "cgroup.procs").write_text(process)
    with contextlib.suppress(OSError):
        group.rmdir()


def _number(file: Path) -> int:
    try:
        return int(file.read_text("utf-8"))
    except (OSError, ValueError):
        return 0
