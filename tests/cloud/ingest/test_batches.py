"""Batches of events: each event once, in spite of repeats, holes and broken items."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from cloud.actions.open_home import Home
from cloud.ingest.batches import parse_batch, store_batch
from cloud.store import events
from edge_agent.errors import ProtocolError
from edge_agent.wire.event import Event
from edge_agent.wire.sync import BatchItem, DroppedRange, EventBatch
from tests.cloud.homes import DEVICE, batch, item, jpeg, later, make_home
from tests.fakes.events import make_event


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


def store(home: Home, sent: EventBatch) -> int:
    with home.database.write(durable=True) as session:
        return store_batch(session, sent, now_s=1.0).ack.seq


def state(home: Home, event_id: str) -> Event:
    with home.database.read() as session:
        return Event.from_json(events.find(session, event_id).body)


def documents(home: Home) -> int:
    with home.database.read() as session:
        return events.count(session, documents=True)


def test_batch_sent_twice_is_stored_once_and_acknowledged_twice(home: Home) -> None:
    sent = batch(item(1), item(2, 2))
    assert [store(home, sent), store(home, sent)] == [2, 2]
    assert documents(home) == 2


def test_batch_after_a_lost_one_is_stored_but_the_hole_is_not_acknowledged(home: Home) -> None:
    assert store(home, batch(item(1), oldest_seq=1)) == 1
    assert store(home, batch(item(4, 4), oldest_seq=2)) == 1
    assert store(home, batch(item(2, 2), item(3, 3), oldest_seq=2)) == 4
    assert documents(home) == 4


def test_batch_of_a_device_that_sends_one_at_a_time_is_acknowledged_to_its_end(home: Home) -> None:
    assert store(home, batch(item(101), item(103, 2))) == 103


def test_hole_below_the_oldest_in_the_spool_does_not_block(home: Home) -> None:
    assert store(home, batch(item(101), oldest_seq=101)) == 101


def test_range_that_the_device_forgot_does_not_block_and_may_grow(home: Home) -> None:
    dropped = DroppedRange(first_seq=1, last_seq=3, reason="quota")
    assert store(home, batch(item(4), dropped=(dropped,), oldest_seq=1)) == 4
    grown = dropped.model_copy(update={"last_seq": 8})
    assert store(home, batch(item(9, 2), dropped=(grown,), oldest_seq=1)) == 9


def test_same_number_of_another_epoch_is_another_event(home: Home) -> None:
    store(home, batch(item(1)))
    other = batch(item(1, 2)).model_copy(update={"epoch": "epoch-2"})
    assert store(home, other) == 1
    assert documents(home) == 2


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_state_of_an_event_is_its_end_in_any_order(home: Home, order: tuple[int, ...]) -> None:
    first = make_event(1)
    history = [first, later(first, 1.0), later(first, 2.0), later(first, 3.0, "end")]
    for index in order:
        store(home, batch(BatchItem(seq=index + 1, event=history[index])))
    assert state(home, first.id) == history[-1]
    assert documents(home) == 4


def test_thumbnail_is_kept_and_what_is_no_jpeg_is_not(home: Home) -> None:
    picture = jpeg()
    store(
        home,
        batch(item(1, 1, thumbnail=base64.b64encode(picture).decode()), item(2, 2, thumbnail="PHN2Zz4=")),
    )
    with home.database.read() as session:
        assert events.thumbnail(session, make_event(1).id) == picture
        assert not events.find(session, make_event(2).id).has_thumbnail


def test_broken_item_is_put_aside_and_does_not_block_its_neighbours(home: Home) -> None:
    raw = json.loads(batch(item(1), item(2, 2), item(3, 3)).to_json())
    raw["items"][1]["event"]["score"] = "much"
    parsed = parse_batch(json.dumps(raw).encode(), DEVICE)
    assert [kept.seq for kept in parsed.batch.items] == [1, 3]
    assert "score" in parsed.broken[0].reason
    assert store(home, parsed.batch) == 3


def test_event_that_names_another_device_is_put_aside(home: Home) -> None:
    stranger = item(1).event.model_copy(update={"device": "neighbour"})
    sent = batch(BatchItem(seq=1, event=stranger), item(2, 2))
    parsed = parse_batch(sent.to_json().encode(), DEVICE)
    assert [kept.seq for kept in parsed.batch.items] == [2]
    assert store(home, parsed.batch) == 2


def test_event_whose_id_no_database_keeps_is_put_aside(home: Home) -> None:
    raw = json.loads(batch(item(1), item(2, 2)).to_json())
    raw["items"][0]["event"]["id"] += "\0"
    parsed = parse_batch(json.dumps(raw).encode(), DEVICE)
    assert [kept.seq for kept in parsed.batch.items] == [2]
    assert "NUL" in parsed.broken[0].reason
    assert store(home, parsed.batch) == 2


def test_epoch_that_no_database_keeps_is_a_protocol_error() -> None:
    sent = batch(item(1)).model_copy(update={"epoch": "epoch\0"})
    with pytest.raises(ProtocolError, match="NUL"):
        parse_batch(sent.to_json().encode(), DEVICE)


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{}", b"\xff\xfe", b'{"device": "porch", "epoch": "e", "items": 3}', b"[" * 5000]
)
def test_payload_that_is_no_batch_is_a_protocol_error(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_batch(payload, DEVICE)


def test_batch_of_another_device_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="'porch'"):
        parse_batch(batch(item(1)).to_json().encode(), "neighbour")
