"""Tables of alerts; see `cloud.notify`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloud.store.owned import Owned
from cloud.store.tables import Base


class AlertRuleRow(Owned, Base):
    """A rule: a `cloud.notify.rule.AlertRule`."""

    __tablename__ = "alert_rules"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    body: Mapped[str] = mapped_column(Text)
    created: Mapped[float]


class AlertJudgedRow(Base):
    """What a rule said of an event, once and for all; `due` is when its message goes, null: silence."""

    __tablename__ = "alert_judged"
    __table_args__ = (Index("ix_alert_judged_due", "rule_id", "device", "camera", "label", "due"),)

    rule_id: Mapped[str] = mapped_column(ForeignKey("alert_rules.id", ondelete="CASCADE"), primary_key=True)
    device: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(primary_key=True)
    camera: Mapped[str]
    label: Mapped[str]
    due: Mapped[float | None]


class AlertMessageRow(Owned, Base):
    """One message to one address: outbox and delivery log; `state` is `waiting`, `sent` or `failed`.

    `events` are [device, event id] pairs; `due` moves on with each attempt; `collects` until it is due.
    """

    __tablename__ = "alert_messages"
    __table_args__ = (Index("ix_alert_messages_state", "state", "due"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    rule_id: Mapped[str] = mapped_column(index=True)
    rule_name: Mapped[str]
    address: Mapped[str] = mapped_column(Text)
    picture: Mapped[str]
    events: Mapped[list[Any]]
    collects: Mapped[bool]
    state: Mapped[str] = mapped_column(default="waiting")
    created: Mapped[float]
    due: Mapped[float]
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(Text)
    sent: Mapped[float | None]
