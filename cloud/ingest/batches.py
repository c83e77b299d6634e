"""Stores batches of events: each event once, whatever is sent twice, out of order or broken in part."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json
from sqlalchemy.orm import Session

from cloud.ingest.plan import Fresh, Numbers, States, fresh_of, spans_of
from cloud.store import spooled
from cloud.store.sketch import lasts_class, sketch_of
from cloud.store.spooled import Key, Line
from edge_agent.errors import ProtocolError
from edge_agent.wire.event import Event
from edge_agent.wire.sync import Ack, BatchItem, DroppedRange, EventBatch

_NUL = "\0"


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
        ProtocolError: Not even its frame can be read or kept, or it names another device.
    """
    try:
        parsed = ParsedBatch(EventBatch.from_json(payload))
    except ValueError as error:
        parsed = _salvage(payload, error)
    if parsed.batch.device != device:
        message = f"the batch names device {parsed.batch.device!r}, but came on the topic of {device!r}"
        raise ProtocolError(message)
    if _NUL in parsed.batch.epoch:
        message = f"the epoch of a batch of {device!r} holds a NUL, which databases do not keep"
        raise ProtocolError(message)
    return _put_aside(parsed)


def store_batch(session: Session, batch: EventBatch, *, now_s: float) -> StoredBatch:
    """Store what is new in a batch, and say up to where the epoch is whole.

    Args:
        session: A durable write session; send the answer only after its commit.
        batch: From a known device.
        now_s: UTC seconds since 1970.
    """
    (stored,) = store_batches(session, [batch], now_s=now_s)
    return stored


def store_batches(session: Session, batches: Sequence[EventBatch], *, now_s: float) -> list[StoredBatch]:
    """Store what is new in batches of any devices, as if one came after the other.

    Args:
        session: A durable write session; send the answers only after its commit.
        batches: From known devices, in the order in which they came.
        now_s: UTC seconds since 1970.

    Returns:
        What came of each.
    """
    if not batches:
        return []
    session.flush()
    lines = _numbers_of(session, batches)
    before = {line: numbers.acked for line, numbers in lines.items() if numbers.is_known}
    fresh: list[list[Fresh]] = []
    acks: list[Ack] = []
    for batch in batches:
        numbers = lines[_line(batch)]
        fresh.append([fresh_of(item) for item in numbers.take(batch)])
        acks.append(Ack(epoch=batch.epoch, seq=numbers.acked))
    told = list(zip(batches, fresh, strict=True))
    keys = {(batch.device, one.event.id) for batch, some in told for one in some}
    states = States(spooled.states_of(session, keys))
    news = [states.take(batch.device, some) for batch, some in told]
    spooled.insert_events(session, [_event_row(batch, one, now_s) for batch, some in told for one in some])
    _write_lines(session, lines, before, now_s)
    _write_states(session, states, now_s)
    return [StoredBatch(ack, some) for ack, some in zip(acks, news, strict=True)]


def _numbers_of(session: Session, batches: Sequence[EventBatch]) -> dict[Line, Numbers]:
    """Return the numbers of all lines of a group, as far as they matter to it."""
    by_line: dict[Line, list[EventBatch]] = {}
    for batch in batches:
        by_line.setdefault(_line(batch), []).append(batch)
    acked = spooled.acked_seqs(session, by_line)
    starts = {line: acked.get(line, 0) for line in by_line}
    open_gaps = spooled.gaps_after(session, starts)
    told_again = spooled.gaps_at(
        session,
        {(line, gap.first_seq) for line, some in by_line.items() for one in some for gap in one.dropped},
    )
    gaps = {line: open_gaps.get(line, {}) | told_again.get(line, {}) for line in by_line}
    spans = [
        span
        for line, some in by_line.items()
        for span in spans_of(line, some, starts[line], gaps[line].values())
    ]
    seqs = spooled.stored_seqs(session, spans)
    return {line: Numbers(line in acked, starts[line], seqs.get(line, set()), gaps[line]) for line in by_line}


