"""A home folder with a detector that sees something everywhere, and streams that real workers watch."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from cloud.actions.open_home import Home, open_home
from cloud.detector.files import save_detector
from cloud.detector.full import FullDetector
from cloud.settings import Settings
from cloud.store import detectors, streams
from cloud.store.stream_tables import StreamGapRow, StreamLeaseRow, StreamRow
from cloud.streams.settings import StreamSettings
from edge_agent.clock import SystemClock
from tests.cloud.detector.examples import small_detector

_PATIENCE_S = 120.0


class Streaming:
    """A home folder, and how its streams are."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(home=folder, stream_hosts=("127.0.0.1",))
        self.home: Home = open_home(settings, SystemClock())
        self.detector = add_seeing_detector(self.home, "pets", ("cat", "dog"))

    def watch(self, name: str, address: str) -> None:
        """Ask for a stream to be watched."""
        row = StreamRow(
            id=f"str_{name}",
            name=name,
            address=address,
            detectors=[[self.detector, None]],
            settings=StreamSettings().model_dump_json(),
            paused=False,
            created=self.home.clock.now_s(),
        )
        with self.home.database.write() as session:
            streams.add(session, row)

    def lease(self, name: str) -> StreamLeaseRow:
        with self.home.database.read() as session:
            return streams.lease_of(session, f"str_{name}")

    def gaps(self, name: str) -> list[StreamGapRow]:
        with self.home.database.read() as session:
            return streams.gaps(session, f"str_{name}")

    def until(self, holds: Callable[[], bool]) -> None:
        end_s = time.monotonic() + _PATIENCE_S
        while not holds():
            assert time.monotonic() < end_s, "what was waited for did not come"
            time.sleep(0.1)

    def until_watched(self, *names: str) -> None:
        self.until(lambda: all(self.lease(name).status == "online" for name in names))


def add_seeing_detector(home: Home, name: str, labels: tuple[str, ...], threshold: float = 0.3) -> str:
    """Make a detector with a version that sees something everywhere; nothing taught it."""
    now_s = home.clock.now_s()
    with home.database.write() as session:
        detector = detectors.create(session, name=name, labels=list(labels), now_s=now_s).id
        detectors.add_version(session, detector_id=detector, version=1, metrics={}, now_s=now_s)
    network = small_detector(*labels, threshold=threshold)
    with torch.no_grad():
        network.taught_head.get_parameter("scores.bias").add_(5.0)
    ref = network.ref.model_copy(update={"id": detector, "version": 1})
    spec = network.spec.model_copy(update={"detector": ref})
    save_detector(FullDetector(spec, network.taught_head), home.settings.detectors_path / detector / "v1")
    return detector
