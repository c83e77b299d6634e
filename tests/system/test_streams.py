"""Streams with real workers and a real RTSP camera: kill -9, a camera that dies, no doubles."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cloud.store import events, streams
from cloud.streams.pool import StreamPool
from edge_agent.clock import SystemClock
from tests.cloud.scan.squares import write_squares
from tests.fakes.rtsp_server import RtspServer
from tests.system.streaming import Streaming

pytestmark = [pytest.mark.system, pytest.mark.slow]


def holder_pid(scene: Streaming, name: str) -> int | None:
    holder = scene.lease(name).holder
    return None if holder is None else int(holder.rpartition(".")[2])


def test_killed_worker_leaves_a_gap_and_the_other_watches_on_until_the_camera_dies(
    tmp_path: Path,
) -> None:
    scene = Streaming(tmp_path)
    heard: list[dict[str, Any]] = []
    pool = StreamPool(scene.home.settings, scene.home.database, SystemClock(), on_event=heard.append)
    scene.home.settings.recordings_path.mkdir()
    write_squares(scene.home.settings.recordings_path / "yard.mp4")
    with RtspServer() as camera:
        scene.watch("yard", camera.url)
        scene.watch("file", "yard.mp4")
        pool.start()
        try:
            scene.until_watched("yard", "file")
            scene.until(lambda: len(heard) > 0)
            killed = holder_pid(scene, "yard")
            assert killed in pool.process_ids
            os.kill(killed or 0, signal.SIGKILL)
            scene.until(lambda: holder_pid(scene, "yard") not in {None, killed})
            scene.until_watched("yard", "file")
            scene.until(lambda: all(gap.ended is not None for gap in scene.gaps("yard")))
            newest = scene.gaps("yard")[0]
            assert newest.kind == "lost"
            assert newest.began < (newest.ended or 0.0)
            camera.kill()
            scene.until(lambda: scene.lease("yard").status == "offline")
            assert "camera" in scene.lease("yard").reason
            camera.start()
            scene.until_watched("yard")
        finally:
            pool.stop()
    assert {scene.gaps(name)[0].kind for name in ("yard", "file")} == {"stopped"}
    with scene.home.database.read() as session:
        assert events.count(session) > 0
        assert streams.open_events(session, "yard") == [], "whoever stopped ended what it had begun"
    begun = Counter(event["id"] for event in heard if event["event_type"] == "new")
    assert max(begun.values()) == 1, "an event began twice"