def _write_lines(
    session: Session, lines: Mapping[Line, Numbers], before: Mapping[Line, int], now_s: float
) -> None:
    new_gaps = [
        _gap_row(line, gap, numbers.gaps[first], now_s)
        for line, numbers in lines.items()
        for first, gap in numbers.new_gaps.items()
    ]
    grown = {(line, first): numbers.gaps[first] for line, numbers in lines.items() for first in numbers.grown}
    spooled.put_gaps(session, new_gaps, grown)
    new = {line: numbers.acked for line, numbers in lines.items() if not numbers.is_known}
    moved = {
        line: numbers.acked
        for line, numbers in lines.items()
        if numbers.is_known and numbers.acked != before[line]
    }
    spooled.put_acked_seqs(session, new, moved)


def _write_states(session: Session, states: States, now_s: float) -> None:
    new: list[dict[str, Any]] = []
    changed: dict[Key, dict[str, Any]] = {}
    stays: dict[Key, dict[str, Any]] = {}
    for key, latest in states.touched.items():
        row = {"received": now_s, "has_thumbnail": latest.has_thumbnail}
        if latest.fresh is None:
            stays[key] = row
        elif latest.is_known:
            changed[key] = row | _state_row(latest.fresh)
        else:
            new.append({"device": key[0], "event_id": key[1]} | row | _state_row(latest.fresh))
    spooled.insert_states(session, new)
    spooled.change_states(session, changed)
    spooled.change_states(session, stays)
    spooled.put_thumbnails(session, states.jpegs)


def _line(batch: EventBatch) -> Line:
    return batch.device, batch.epoch


def _state_row(fresh: Fresh) -> dict[str, Any]:
    event = fresh.event
    return {
        "camera": event.camera,
        "label": event.label,
        "detector_id": event.detector.id,
        "detector_version": event.detector.version,
        "answered_by": event.answered_by,
        "start_time": event.start_time,
        "end_time": event.end_time,
        "frame_time": event.frame_time,
        "lasts": lasts_class(event.frame_time - event.start_time),
        "sketch": sketch_of(
            event.box, event.frame_size.height_px / event.frame_size.width_px, event.top_score
        ),
        "body": fresh.body,
    }


def _event_row(batch: EventBatch, fresh: Fresh, now_s: float) -> dict[str, Any]:
    return {
        "device": batch.device,
        "epoch": batch.epoch,
        "seq": fresh.seq,
        "event_id": fresh.event.id,
        "body": fresh.body,
        "received": now_s,
    }


def _gap_row(line: Line, gap: DroppedRange, last_seq: int, now_s: float) -> dict[str, Any]:
    return {
        "device": line[0],
        "epoch": line[1],
        "first_seq": gap.first_seq,
        "last_seq": last_seq,
        "reason": gap.reason,
        "received": now_s,
    }


def _put_aside(parsed: ParsedBatch) -> ParsedBatch:
    """Take events out that can be read, but not be stored."""
    batch = parsed.batch
    judged = [(item, _why_not(item, batch.device)) for item in batch.items]
    bad = [(item, why) for item, why in judged if why is not None]
    if not bad:
        return parsed
    broken = [BrokenItem(item.to_json().encode(), why) for item, why in bad]
    gaps = [_forgotten(item.seq) for item, _ in bad]
    good = tuple(item for item, why in judged if why is None)
    changed = batch.model_copy(update={"items": good, "dropped": (*batch.dropped, *gaps)})
    return ParsedBatch(changed, (*parsed.broken, *broken))


def _why_not(item: BatchItem, device: str) -> str | None:
    if item.event.device != device:
        return f"names another device than {device!r}, which sent it"
    if _NUL in item.event.id:
        return "its id holds a NUL, which databases do not keep"
    return None


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
