"""Queries about alert rules, what they said of events, and the messages that are sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cloud.errors import ConflictError, NotFoundError
from cloud.store import scope
from cloud.store.alert_tables import AlertJudgedRow, AlertMessageRow, AlertRuleRow
from cloud.store.ids import new_id
from edge_agent.wire.event import Event

WAITING, SENT, FAILED = "waiting", "sent", "failed"


@dataclass(frozen=True)
class Due:
    """A message to send now; `attempts` counts this one too."""

    id: str
    rule_name: str
    address: str
    picture: str
    events: tuple[tuple[str, str], ...]
    attempts: int


class Judged(Protocol):
    """An event as far as it is noted what a rule said of it."""

    @property
    def device(self) -> str:
        """Return who saw it."""
        ...

    @property
    def event_id(self) -> str:
        """Return its id."""
        ...

    @property
    def camera(self) -> str:
        """Return which camera saw it."""
        ...

    @property
    def label(self) -> str:
        """Return what it is."""
        ...


def add_rule(session: Session, *, name: str, body: str, now_s: float) -> AlertRuleRow:
    """Keep a new rule.

    Raises:
        ConflictError: Another one has its name.
    """
    if session.scalar(select(AlertRuleRow).where(AlertRuleRow.name == name)) is not None:
        message = f"there is an alert {name!r} already; remove it, or choose another name"
        raise ConflictError(message)
    row = AlertRuleRow(id=new_id("alr"), name=name, body=body, created=now_s)
    session.add(row)
    session.flush()
    return row


def rules(session: Session) -> list[AlertRuleRow]:
    """Return all rules by name."""
    return list(session.scalars(select(AlertRuleRow).order_by(AlertRuleRow.name)))


def find_rule(session: Session, name_or_id: str) -> AlertRuleRow:
    """Return a rule by its id or name.

    Raises:
        NotFoundError: There is none.
    """
    wanted = (AlertRuleRow.id == name_or_id) | (AlertRuleRow.name == name_or_id)
    row = session.scalar(select(AlertRuleRow).where(wanted))
    if row is None:
        message = f"there is no alert {name_or_id!r}; see `elfowl-cloud alert list`"
        raise NotFoundError(message)
    return row


def change_rule(session: Session, row: AlertRuleRow, *, name: str, body: str) -> AlertRuleRow:
    """Put another rule in the place of one; what it said of events stays said.

    Raises:
        ConflictError: Another one has its name.
    """
    other = select(AlertRuleRow).where(AlertRuleRow.name == name, AlertRuleRow.id != row.id)
    if session.scalar(other) is not None:
        message = f"there is an alert {name!r} already; choose another name"
        raise ConflictError(message)
    row.name, row.body = name, body
    return row


def remove_rule(session: Session, row: AlertRuleRow) -> None:
    """Forget a rule and the messages of it that wait; what was sent stays in the log."""
    session.execute(
        delete(AlertMessageRow).where(AlertMessageRow.rule_id == row.id, AlertMessageRow.state == WAITING)
    )
    session.delete(row)


def is_judged(session: Session, rule_id: str, device: str, event_id: str) -> bool:
    """Return whether a rule said already what it says of an event."""
    return session.get(AlertJudgedRow, (rule_id, device, event_id)) is not None


def last_due_s(session: Session, rule_id: str, event: Event) -> float | None:
    """Return when the last message of a rule about this camera and label was or is due."""
    query = select(func.max(AlertJudgedRow.due)).where(
        AlertJudgedRow.rule_id == rule_id,
        AlertJudgedRow.device == event.device,
        AlertJudgedRow.camera == event.camera,
        AlertJudgedRow.label == event.label,
    )
    return session.scalar(query)


def collecting_due_s(session: Session, rule_id: str, now_s: float) -> float | None:
    """Return when the message of a rule is due that still collects, none when there is none."""
    query = select(func.max(AlertMessageRow.due)).where(
        AlertMessageRow.rule_id == rule_id,
        AlertMessageRow.state == WAITING,
        AlertMessageRow.collects,
        AlertMessageRow.attempts == 0,
        AlertMessageRow.due > now_s,
    )
    return session.scalar(query)


def note_judged(session: Session, rule_id: str, event: Judged, due_s: float | None) -> None:
    """Note what a rule said of an event: when its message is due, none for silence."""
    row = AlertJudgedRow(
        rule_id=rule_id,
        device=event.device,
        event_id=event.event_id,
        camera=event.camera,
        label=event.label,
        due=due_s,
    )
    session.add(row)
    session.flush()


def put_message(session: Session, message: AlertMessageRow) -> None:
    """Keep a message to send; it is of the workspace of its rule."""
    message.workspace_id = scope.inherited(session, AlertRuleRow, message.rule_id)
    session.add(message)
    session.flush()


def join_messages(session: Session, rule_id: str, due_s: float, events: Sequence[Sequence[str]]) -> None:
    """Add events, as (device, event id), to the messages of a rule that collect until `due_s`."""
    query = select(AlertMessageRow).where(
        AlertMessageRow.rule_id == rule_id,
        AlertMessageRow.state == WAITING,
        AlertMessageRow.collects,
        AlertMessageRow.due == due_s,
    )
    for row in session.scalars(query):
        row.events = [*row.events, *(list(one) for one in events if list(one) not in row.events)]
    session.flush()


def any_due(session: Session, now_s: float) -> bool:
    """Return whether a message is to be sent now."""
    query = select(AlertMessageRow.id).where(AlertMessageRow.state == WAITING, AlertMessageRow.due <= now_s)
    return session.scalar(query.limit(1)) is not None


def claim_due(session: Session, now_s: float, *, lease_s: float, limit: int) -> list[Due]:
    """Take messages that are due; whoever dies with one has it tried again after `lease_s`."""
    query = (
        select(AlertMessageRow)
        .where(AlertMessageRow.state == WAITING, AlertMessageRow.due <= now_s)
        .order_by(AlertMessageRow.attempts, AlertMessageRow.due)
        .limit(limit)
    )
    claimed = []
    for row in session.scalars(query):
        row.attempts += 1
        row.due = now_s + lease_s
        claimed.append(_due(row))
    return claimed


def note_sent(session: Session, message_id: str, now_s: float) -> None:
    """Note that a message arrived."""
    row = session.get(AlertMessageRow, message_id)
    if row is not None:
        row.state, row.sent, row.error = SENT, now_s, None


def note_missed(session: Session, message_id: str, error: str, again_s: float | None) -> None:
    """Note that a message did not arrive, and when it is tried again; none: never."""
    row = session.get(AlertMessageRow, message_id)
    if row is not None:
        row.error = error
        row.state = FAILED if again_s is None else WAITING
        row.due = row.due if again_s is None else again_s


def newest_messages(session: Session, rule_id: str | None = None, limit: int = 100) -> list[AlertMessageRow]:
    """Return messages, the newest first; of one rule, or all."""
    query = select(AlertMessageRow).order_by(AlertMessageRow.created.desc(), AlertMessageRow.id).limit(limit)
    if rule_id is not None:
        query = query.where(AlertMessageRow.rule_id == rule_id)
    return list(session.scalars(query))


def pairs(rows: Iterable[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    """Return (device, event id) pairs as a message keeps them."""
    return tuple((device, event_id) for device, event_id in rows)


def forget_events(session: Session, device: str, event_ids: Sequence[str]) -> None:
    """Take events that are deleted out of the messages that wait; one about nothing else is dropped."""
    gone = {(device, event_id) for event_id in event_ids}
    for row in session.scalars(select(AlertMessageRow).where(AlertMessageRow.state == WAITING)):
        left = [list(one) for one in pairs(row.events) if one not in gone]
        if not left:
            session.delete(row)
        elif len(left) < len(row.events):
            row.events = left


def _due(row: AlertMessageRow) -> Due:
    return Due(row.id, row.rule_name, row.address, row.picture, pairs(row.events), row.attempts)
