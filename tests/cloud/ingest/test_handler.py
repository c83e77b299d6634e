"""What each MQTT message does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloud.actions.corrections import record
from cloud.actions.open_home import Home
from cloud.fleet.sightings import Sightings
from cloud.ingest.handler import Handler, Incoming
from cloud.ingest.live import LiveFeed
from cloud.store import corrections, devices, events
from edge_agent.errors import StorageError
from edge_agent.wire.correction import Correction, Feedback
from edge_agent.wire.status import Stats
from edge_agent.wire.topics import Topics
from tests.cloud.homes import DEVICE, add_device, batch, item, make_home
from tests.fakes.clock import FakeClock

TOPICS = Topics(DEVICE)


class Recorder:
    """Records corrections as the running cloud does."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def __call__(self, correction: Correction) -> None:
        with self._home.database.write() as session:
            record(session, correction, now_s=self._home.clock.now_s())

    @property
    def said(self) -> list[Correction]:
        with self._home.database.read() as session:
            return [corrections.document_of(row) for row in reversed(corrections.every(session))]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def home(tmp_path: Path, clock: FakeClock) -> Home:
    home = make_home(tmp_path, clock)
    add_device(home)
    return home


@pytest.fixture
def recorder(home: Home) -> Recorder:
    return Recorder(home)


@pytest.fixture
def handler(home: Home, recorder: Recorder) -> Handler:
    return Handler(home.database, home.clock, LiveFeed(), recorder, "elfowl")


def events_message(seq: int) -> Incoming:
    return Incoming(TOPICS.up_events, batch(item(seq, seq), oldest_seq=seq).to_json().encode())


def feedback(verdict: str = "wrong", **fields: object) -> Incoming:
    document = Feedback.model_validate({"verdict": verdict, "event_id": "event-000001", **fields})
    return Incoming(TOPICS.feedback, document.to_json().encode())


def dead_letters(home: Home) -> list[str]:
    with home.database.read() as session:
        return [letter.reason for letter in events.dead_letters(session)]


def test_batches_of_one_group_are_answered_with_one_cumulative_acknowledgement(handler: Handler) -> None:
    answers = handler.handle([events_message(1), events_message(2)])
    assert [(answer.topic, json.loads(answer.payload)["seq"]) for answer in answers] == [(TOPICS.down_ack, 2)]


def test_batch_of_a_device_that_is_not_enrolled_is_neither_stored_nor_answered(
    handler: Handler, home: Home
) -> None:
    with home.database.write() as session:
        devices.remove(session, DEVICE)
    assert handler.handle([events_message(1)]) == []
    with home.database.read() as session:
        assert events.count(session) == 0


def test_poison_beside_a_good_batch_is_put_aside_and_the_good_one_answered(
    handler: Handler, home: Home
) -> None:
    answers = handler.handle([Incoming(TOPICS.up_events, b"poison"), events_message(1)])
    assert len(answers) == 1
    assert len(dead_letters(home)) == 1


@pytest.mark.parametrize(
    ("payload", "retained", "online"),
    [
        (b"online", False, True),
        (b"offline", False, False),
        (b"offline", True, False),
        (b"online", True, False),
    ],
)
def test_availability_is_noted_but_an_old_online_is_not_believed(
    handler: Handler, home: Home, payload: bytes, retained: bool, online: bool
) -> None:
    handler.handle([Incoming(TOPICS.available, payload, retained)])
    with home.database.read() as session:
        assert devices.find(session, DEVICE).online is online


@pytest.mark.parametrize(
    ("words", "online"),
    [
        ([("online", "s1"), ("online", "s2"), ("offline", "s1")], True),
        ([("online", "s1"), ("online", "s2"), ("offline", "s2")], False),
        ([("online", "s1"), ("offline", "s1"), ("online", "s2"), ("offline", "s1")], True),
        ([("online", "s1"), ("online", None), ("offline", "s1")], False),
        ([("online", "s1"), ("offline", None)], False),
    ],
)
def test_will_of_an_earlier_connection_is_ignored(
    handler: Handler, home: Home, words: list[tuple[str, str | None]], online: bool
) -> None:
    for payload, name in words:
        handler.handle([Incoming(TOPICS.available, payload.encode(), session=name)])
    with home.database.read() as session:
        assert devices.find(session, DEVICE).online is online


