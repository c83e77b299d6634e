"""Queries of what devices send in batches, for many batches at once: each asks or writes for all of them.

Whose rows a session sees holds here, too (`cloud.store.scope`): what is asked for goes by the tables'
classes, and what is changed was found so before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, Insert, Table, Update, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from cloud.store.given import given
from cloud.store.scope import WITH_CONDITION
from cloud.store.tables import Base, EventGap, EventState, Spool, StoredEvent, Thumbnail

Line = tuple[str, str]
"""A device and the epoch of one of its spool files: its events are numbered from 1 on."""

Key = tuple[str, str]
"""A device and the id of one of its events."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Span:
    """Numbers `first` to `last` of a line, both included."""

    line: Line
    first: int
    last: int


@dataclass(frozen=True)
class KnownState:
    """The latest state of an event as it is stored."""

    body: str
    has_thumbnail: bool


def acked_seqs(session: Session, lines: Iterable[Line]) -> dict[Line, int]:
    """Return up to where lines are stored without a hole; a new one is missing."""
    wanted = given(session, _lines(lines), device=str, epoch=str)
    query = (
        select(Spool.device, Spool.epoch, Spool.acked_seq)
        .select_from(wanted)
        .join(Spool, (Spool.device == wanted.c.device) & (Spool.epoch == wanted.c.epoch))
    )
    return {(device, epoch): seq for device, epoch, seq in session.execute(query)}


def stored_seqs(session: Session, spans: Iterable[Span]) -> dict[Line, set[int]]:
    """Return which numbers of some spans are stored."""
    rows = [
        {"device": one.line[0], "epoch": one.line[1], "first": one.first, "last": one.last} for one in spans
    ]
    wanted = given(session, rows, device=str, epoch=str, first=int, last=int)
    query = (
        select(StoredEvent.device, StoredEvent.epoch, StoredEvent.seq)
        .select_from(wanted)
        .join(
            StoredEvent,
            (StoredEvent.device == wanted.c.device)
            & (StoredEvent.epoch == wanted.c.epoch)
            & StoredEvent.seq.between(wanted.c.first, wanted.c.last),
        )
    )
    found: dict[Line, set[int]] = {}
    for device, epoch, seq in session.execute(query):
        found.setdefault((device, epoch), set()).add(seq)
    return found


def gaps_after(session: Session, acked: Mapping[Line, int]) -> dict[Line, dict[int, int]]:
    """Return forgotten ranges, first to last, that end above a number of each line."""
    rows = [{"device": device, "epoch": epoch, "seq": seq} for (device, epoch), seq in acked.items()]
    wanted = given(session, rows, device=str, epoch=str, seq=int)
    return _gaps(session, wanted, EventGap.last_seq > wanted.c.seq)


def gaps_at(session: Session, firsts: Iterable[tuple[Line, int]]) -> dict[Line, dict[int, int]]:
    """Return the forgotten ranges that begin with given numbers."""
    rows = [{"device": line[0], "epoch": line[1], "first": first} for line, first in firsts]
    if not rows:
        return {}
    wanted = given(session, rows, device=str, epoch=str, first=int)
    return _gaps(session, wanted, EventGap.first_seq == wanted.c.first)


def states_of(session: Session, keys: Collection[Key]) -> dict[Key, KnownState]:
    """Return the latest states of events, of those that are known."""
    if not keys:
        return {}
    rows = [{"device": device, "event_id": event_id} for device, event_id in keys]
    wanted = given(session, rows, device=str, event_id=str)
    query = (
        select(EventState.device, EventState.event_id, EventState.body, EventState.has_thumbnail)
        .select_from(wanted)
        .join(
            EventState,
            (EventState.device == wanted.c.device) & (EventState.event_id == wanted.c.event_id),
        )
    )
    return {
        (device, id_): KnownState(body, pictured) for device, id_, body, pictured in session.execute(query)
    }


def insert_ignore(session: Session, kind: type[Base]) -> Insert:
    """Return an insert that leaves rows alone that exist already."""
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(_table(kind)).on_conflict_do_nothing()
    return sqlite.insert(_table(kind)).on_conflict_do_nothing()


