"""Queries about roll-outs and their members; both are kept as the documents that decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.orm import Session

from cloud.errors import NotFoundError
from cloud.store.rollout_tables import RolloutMemberRow, RolloutRow
from cloud.store.tables import EventState

ENDED = ("done", "aborted", "returned")
"""States in which nothing is asked any more; after `done`, devices that are late may still come."""
_OPEN_MEMBERS = ("asked", "watching", "late", "returning")
_NAMES_PER_QUERY = 500
_NUMBER_BITS = 32


def add(session: Session, state: str) -> RolloutRow:
    """Begin a roll-out: it gets the next number."""
    row = RolloutRow(state=state, body="")
    session.add(row)
    session.flush()
    return row


def put(session: Session, number: int, *, state: str, body: str) -> None:
    """Store a roll-out as it stands now."""
    session.execute(update(RolloutRow).where(RolloutRow.number == number).values(state=state, body=body))


def find(session: Session, number: int) -> RolloutRow:
    """Return one roll-out.

    Raises:
        NotFoundError: There is none.
    """
    # What is longer than any number that the database knows is none of its numbers.
    is_known = number.bit_length() < _NUMBER_BITS
    row = session.get(RolloutRow, number, populate_existing=True) if is_known else None
    if row is None:
        message = f"there is no roll-out {number}; `elfowl-cloud rollout list` shows all"
        raise NotFoundError(message)
    return row


def every(session: Session) -> list[RolloutRow]:
    """Return all roll-outs, newest first."""
    return list(session.scalars(select(RolloutRow).order_by(RolloutRow.number.desc())))


def active(session: Session) -> list[RolloutRow]:
    """Return roll-outs that have not ended, oldest first."""
    return list(session.scalars(_by_number().where(RolloutRow.state.not_in(ENDED))))


def followed(session: Session) -> list[RolloutRow]:
    """Return roll-outs that have not ended, or have devices that are still waited for, oldest first."""
    waited_for = select(RolloutMemberRow.rollout).where(RolloutMemberRow.state.in_(_OPEN_MEMBERS))
    query = _by_number().where(or_(RolloutRow.state.not_in(ENDED), RolloutRow.number.in_(waited_for)))
    return list(session.scalars(query))


def add_members(session: Session, number: int, members: Iterable[tuple[str, str, str]]) -> None:
    """Note members in the order in which they are asked: device, state, document."""
    for place, (device, state, body) in enumerate(members):
        session.add(RolloutMemberRow(rollout=number, place=place, device=device, state=state, body=body))
    session.flush()


def members_of(session: Session, number: int) -> list[RolloutMemberRow]:
    """Return the members in the order in which they are asked."""
    query = select(RolloutMemberRow).where(RolloutMemberRow.rollout == number)
    return list(session.scalars(query.order_by(RolloutMemberRow.place)))


def count_members(session: Session, number: int) -> dict[str, int]:
    """Return how many members are in each state."""
    query = (
        select(RolloutMemberRow.state, func.count())
        .where(RolloutMemberRow.rollout == number)
        .group_by(RolloutMemberRow.state)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def members_among(session: Session, number: int, devices: Sequence[str]) -> list[RolloutMemberRow]:
    """Return the members that are among some devices."""
    found: list[RolloutMemberRow] = []
    for start in range(0, len(devices), _NAMES_PER_QUERY):
        query = select(RolloutMemberRow).where(
            RolloutMemberRow.rollout == number,
            RolloutMemberRow.device.in_(devices[start : start + _NAMES_PER_QUERY]),
        )
        found += session.scalars(query)
    return found


def put_member(session: Session, number: int, *, device: str, state: str, body: str) -> None:
    """Store a member as it stands now."""
    key = (RolloutMemberRow.rollout == number, RolloutMemberRow.device == device)
    session.execute(update(RolloutMemberRow).where(*key).values(state=state, body=body))


def count_events(session: Session, device: str, from_s: float, until_s: float) -> int:
    """Return how many events of a device began in a span of time; UTC seconds since 1970."""
    query = select(func.count()).where(
        EventState.device == device, EventState.start_time >= from_s, EventState.start_time < until_s
    )
    return session.scalar(query) or 0


def _by_number() -> Select[RolloutRow]:
    return select(RolloutRow).order_by(RolloutRow.number)
