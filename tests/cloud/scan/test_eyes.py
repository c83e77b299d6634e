"""Several pictures are looked at at once, and answered as if they were looked at one by one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from cloud.datasets.video import read_frames
from cloud.scan.eyes import BundleEyes
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.runtime.backend import Backend
from edge_agent.runtime.bundle import open_bundle
from edge_agent.runtime.select import open_backend
from edge_agent.starter.location import starter_bundle_path
from edge_agent.vision.arrays import Float32, Rgb
from tests.cloud.scan.squares import write_squares


class Meeting:
    """A backend that looks only once another one looks too."""

    def __init__(self, backend: Backend, both: threading.Barrier) -> None:
        self._backend = backend
        self._both = both

    def infer(self, pixels: Rgb) -> dict[str, Float32]:
        self._both.wait(60.0)
        return self._backend.infer(pixels)

    def close(self) -> None:
        self._backend.close()


@pytest.fixture
def pictures(tmp_path: Path) -> list[Rgb]:
    return [rgb for _, rgb in read_frames(write_squares(tmp_path / "film.mp4"), (0, 40, 60, 130))]


def test_pictures_looked_at_at_once_are_answered_in_their_order(pictures: list[Rgb]) -> None:
    bundle, both = open_bundle(starter_bundle_path()), threading.Barrier(2)
    two = [BundleDetector(bundle, Meeting(open_backend(bundle, 1), both)) for _ in range(2)]
    one_by_one = BundleEyes(BundleDetector.open(bundle)).look(pictures)
    assert BundleEyes(*two).look(pictures) == one_by_one
    assert {len(answers) for answers in one_by_one.values()} == {len(pictures)}