def insert_events(session: Session, rows: Sequence[Row]) -> None:
    """Store event documents; one with the same (device, epoch, seq) is stored once."""
    if rows:
        session.execute(insert_ignore(session, StoredEvent), rows)


def put_gaps(session: Session, new: Sequence[Row], grown: Mapping[tuple[Line, int], int]) -> None:
    """Note forgotten ranges: new ones, and the last number of known ones by their first."""
    if new:
        session.execute(insert(_table(EventGap)), new)
    _change(session, _GROW, [_named((*line, first), last_seq=last) for (line, first), last in grown.items()])


def put_acked_seqs(session: Session, new: Mapping[Line, int], moved: Mapping[Line, int]) -> None:
    """Note up to where lines are stored without a hole: of new ones, and of known ones."""
    if new:
        rows = [{"device": line[0], "epoch": line[1], "acked_seq": seq} for line, seq in new.items()]
        session.execute(insert(_table(Spool)), rows)
    _change(session, _MOVE, [_named(line, acked_seq=seq) for line, seq in moved.items()])


def insert_states(session: Session, rows: Sequence[Row]) -> None:
    """Store the states of events that were not known."""
    if rows:
        session.execute(insert(_table(EventState)), rows)


def change_states(session: Session, changed: Mapping[Key, Row]) -> None:
    """Change the states of known events; all rows name the same columns."""
    _change(session, _STATE, [_named(key, **row) for key, row in changed.items()])
    # Whoever loaded one of them into this session before shall not go on with what it was.
    for kept in list(session.identity_map.values()):
        if isinstance(kept, EventState) and (kept.device, kept.event_id) in changed:
            session.expire(kept)


def put_thumbnails(session: Session, jpegs: Mapping[Key, bytes]) -> None:
    """Keep the newest pictures of events."""
    if not jpegs:
        return
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    added = postgresql.insert(_table(Thumbnail)) if is_postgresql else sqlite.insert(_table(Thumbnail))
    put = added.on_conflict_do_update(
        index_elements=["device", "event_id"], set_={"jpeg": added.excluded.jpeg}
    )
    rows = [{"device": key[0], "event_id": key[1], "jpeg": jpeg} for key, jpeg in jpegs.items()]
    session.execute(put, rows)


def _lines(lines: Iterable[Line]) -> list[dict[str, str]]:
    return [{"device": device, "epoch": epoch} for device, epoch in lines]


def _gaps(session: Session, wanted: FromClause, which: ColumnElement[bool]) -> dict[Line, dict[int, int]]:
    """Return the forgotten ranges of the lines that a statement brings along, of those that are meant."""
    query = (
        select(EventGap.device, EventGap.epoch, EventGap.first_seq, EventGap.last_seq)
        .select_from(wanted)
        .join(EventGap, (EventGap.device == wanted.c.device) & (EventGap.epoch == wanted.c.epoch) & which)
    )
    found: dict[Line, dict[int, int]] = {}
    for device, epoch, first, last in session.execute(query):
        found.setdefault((device, epoch), {})[first] = last
    return found


def _table(kind: type[Base]) -> Table:
    table = kind.__table__
    if not isinstance(table, Table):
        message = f"{kind.__name__} is no table"
        raise TypeError(message)
    return table


def _by_key(kind: type[Base], *names: str) -> Update:
    """Return a change of single rows, found by a session that sees them; `key_0` … name them."""
    table = _table(kind)
    same = [table.c[name] == bindparam(f"key_{number}") for number, name in enumerate(names)]
    return update(table).where(*same).execution_options(**WITH_CONDITION)


_GROW: Final = _by_key(EventGap, "device", "epoch", "first_seq")
_MOVE: Final = _by_key(Spool, "device", "epoch")
_STATE: Final = _by_key(EventState, "device", "event_id")


def _named(key: Sequence[str | int], **values: Any) -> Row:  # noqa: ANN401 - of any column
    return {**{f"key_{number}": part for number, part in enumerate(key)}, **values}


def _change(session: Session, statement: Update, rows: Sequence[Row]) -> None:
    if rows:
        session.execute(statement, rows)
