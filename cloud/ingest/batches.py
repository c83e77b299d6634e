"""Stores batches of events: each event once, whatever is sent twice, out of order or broken in part."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json
from sqlalchemy.orm import Session

from cloud.ingest.order import contiguous_until, is_newer
from cloud.store import events
from cloud.store.sketch import lasts_class, sketch_of
from cloud.store.tables import EventState
from edge_agent.errors import ProtocolError
from edge_agent.wire.event import Event
from edge_agent.wire.sync import Ack, BatchItem, DroppedRange, EventBatch

_JPEG_MAGIC = b"\xff\xd8\xff"


@dataclass(frozen=True)
class BrokenItem:
    """One item of a batch that could not be understood."""

    payload: bytes
    reason: str


@dataclass(frozen=True)
class ParsedBatch:
    """A batch from outside; broken items stand beside it and count as forgotten: they never block others."""

    batch: EventBatch
    broken: tuple[BrokenItem, ...] = ()


@dataclass(frozen=True)
class StoredBatch:
    """What came of a batch: the answer to the device, and the events whose state is news."""

    ack: Ack
    news: tuple[Event, ...]


def parse_batch(payload: bytes, device: str) -> ParsedBatch:
    """Parse a batch that came on the topic of `device`.

    Raises:
        ProtocolError: Not even its frame can be read, or it names another device.
    """
    try:
        parsed = ParsedBatch(EventBatch.from_json(payload))
    except ValueError as error:
        parsed = _salvage(payload, error)
    if parsed.batch.device != device:
        message = f"the batch names device {parsed.batch.device!r}, but came on the topic of {device!r}"
        raise ProtocolError(message)
    return _put_strangers_aside(parsed)


def store_batch(session: Session, batch: EventBatch, *, now_s: float) -> StoredBatch:
    """Store what is new in a batch, and say up to where the epoch is whole.

    Args:
        session: A durable write session; send the answer only after its commit.
        batch: From a known device.
        now_s: UTC seconds since 1970.
    """
    fresh = _fresh_items(session, batch)
    events.insert_events(session, [_row(batch, item, now_s) for item in fresh])
    events.insert_gaps(session, [_gap_row(batch, gap, now_s) for gap in batch.dropped])
    news = _advance_states(session, batch.device, fresh, now_s)
    return StoredBatch(Ack(epoch=batch.epoch, seq=_acknowledge(session, batch)), tuple(news))


def _fresh_items(session: Session, batch: EventBatch) -> list[BatchItem]:
    if not batch.items:
        return []
    by_seq = {item.seq: item for item in reversed(batch.items)}
    known = events.known_seqs(session, batch.device, batch.epoch, min(by_seq), max(by_seq))
    return [by_seq[seq] for seq in sorted(by_seq) if seq not in known]


def _acknowledge(session: Session, batch: EventBatch) -> int:
    # Below `oldest_seq` nothing will come again: it was acknowledged before, perhaps to a database of which
    # only a backup is left. A hole above it waits: an earlier batch may have been lost on its way. A device
    # that names no `oldest_seq` sends one batch at a time, from its oldest on: then no hole will be filled.
    ends = [item.seq for item in batch.items] + [gap.last_seq for gap in batch.dropped]
    floor = max(ends, default=0) if batch.oldest_seq is None else batch.oldest_seq - 1
    start = max(events.acked_seq(session, batch.device, batch.epoch) or 0, floor)
    gaps = events.gaps_after(session, batch.device, batch.epoch, start)
    acked = contiguous_until(start, events.seqs_after(session, batch.device, batch.epoch, start), gaps)
    events.put_acked_seq(session, batch.device, batch.epoch, acked)
    return acked


def _advance_states(session: Session, device: str, items: Sequence[BatchItem], now_s: float) -> list[Event]:
    states = events.states_of(session, device, (item.event.id for item in items))
    latest = {event_id: Event.from_json(state.body) for event_id, state in states.items()}
    news: dict[str, Event] = {}
    for item in items:
        event = item.event
        if (jpeg := _picture(item)) is not None:
            events.put_thumbnail(session, device, event.id, jpeg)
        if is_newer(event, latest.get(event.id)):
            latest[event.id] = news[event.id] = event
        state = states.get(event.id)
        if state is None:
            state = states[event.id] = EventState(device=device, event_id=event.id, has_thumbnail=False)
            session.add(state)
        state.has_thumbnail = state.has_thumbnail or jpeg is not None
        _fill(state, latest[event.id], now_s)
    return list(news.values())


def _fill(state: EventState, event: Event, now_s: float) -> None:
    state.camera, state.label = event.camera, event.label
    state.detector_id, state.detector_version = event.detector.id, event.detector.version
    state.answered_by = event.answered_by
    state.start_time, state.end_time, state.frame_time = event.start_time, event.end_time, event.frame_time
    state.lasts = lasts_class(event.frame_time - event.start_time)
    state.sketch = sketch_of(
        event.box, event.frame_size.height_px / event.frame_size.width_px, event.top_score
    )
    state.body, state.received = event.to_json(), now_s


def _row(batch: EventBatch, item: BatchItem, now_s: float) -> dict[str, Any]:
    return {
        "device": batch.device,
        "epoch": batch.epoch,
        "seq": item.seq,
        "event_id": item.event.id,
        "body": item.event.to_json(),
        "received": now_s,
    }


def _gap_row(batch: EventBatch, gap: DroppedRange, now_s: float) -> dict[str, Any]:
    return {
        "device": batch.device,
        "epoch": batch.epoch,
        "first_seq": gap.first_seq,
        "last_seq": gap.last_seq,
        "reason": gap.reason,
        "received": now_s,
    }


def _picture(item: BatchItem) -> bytes | None:
    if item.thumbnail_jpeg_base64 is None:
        return None
    try:
        jpeg = base64.b64decode(item.thumbnail_jpeg_base64, validate=True)
    except (binascii.Error, ValueError):
        return None
    return jpeg if jpeg.startswith(_JPEG_MAGIC) else None


def _put_strangers_aside(parsed: ParsedBatch) -> ParsedBatch:
    """Take events out that name another device than the one that sent them."""
    batch = parsed.batch
    strangers = [item for item in batch.items if item.event.device != batch.device]
    if not strangers:
        return parsed
    reason = f"names another device than {batch.device!r}, which sent it"
    broken = [BrokenItem(item.to_json().encode(), reason) for item in strangers]
    gaps = [_forgotten(item.seq) for item in strangers]
    good = tuple(item for item in batch.items if item.event.device == batch.device)
    changed = batch.model_copy(update={"items": good, "dropped": (*batch.dropped, *gaps)})
    return ParsedBatch(changed, (*parsed.broken, *broken))


def _forgotten(seq: int) -> DroppedRange:
    return DroppedRange(first_seq=seq, last_seq=seq, reason="could not be understood")


def _salvage(payload: bytes, error: ValueError) -> ParsedBatch:
    """Keep the good items of a batch that does not match as a whole."""
    try:
        document = from_json(payload)
        raw_items = list(document.pop("items"))
        frame = EventBatch.model_validate({**document, "items": []})
    except (ValueError, KeyError, TypeError, AttributeError) as broken:
        message = f"not a batch of events: {_first_line(error)}"
        raise ProtocolError(message) from broken
    items: list[BatchItem] = []
    broken_items: list[BrokenItem] = []
    gaps: list[DroppedRange] = []
    for raw in raw_items:
        try:
            items.append(BatchItem.model_validate(raw))
        except ValidationError as reason:
            broken_items.append(BrokenItem(json.dumps(raw).encode(), _first_line(reason)))
            seq = raw.get("seq") if isinstance(raw, dict) else None
            if isinstance(seq, int) and seq >= 1:
                gaps.append(_forgotten(seq))
    update = {"items": tuple(items), "dropped": (*frame.dropped, *gaps)}
    return ParsedBatch(frame.model_copy(update=update), tuple(broken_items))


def _first_line(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return str(error).splitlines()[0]
