"""Asks every rule about events in the very transaction that stores them: no crash comes between."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pydantic import ValidationError
from sqlalchemy.orm import Session

from cloud.errors import InputError
from cloud.notify.rule import AlertRule, Past, Tell, decide
from cloud.search.judge import Seen, seen_of, span_of
from cloud.search.parse import parse_query
from cloud.search.watch import moment_with
from cloud.search.zone import zone_of
from cloud.store import alerts, saved_searches, scope, sources
from cloud.store.alert_tables import AlertMessageRow, AlertRuleRow
from cloud.store.ids import new_id
from edge_agent.wire.event import Event

_LOG = logging.getLogger(__name__)


def note_events(session: Session, events: Sequence[Event], now_s: float) -> None:
    """Put the messages that events cause into the outbox.

    Args:
        session: The write session in which the events are stored.
        events: The latest state of each event that changed.
        now_s: UTC seconds since 1970.
    """
    rules = [(row, rule) for row in alerts.rules(session) if (rule := rule_of(row)) is not None]
    if not rules:
        return
    is_shared = scope.is_shared(session)
    for event in events:
        if is_shared:
            _ask_own(session, rules, event, now_s)
            continue
        for row, rule in rules:
            _ask(session, row.id, rule, event, now_s)


def _ask_own(
    session: Session, rules: Sequence[tuple[AlertRuleRow, AlertRule]], event: Event, now_s: float
) -> None:
    """Ask only the rules of whoever has the event; they see no more than their owner does."""
    owner = sources.owner_of(session, event.device, event.camera)
    with scope.seeing(session, owner):
        for row, rule in rules:
            if row.workspace_id == owner:
                _ask(session, row.id, rule, event, now_s)


def rule_of(row: AlertRuleRow) -> AlertRule | None:
    """Return a stored rule; none when another version of elfowl wrote it so that it cannot be read."""
    try:
        return AlertRule.model_validate_json(row.body)
    except ValidationError:
        _LOG.error("alert %s cannot be read, it tells nothing; remove it and add it again", row.id)
        return None


def _ask(session: Session, rule_id: str, rule: AlertRule, event: Event, now_s: float) -> None:
    # Whether it was asked before comes last: of most events no rule wants to tell.
    past = Past()
    if decide(rule, event, past, now_s) is None or alerts.is_judged(session, rule_id, event.device, event.id):
        return
    told = _told_together(session, rule, event, now_s)
    if not told:
        return
    past = Past(alerts.last_due_s(session, rule_id, event), alerts.collecting_due_s(session, rule_id, now_s))
    said = decide(rule, event, past, now_s)
    if isinstance(said, Tell):
        if said.collects and said.due_s == past.collecting_due_s:
            alerts.join_messages(session, rule_id, said.due_s, _pairs(told))
        else:
            _put_messages(session, rule_id, rule, told, said, now_s)
    due_s = said.due_s if isinstance(said, Tell) else None
    for one in told:
        if not alerts.is_judged(session, rule_id, one.device, one.event_id):
            alerts.note_judged(session, rule_id, one, due_s)


def _told_together(session: Session, rule: AlertRule, event: Event, now_s: float) -> list[Seen]:
    """Return the events that a rule tells of at once, this one last; none while its search does not fit."""
    seen = seen_of(event.to_json())
    if rule.search is None:
        return [seen]
    saved = saved_searches.get(session, rule.search)
    if saved is None:
        return []
    try:
        query, zone = parse_query(saved.query), zone_of(saved.timezone)
    except InputError as error:
        _LOG.error("saved search %s cannot be read, its alerts tell nothing: %s", saved.id, error)
        return []
    moment = moment_with(session, query, span_of(query, now_s=now_s, zone=zone), seen)
    if moment is None:
        return []
    return [*(one for one in moment.events if one.event_id != event.id), seen]


def _put_messages(
    session: Session, rule_id: str, rule: AlertRule, told: Sequence[Seen], said: Tell, now_s: float
) -> None:
    for address in rule.channels:
        message = AlertMessageRow(
            id=new_id("msg"),
            rule_id=rule_id,
            rule_name=rule.name,
            address=address,
            picture=rule.picture,
            events=_pairs(told),
            collects=said.collects,
            state=alerts.WAITING,
            created=now_s,
            due=said.due_s,
            attempts=0,
        )
        alerts.put_message(session, message)


def _pairs(told: Sequence[Seen]) -> list[list[str]]:
    return [[one.device, one.event_id] for one in told]