def test_will_is_told_from_the_present_connection_also_after_a_restart(handler: Handler, home: Home) -> None:
    handler.handle(
        [
            Incoming(
                TOPICS.stats,
                Stats(device=DEVICE, agent_version="1", uptime_s=1.0, cameras={}).to_json().encode(),
            )
        ]
    )
    handler.handle([Incoming(TOPICS.available, b"online", retained=True, session="s2")])
    handler.handle([Incoming(TOPICS.available, b"offline", session="s1")])
    with home.database.read() as session:
        assert devices.find(session, DEVICE).online


def test_device_that_left_is_not_brought_back_by_what_was_seen_before(home: Home, recorder: Recorder) -> None:
    sightings = Sightings()
    sightings.note(DEVICE, 5.0)
    handler = Handler(home.database, home.clock, LiveFeed(), recorder, "elfowl", None, sightings.forget)
    handler.handle([Incoming(TOPICS.available, b"offline")])
    assert sightings.take() == {}
    with home.database.read() as session:
        device = devices.find(session, DEVICE)
        assert (device.online, device.last_seen) == (False, 5.0)


def test_stats_are_kept_and_show_that_the_device_lives(handler: Handler, home: Home) -> None:
    stats = Stats(device=DEVICE, agent_version="0.1.0", uptime_s=5.0, cameras={})
    handler.handle([Incoming(TOPICS.stats, stats.to_json().encode())])
    with home.database.read() as session:
        device = devices.find(session, DEVICE)
    assert device.online
    assert json.loads(device.stats or "")["uptime_s"] == 5.0


def test_stats_of_another_device_are_put_aside(handler: Handler, home: Home) -> None:
    stats = Stats(device="neighbour", agent_version="0.1.0", uptime_s=5.0, cameras={})
    handler.handle([Incoming(TOPICS.stats, stats.to_json().encode())])
    assert "neighbour" in dead_letters(home)[0]


def test_feedback_becomes_a_correction_once_however_often_it_is_delivered(
    handler: Handler, recorder: Recorder
) -> None:
    handler.handle([events_message(1)])
    handler.handle([feedback(author="phone"), feedback(author="phone")])
    handler.handle([feedback(author="phone")])
    (said,) = recorder.said
    assert (said.verdict, said.device, said.source, said.author) == ("wrong", DEVICE, "mqtt", "phone")


def test_feedback_about_a_missed_object_is_one_correction_even_when_it_comes_again_later(
    handler: Handler, recorder: Recorder, home: Home, clock: FakeClock
) -> None:
    missed = Feedback(verdict="missed", camera="front", time=5.0, label="person", box=(0.1, 0.1, 0.2, 0.2))
    message = Incoming(TOPICS.feedback, missed.to_json().encode())
    handler.handle([message])
    clock.advance(60.0)
    handler.handle([message])
    (said,) = recorder.said
    assert (said.camera, said.time, said.box) == ("front", 5.0, missed.box)
    with home.database.read() as session:
        wanted = devices.desired_of(session, DEVICE).frames_wanted
    assert [(frame.request_id, frame.event_id, frame.time) for frame in wanted] == [(said.id, None, 5.0)]


def test_feedback_that_changes_its_mind_is_another_correction(
    handler: Handler, recorder: Recorder, clock: FakeClock
) -> None:
    handler.handle([events_message(1), feedback("wrong")])
    for verdict in ("wrong", "right"):
        clock.advance(1.0)
        handler.handle([events_message(1), feedback(verdict)])
    assert [said.verdict for said in recorder.said] == ["wrong", "right"]


def test_feedback_about_an_unknown_event_is_put_aside(
    handler: Handler, recorder: Recorder, home: Home
) -> None:
    assert handler.handle([feedback(), events_message(1)])
    assert recorder.said == []
    assert "there is no event" in dead_letters(home)[0]


def test_batch_that_cannot_be_stored_is_not_answered(handler: Handler, home: Home) -> None:
    home.database.close()
    home.settings.database_path.write_bytes(b"broken" * 1000)
    for suffix in ("-wal", "-shm"):
        home.settings.database_path.with_name("elfowl.sqlite" + suffix).unlink(missing_ok=True)
    with pytest.raises(StorageError):
        handler.handle([events_message(1)])
