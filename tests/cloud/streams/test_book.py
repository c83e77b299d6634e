"""Leases, gaps and events in the database: nothing is watched twice, nothing forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.store import detectors, events, streams
from cloud.store.stream_tables import StreamRow
from cloud.store.streams import STREAM_DEVICE
from cloud.streams.book import Book, Held, Told
from cloud.streams.gaps import SightLog
from cloud.streams.leases import LEASE_S
from cloud.streams.settings import StreamSettings
from tests.cloud.homes import add_detector, make_home
from tests.fakes.clock import FakeClock
from tests.fakes.events import make_event


class Scene:
    """A home with one stream, and two workers that write to it."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.home = make_home(folder, self.clock)
        self.detector = add_detector(self.home)
        self.book = Book(self.home.database, self.clock)
        with self.home.database.write() as session:
            detectors.add_version(
                session, detector_id=self.detector, version=1, metrics={}, now_s=self.clock.now_s()
            )
            row = StreamRow(
                id="str_1",
                name="yard",
                address="rtsp://192.0.2.1/live",
                detectors=[[self.detector, None]],
                settings=StreamSettings().model_dump_json(),
                paused=False,
                created=self.clock.now_s(),
            )
            streams.add(session, row)

    def take(self, worker: str) -> Held | None:
        overview = self.book.look()
        if not overview.may_take("str_1"):
            return None
        return self.book.take(worker, overview.wanted["str_1"], overview.leases["str_1"])

    def watched(self, worker: str, held: Held, *pictures_s: float) -> frozenset[str]:
        log = SightLog(self.clock.now_s())
        for at_s in pictures_s:
            log.looked(at_s, "pictures are coming")
        return self.book.beat(worker, {"str_1": (held.token, log.take(), {"fps": 5.0})})

    def gaps(self) -> list[tuple[str, float, float | None]]:
        with self.home.database.read() as session:
            rows = streams.gaps(session, "str_1")
        return [(row.kind, row.began, row.ended) for row in reversed(rows)]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def told(seq: int, held: Held) -> list[tuple[Held, list[Told]]]:
    event = make_event(seq, camera="yard").model_copy(update={"device": STREAM_DEVICE})
    return [(held, [Told(seq, event, b"\xff\xd8\xff")])]


def test_stream_is_taken_by_one_worker_only(scene: Scene) -> None:
    overview = scene.book.look()
    wanted, lease = overview.wanted["str_1"], overview.leases["str_1"]
    assert wanted.detectors == ((scene.detector, 1),)
    first = scene.book.take("w1", wanted, lease)
    assert first is not None
    assert scene.book.take("w2", wanted, lease) is None, "it saw what was before the first took it"
    assert scene.take("w2") is None


def test_dead_worker_leaves_a_gap_from_its_last_picture_to_the_next_ones_first(scene: Scene) -> None:
    began_s = scene.clock.now_s()
    first = scene.take("w1")
    assert first is not None
    scene.watched("w1", first, began_s + 1.0, began_s + 2.0)
    scene.clock.advance(LEASE_S - 0.1)
    assert scene.take("w2") is None
    scene.clock.advance(0.2)
    second = scene.take("w2")
    assert second is not None
    assert second.token > first.token
    scene.watched("w2", second, began_s + 7.0)
    assert scene.gaps() == [("starting", began_s, began_s + 1.0), ("lost", began_s + 2.0, began_s + 7.0)]


def test_worker_that_was_thought_dead_stores_nothing_and_is_told(scene: Scene) -> None:
    first = scene.take("w1")
    assert first is not None
    assert len(scene.book.store("w1", told(1, first))) == 1
    scene.clock.advance(LEASE_S + 1.0)
    second = scene.take("w2")
    assert second is not None
    assert scene.watched("w1", first) == {"str_1"}
    assert scene.book.store("w1", told(2, first)) == ()
    assert len(scene.book.store("w2", told(3, second))) == 1


def test_events_that_a_dead_worker_left_open_are_ended_by_the_next(scene: Scene) -> None:
    first = scene.take("w1")
    assert first is not None
    scene.book.store("w1", told(1, first))
    assert scene.book.bury("w1") == 1
    second = scene.take("w2")
    assert second is not None
    with scene.home.database.read() as session:
        assert streams.open_events(session, "yard") == []
        assert events.count(session) == 1


def test_known_death_frees_at_once_what_only_time_would_free(scene: Scene) -> None:
    assert scene.take("pool-0.1") is not None
    assert scene.take("w2") is None
    scene.book.bury("pool-0")
    assert scene.take("w2") is not None


@pytest.mark.parametrize(
    ("buried", "left"),
    [
        ("pool-1", ["pool-12.7"]),
        ("pool-1.12", ["pool-1.123", "pool-12.7"]),
        ("pool-12.7", ["pool-1.12-0.5", "pool-1.123"]),
    ],
)
def test_buried_worker_counts_for_nothing_at_once_and_others_live(
    scene: Scene, buried: str, left: list[str]
) -> None:
    for name in ("pool-1.123", "pool-1.12-0.5", "pool-12.7"):
        scene.book.beat(name, {})
    scene.book.bury(buried)
    assert list(scene.book.look().workers) == left


def test_stream_that_is_let_go_says_why_it_is_not_watched(scene: Scene) -> None:
    held = scene.take("w1")
    assert held is not None
    at_s = scene.clock.now_s() + 1.0
    scene.watched("w1", held, at_s)
    scene.book.let_go("w1", held, SightLog(at_s).take(), "paused", "somebody paused it")
    assert scene.gaps()[-1] == ("paused", at_s, None)
    with scene.home.database.read() as session:
        assert streams.lease_of(session, "str_1").holder is None


def test_paused_stream_is_not_wanted_and_one_without_detector_says_so(scene: Scene) -> None:
    with scene.home.database.write() as session:
        streams.find(session, "yard").detectors = [["det_gone", None]]
    missing = scene.book.look().wanted["str_1"].missing
    assert missing is not None
    assert "det_gone" in missing
    with scene.home.database.write() as session:
        streams.find(session, "yard").paused = True
    assert scene.book.look().wanted == {}
