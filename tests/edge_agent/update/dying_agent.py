"""An updater in a process of its own that stands still within a phase, so that it can be killed just there.

python -m tests.edge_agent.update.dying_agent FOLDER PHASE STEP TARGET
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from edge_agent.update.assembly import UpdaterParts
from edge_agent.update.disk import RealDisk
from edge_agent.update.record import UpdateRecord
from edge_agent.wire.sync import BundleTarget
from tests.edge_agent.update.faulty_cloud import FaultyCloud
from tests.edge_agent.update.scene import open_updater_with, passes
from tests.fakes.clock import FakeClock

STANDS = "stands still"


class StandingDisk(RealDisk):
    """Stands still for ever before its step number `step` (from 0) within a phase."""

    def __init__(self, record: Path, phase: str, step: int) -> None:
        self._record, self._phase, self._left = record, phase, step

    def write(self, path: Path, data: bytes) -> None:
        self._stand()
        super().write(path, data)

    def replace(self, source: Path, target: Path) -> None:
        self._stand()
        super().replace(source, target)

    def sync(self, path: Path) -> None:
        self._stand()
        super().sync(path)

    def _stand(self) -> None:
        if not self._record.exists():
            return
        if UpdateRecord.from_json(self._record.read_bytes()).phase != self._phase:
            return
        if self._left == 0:
            sys.stdout.write(STANDS + "\n")
            sys.stdout.flush()
            threading.Event().wait()
        self._left -= 1


def main(folder: Path, phase: str, step: int, target: BundleTarget) -> None:
    """Install a bundle until the process stands still; in `rollback` the bundle is found unhealthy."""
    disk = StandingDisk(folder / "state" / "update" / "update.json", phase, step)
    root_json = (folder / "publisher" / "tuf" / "metadata" / "1.root.json").read_text()
    watch = (lambda _path: "unhealthy") if phase == "rollback" else None
    clock = FakeClock()
    cloud = FaultyCloud(folder / "publisher" / "tuf", clock)
    parts = UpdaterParts(cloud.client(), clock, disk, passes, watch)
    updater = open_updater_with(parts, folder / "state", root_json)
    updater.recover()
    updater.apply(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), BundleTarget.from_json(sys.argv[4]))
