"""A disk whose power fails at a chosen step, or that is full."""

from __future__ import annotations

import errno
from pathlib import Path

from edge_agent.update.disk import Disk, RealDisk


class PowerCut(BaseException):
    """Ends the agent at once."""


class FaultyDisk:
    """Implements `edge_agent.update.disk.Disk`; the step number `fail_at` (from 0) does not happen, or half.

    A file that is being written then holds half of its bytes.
    """

    def __init__(self, fail_at: int | None = None, *, full: bool = False, disk: Disk | None = None) -> None:
        self._disk = disk or RealDisk()
        self._fail_at = fail_at
        self._full = full
        self.steps = 0

    def write(self, path: Path, data: bytes) -> None:
        if self._fails():
            self._disk.write(path, data[: len(data) // 2])
            self._fail(path)
        self._disk.write(path, data)

    def replace(self, source: Path, target: Path) -> None:
        if self._fails():
            self._fail(target)
        self._disk.replace(source, target)

    def sync(self, path: Path) -> None:
        if self._fails():
            self._fail(path)
        self._disk.sync(path)

    def remove(self, path: Path) -> None:
        if self._fails():
            self._fail(path)
        self._disk.remove(path)

    def _fails(self) -> bool:
        self.steps += 1
        return self._fail_at is not None and self.steps == self._fail_at + 1

    def _fail(self, path: Path) -> None:
        if self._full:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        raise PowerCut
