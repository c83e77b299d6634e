"""Asks every rule about events in the very transaction that stores them: no crash comes between."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pydantic import ValidationError
from sqlalchemy.orm import Session

from cloud.notify.rule import AlertRule, Past, Tell, decide
from cloud.store import alerts
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
    rules = [(row.id, rule) for row in alerts.rules(session) if (rule := rule_of(row)) is not None]
    for event in events:
        for rule_id, rule in rules:
            _ask(session, rule_id, rule, event, now_s)


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
    if decide(rule, event, past, now_s) is None or alerts.is_judged(session, rule_id, event):
        return
    past = Past(alerts.last_due_s(session, rule_id, event), alerts.collecting_due_s(session, rule_id, now_s))
    said = decide(rule, event, past, now_s)
    if isinstance(said, Tell):
        if said.collects and said.due_s == past.collecting_due_s:
            alerts.join_messages(session, rule_id, said.due_s, event)
        else:
            _put_messages(session, rule_id, rule, event, said, now_s)
    alerts.note_judged(session, rule_id, event, said.due_s if isinstance(said, Tell) else None)


def _put_messages(
    session: Session, rule_id: str, rule: AlertRule, event: Event, said: Tell, now_s: float
) -> None:
    for address in rule.channels:
        message = AlertMessageRow(
            id=new_id("msg"),
            rule_id=rule_id,
            rule_name=rule.name,
            address=address,
            picture=rule.picture,
            events=[[event.device, event.id]],
            collects=said.collects,
            state=alerts.WAITING,
            created=now_s,
            due=said.due_s,
            attempts=0,
        )
        alerts.put_message(session, message)
