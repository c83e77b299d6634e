"""One stream's thread with a camera that shows squares: events, troubles, thresholds."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Self

import numpy as np
import pytest

from cloud.errors import NotFoundError
from cloud.store.streams import STREAM_DEVICE
from cloud.streams.book import DetectorKey, Held, Told, Wanted
from cloud.streams.settings import StreamSettings
from cloud.streams.watcher import StreamWatch, WatchPorts, small_pictures, sparing
from edge_agent.camera.frame import FrameSource
from edge_agent.clock import SystemClock
from edge_agent.pipeline.cadence import SPARING
from edge_agent.pipeline.detector import LabelRule
from edge_agent.pipeline.result import SnapshotCandidate
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.rules import CameraRules, ZoneRule
from tests.fakes.squares import REF, SquareCamera, SquareDetector

WHOLE = ZoneRule(name="everywhere", corners=((0, 0), (1, 0), (1, 1), (0, 1)))
HELD = Held(
    Wanted(
        "str_1",
        "yard",
        "rtsp://192.0.2.1/",
        StreamSettings(rules=CameraRules(zones=(WHOLE,))),
        (("squares", 1),),
    ),
    token=3,
)


class LabelledSquares(SquareDetector):
    """Implements `StreamDetector`."""

    @property
    def labels(self) -> Mapping[str, LabelRule]:
        return {"red_square": LabelRule("red_square", "red square", 0.5, REF)}


def never_opened(_wanted: Wanted) -> FrameSource:
    raise AssertionError


class Yard:
    """A watch of the square camera, and what it told."""

    def __init__(self, *, broken: bool = False, missing: bool = False) -> None:
        self.clock = SystemClock()
        self.camera = SquareCamera(self.clock, fps=20.0, seen_s=1.0, period_s=2.0)
        self.told: queue.SimpleQueue[Told] = queue.SimpleQueue()
        detector = LabelledSquares(broken=broken)

        def open_detector(_keys: Sequence[DetectorKey]) -> LabelledSquares:
            if missing:
                message = "this cloud has no trained detector 'squares'"
                raise NotFoundError(message)
            return detector

        ports = WatchPorts(
            never_opened, open_detector, lambda _rgb: b"jpeg", lambda _held, one: self.told.put(one),
            self.clock, Random(1),
        )  # fmt: skip
        self.watch = StreamWatch(HELD, ports, self.camera)

    def __enter__(self) -> Self:
        self.watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.watch.stop()

    def until(self, holds: Callable[[], bool]) -> None:
        waited = threading.Event()
        for _ in range(600):
            if holds():
                return
            waited.wait(0.1)
        raise AssertionError(self.watch.sight())


def test_watch_tells_events_as_a_camera_does_and_says_that_the_cloud_saw_it() -> None:
    with Yard() as yard:
        new = yard.told.get(timeout=60)
        event = new.event
        assert (event.event_type, event.device, event.camera) == ("new", STREAM_DEVICE, "yard")
        assert (event.answered_by, event.label, event.zones.current) == (
            "cloud",
            "red_square",
            ("everywhere",),
        )
        assert (new.seq, new.jpeg) == (1, b"jpeg")
        assert yard.watch.sight().status == "online"
        assert yard.watch.figures()["looked"] >= 1


def test_camera_that_goes_away_ends_what_was_seen_and_is_told_in_words() -> None:
    with Yard() as yard:
        yard.told.get(timeout=60)
        yard.camera.offline = "connection refused"
        yard.until(lambda: yard.watch.sight().status == "offline")
    assert yard.watch.sight().reason == "connection refused"
    last = [yard.told.get_nowait() for _ in range(yard.told.qsize())][-1]
    assert last.event.event_type == "end"


@pytest.mark.parametrize(
    ("broken", "missing", "says"), [(True, False, "the network failed"), (False, True, "cannot be loaded")]
)
def test_stream_whose_detector_fails_does_not_count_as_watched(
    broken: bool, missing: bool, says: str
) -> None:
    with Yard(broken=broken, missing=missing) as yard:
        yard.until(lambda: yard.watch.sight().status == "offline")
        assert says in yard.watch.sight().reason
        assert yard.watch.sight().watched_s is None


def test_stream_without_a_detector_says_what_to_do() -> None:
    yard = Yard()
    missing = replace(HELD.wanted, missing="its detector det_1 is gone; give the stream another one")
    yard.watch.follow(missing)
    with yard:
        yard.until(lambda: "another one" in yard.watch.sight().reason)
        assert yard.watch.sight().watched_s is None


def test_streams_rest_each_in_a_beat_of_its_own() -> None:
    rng = Random(1)
    looks = [sparing(rng).look for _ in range(20)]
    assert len({look.rest_share for look in looks}) == 20
    for look in looks:
        beat = look.rest_share / SPARING.rest_share
        assert 0.8 <= beat <= 1.25
        assert look.unsure_share == pytest.approx(beat * SPARING.unsure_share)


def test_events_of_one_picture_share_its_small_picture() -> None:
    first, second = (np.full((2, 2, 3), level, np.uint8) for level in (10, 20))
    seen: list[int] = []

    def small_jpeg(rgb: Rgb) -> bytes:
        seen.append(int(rgb[0, 0, 0]))
        return bytes([seen[-1]])

    shown = [
        SnapshotCandidate(event, "person", 0.9, (0.0, 0.0, 1.0, 1.0), rgb)
        for event, rgb in (("a", first), ("b", second), ("c", first))
    ]
    assert small_pictures(shown, small_jpeg) == {"a": b"\n", "b": b"\x14", "c": b"\n"}
    assert seen == [10, 20]
