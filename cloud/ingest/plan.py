"""What becomes of a group of batches, decided before anything is written; pure.

Invariant: a group ends as if its batches had been stored one after the other.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cloud.ingest.order import Age, age_in, age_of, contiguous_until, is_newer
from cloud.store.spooled import Key, KnownState, Line, Span
from edge_agent.wire.event import Event
from edge_agent.wire.sync import BatchItem, DroppedRange, EventBatch

_JPEG_MAGIC = b"\xff\xd8\xff"
_AHEAD = 10_000
"""So many numbers are looked at where a line may go on; who is further behind gets there batch by batch."""


@dataclass(frozen=True)
class Fresh:
    """One event document that was not stored before, and its JSON."""

    seq: int
    event: Event
    body: str
    jpeg: bytes | None


@dataclass
class Numbers:
    """The numbers of one line while a group is planned.

    Attributes:
        is_known: Whether the database has the line already.
        acked: Up to here the line is whole.
        seqs: Stored numbers, of those that matter.
        gaps: Forgotten ranges, first to last.
        new_gaps: Those that were not known before, by their first number.
        grown: First numbers of those that were known, and reach further now.
    """

    is_known: bool
    acked: int
    seqs: set[int]
    gaps: dict[int, int]
    new_gaps: dict[int, DroppedRange] = field(default_factory=dict)
    grown: set[int] = field(default_factory=set)

    def take(self, batch: EventBatch) -> list[BatchItem]:
        """Note the numbers of a batch; return the items that were not stored before, in their order."""
        by_seq = {item.seq: item for item in reversed(batch.items)}
        fresh = [by_seq[seq] for seq in sorted(by_seq) if seq not in self.seqs]
        self.seqs.update(by_seq)
        for gap in batch.dropped:
            self._forget(gap)
        self.acked = self._reach(batch)
        return fresh

    def _forget(self, gap: DroppedRange) -> None:
        first = gap.first_seq
        if first not in self.gaps:
            self.new_gaps[first] = gap
            self.gaps[first] = gap.last_seq
        elif gap.last_seq > self.gaps[first]:
            self.gaps[first] = gap.last_seq
            if first not in self.new_gaps:
                self.grown.add(first)

    def _reach(self, batch: EventBatch) -> int:
        start = max(self.acked, floor_of(batch))
        return contiguous_until(start, self.seqs, sorted(self.gaps.items()))


def floor_of(batch: EventBatch) -> int:
    """Return up to where a device waits for nothing.

    Below `oldest_seq` nothing will come again: it was acknowledged before, perhaps to a database of which
    only a backup is left. A hole above it waits: an earlier batch may have been lost on its way. A device
    that names no `oldest_seq` sends one batch at a time, from its oldest on: then no hole will be filled.
    """
    return _end_of(batch) if batch.oldest_seq is None else batch.oldest_seq - 1


def spans_of(line: Line, batches: Sequence[EventBatch], acked: int, gap_ends: Iterable[int]) -> list[Span]:
    """Return of which numbers of a line it matters whether they are stored.

    Args:
        line: Which one.
        batches: Its batches.
        acked: Up to where it is whole.
        gap_ends: Last numbers of forgotten ranges that are known.
    """
    resumes = {acked, *gap_ends}
    asked: list[tuple[int, int]] = []
    for batch in batches:
        seqs = [item.seq for item in batch.items]
        if seqs:
            asked.append((min(seqs), max(seqs)))
        resumes.update((floor_of(batch), _end_of(batch)), (gap.last_seq for gap in batch.dropped))
    asked += [(reached + 1, reached + _AHEAD) for reached in resumes if reached >= acked]
    return [Span(line, first, last) for first, last in _merged(asked)]


@dataclass
class Latest:
    """The latest state of one event while a group is planned; `fresh` is none while the stored one is it."""

    is_known: bool
    has_thumbnail: bool
    age: Age | None
    fresh: Fresh | None = None


class States:
    """The states of the events of a group."""

    def __init__(self, known: Mapping[Key, KnownState]) -> None:
        self.touched: dict[Key, Latest] = {}
        self.jpegs: dict[Key, bytes] = {}
        self._known = known

    def take(self, device: str, fresh: Sequence[Fresh]) -> tuple[Event, ...]:
        """Note the new documents of one batch; return the latest of each event of which they are news."""
        news: dict[str, Event] = {}
        for one in fresh:
            key = device, one.event.id
            latest = self.touched.get(key) or self._found(key)
            if one.jpeg is not None:
                self.jpegs[key] = one.jpeg
                latest.has_thumbnail = True
            if is_newer(one.event, latest.age):
                latest.age, latest.fresh = age_of(one.event), one
                news[one.event.id] = one.event
        return tuple(news.values())

    def _found(self, key: Key) -> Latest:
        known = self._known.get(key)
        if known is None:
            found = Latest(is_known=False, has_thumbnail=False, age=None)
        else:
            found = Latest(is_known=True, has_thumbnail=known.has_thumbnail, age=age_in(known.body))
        self.touched[key] = found
        return found


def fresh_of(item: BatchItem) -> Fresh:
    """Return a document as it is stored."""
    return Fresh(item.seq, item.event, item.event.to_json(), _picture(item))


def _end_of(batch: EventBatch) -> int:
    ends = [item.seq for item in batch.items] + [gap.last_seq for gap in batch.dropped]
    return max(ends, default=0)


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(merged[-1][1], last)
        else:
            merged.append((first, last))
    return merged


def _picture(item: BatchItem) -> bytes | None:
    if item.thumbnail_jpeg_base64 is None:
        return None
    try:
        jpeg = base64.b64decode(item.thumbnail_jpeg_base64, validate=True)
    except (binascii.Error, ValueError):
        return None
    return jpeg if jpeg.startswith(_JPEG_MAGIC) else None
