"""A group of batches ends as if they had been stored one after the other, however it is cut."""

from __future__ import annotations

import base64
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.actions.open_home import Home
from cloud.ingest.batches import StoredBatch, store_batch, store_batches
from cloud.store.tables import Base, EventGap, EventState, Spool, StoredEvent, Thumbnail
from edge_agent.wire.event import EventType
from edge_agent.wire.sync import BatchItem, DroppedRange, EventBatch
from tests.cloud.homes import batch, item, jpeg, later, make_home
from tests.fakes.events import make_event

_RUNS = itertools.count()
_TABLES: tuple[type[Base], ...] = (EventGap, EventState, Spool, StoredEvent, Thumbnail)
_PICTURES = (None, "PHN2Zz4=", *(base64.b64encode(jpeg(grey=grey)).decode() for grey in (10, 200)))
_NUMBERS = st.integers(1, 12)


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory() as folder:
        home = make_home(Path(folder))
        yield home
        home.database.close()


@st.composite
def items(draw: st.DrawFn) -> BatchItem:
    kind: EventType = draw(st.sampled_from(get_args(EventType)))
    event = later(make_event(draw(st.integers(1, 4))), draw(st.sampled_from((0.0, 1.0, 2.0))), kind)
    return BatchItem(seq=draw(_NUMBERS), event=event, thumbnail_jpeg_base64=draw(st.sampled_from(_PICTURES)))


@st.composite
def ranges(draw: st.DrawFn) -> DroppedRange:
    first = draw(_NUMBERS)
    return DroppedRange(first_seq=first, last_seq=first + draw(st.integers(0, 3)), reason=draw(st.text("ab")))


@st.composite
def batches(draw: st.DrawFn) -> EventBatch:
    return EventBatch(
        device=draw(st.sampled_from(("a", "b"))),
        epoch=draw(st.sampled_from(("epoch-1", "epoch-2"))),
        items=tuple(draw(st.lists(items(), max_size=4))),
        dropped=tuple(draw(st.lists(ranges(), max_size=2))),
        oldest_seq=draw(st.none() | st.integers(1, 8)),
    )


def of_run(sent: EventBatch, run: str) -> EventBatch:
    """Return the batch as devices of a run of their own send it, so that all runs share one database."""
    device = f"{run}-{sent.device}"
    own = [
        one.model_copy(update={"event": one.event.model_copy(update={"device": device})})
        for one in sent.items
    ]
    return sent.model_copy(update={"device": device, "items": tuple(own)})


def rows_of(session: Session, run: str) -> list[tuple[str, list[dict[str, Any]]]]:
    found = []
    for kind in _TABLES:
        table = kind.__table__
        query = select(*(column for column in table.c if column.name != "id"))
        rows = session.execute(query.where(table.c.device.startswith(f"{run}-"))).mappings()
        named = [{name: _without(value, run) for name, value in row.items()} for row in rows]
        found.append((kind.__tablename__, sorted(named, key=str)))
    return found


def _without(value: object, run: str) -> object:
    return value.replace(f"{run}-", "") if isinstance(value, str) else value


def outcome(stored: Sequence[StoredBatch], run: str) -> list[tuple[str, list[str]]]:
    return [
        (one.ack.to_json(), [event.to_json().replace(f"{run}-", "") for event in one.news]) for one in stored
    ]


@settings(max_examples=30, deadline=None)
@given(
    sent=st.lists(batches(), min_size=1, max_size=8), cuts=st.lists(st.integers(1, 4), min_size=8, max_size=8)
)
def test_group_ends_as_if_its_batches_were_stored_one_by_one(
    home: Home, sent: list[EventBatch], cuts: list[int]
) -> None:
    number = next(_RUNS)
    single, grouped = f"s{number}", f"g{number}"
    with home.database.write() as session:
        one_by_one = [store_batch(session, of_run(one, single), now_s=1.0) for one in sent]
        waiting, together = [of_run(one, grouped) for one in sent], []
        for cut in cuts:
            together += store_batches(session, waiting[:cut], now_s=1.0)
            waiting = waiting[cut:]
        assert outcome(together, grouped) == outcome(one_by_one, single)
        assert rows_of(session, grouped) == rows_of(session, single)


def test_hole_that_is_filled_lets_a_line_go_on_behind_forgotten_numbers_that_are_far_away(home: Home) -> None:
    far = 50_000
    forgotten = DroppedRange(first_seq=3, last_seq=far, reason="quota")
    sent = [
        batch(item(1), oldest_seq=1),
        batch(item(far + 1, 2), dropped=(forgotten,), oldest_seq=2),
        batch(item(2, 3), oldest_seq=2),
    ]
    acks = []
    for one in sent:
        with home.database.write() as session:
            acks.append(store_batch(session, of_run(one, "far"), now_s=1.0).ack.seq)
    assert acks == [1, 1, far + 1]


def test_state_that_was_loaded_before_is_read_anew(home: Home) -> None:
    first = of_run(batch(item(1)), "anew")
    ended = of_run(batch(BatchItem(seq=2, event=later(make_event(1), 1.0, "end"))), "anew")
    with home.database.write() as session:
        store_batch(session, first, now_s=1.0)
        state = session.get_one(EventState, (first.device, make_event(1).id))
        store_batch(session, ended, now_s=2.0)
        assert (state.received, state.body) == (2.0, ended.items[0].event.to_json())
