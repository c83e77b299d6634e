"""What people do with alerts, whoever asks: API or command line."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import BaseModel
from sqlalchemy.orm import Session

from cloud.errors import InputError
from cloud.notify.channels import AppriseChannel, Message, masked
from cloud.notify.outbox import rule_of
from cloud.notify.rule import AlertRule
from cloud.store import alerts, saved_searches
from cloud.store.alert_tables import AlertMessageRow, AlertRuleRow
from cloud.store.database import Database
from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError

_KEPT = "kept://"


class AlertView(BaseModel):
    """A rule as people see it: its addresses are masked, they may hold passwords."""

    id: str
    name: str
    rule: AlertRule | None
    created: float


class MessageView(BaseModel):
    """A message as the delivery log shows it; `due` is the next attempt while it waits."""

    id: str
    alert: str
    address: str
    events: list[tuple[str, str]]
    state: str
    created: float
    due: float
    attempts: int
    error: str | None
    sent: float | None


class TestView(BaseModel):
    """What came of a test message to one address."""

    __test__ = False

    address: str
    arrived: bool
    error: str | None = None


class AlertDesk:
    """Adds, lists, removes and tests alerts."""

    def __init__(self, database: Database, clock: Clock, schemes: Collection[str]) -> None:
        self._database = database
        self._clock = clock
        self._channel = AppriseChannel(schemes)

    def add(self, rule: AlertRule) -> AlertView:
        """Keep a new rule.

        Raises:
            InputError: One of its addresses cannot be used here.
            NotFoundError: There is no such saved search.
        ConflictError: Another one has its name.
        """
        self._check(rule)
        with self._database.write(durable=True) as session:
            now_s = self._clock.now_s()
            rule = _with_search(session, rule)
            return _view(alerts.add_rule(session, name=rule.name, body=rule.model_dump_json(), now_s=now_s))

    def change(self, name_or_id: str, rule: AlertRule) -> AlertView:
        """Put another rule in the place of one; a channel `kept://0` is the first address that it has.

        Raises:
            NotFoundError: There is no such rule, or no such saved search.
            InputError: One of the addresses cannot be used here, or is none that it has.
            ConflictError: Another one has its name.
        """
        with self._database.write(durable=True) as session:
            row = alerts.find_rule(session, name_or_id)
            before = rule_of(row)
            rule = _with_search(session, _with_kept(rule, () if before is None else before.channels))
            self._check(rule)
            return _view(alerts.change_rule(session, row, name=rule.name, body=rule.model_dump_json()))

    def every(self) -> list[AlertView]:
        """Return all rules by name."""
        with self._database.read() as session:
            return [_view(row) for row in alerts.rules(session)]

    def remove(self, name_or_id: str) -> None:
        """Forget a rule and the messages of it that wait.

        Raises:
            NotFoundError: There is none.
        """
        with self._database.write(durable=True) as session:
            alerts.remove_rule(session, alerts.find_rule(session, name_or_id))

    def test(self, name_or_id: str) -> list[TestView]:
        """Send a test message to each address of a rule, now.

        Raises:
            NotFoundError: There is no such rule.
            InputError: It cannot be read.
        """
        with self._database.read() as session:
            rule = rule_of(alerts.find_rule(session, name_or_id))
        if rule is None:
            text = f"alert {name_or_id!r} cannot be read; remove it and add it again"
            raise InputError(text)
        message = Message(f"{rule.name}: test", "This is a test of elfowl; nothing was seen.")
        return [self._try(address, message) for address in rule.channels]

    def log(self, name_or_id: str | None = None, limit: int = 100) -> list[MessageView]:
        """Return the newest messages, of one rule or all.

        Raises:
            NotFoundError: There is no such rule.
        """
        with self._database.read() as session:
            rule_id = None if name_or_id is None else alerts.find_rule(session, name_or_id).id
            return [_message_view(row) for row in alerts.newest_messages(session, rule_id, limit)]

    def _check(self, rule: AlertRule) -> None:
        for address in rule.channels:
            self._channel.check(address)

    def _try(self, address: str, message: Message) -> TestView:
        try:
            self._channel.send(address, message)
        except ElfowlError as error:
            return TestView(address=masked(address), arrived=False, error=str(error))
        return TestView(address=masked(address), arrived=True)


def _with_search(session: Session, rule: AlertRule) -> AlertRule:
    """Return the rule with the id of its saved search, which may be given by name."""
    if rule.search is None:
        return rule
    return rule.model_copy(update={"search": saved_searches.find(session, rule.search).id})


def _with_kept(rule: AlertRule, kept: tuple[str, ...]) -> AlertRule:
    """Return the rule with the addresses that it keeps: people see them masked, and cannot repeat them."""
    addresses = []
    for address in rule.channels:
        number = address.removeprefix(_KEPT)
        if not address.startswith(_KEPT):
            addresses.append(address)
        elif number.isdecimal() and int(number) < len(kept):
            addresses.append(kept[int(number)])
        else:
            message = f"channel {address}: the alert has {len(kept)} addresses, the first is {_KEPT}0"
            raise InputError(message)
    return rule.model_copy(update={"channels": tuple(addresses)})


def _view(row: AlertRuleRow) -> AlertView:
    rule = rule_of(row)
    if rule is not None:
        rule = rule.model_copy(update={"channels": tuple(masked(one) for one in rule.channels)})
    return AlertView(id=row.id, name=row.name, rule=rule, created=row.created)


def _message_view(row: AlertMessageRow) -> MessageView:
    return MessageView(
        id=row.id,
        alert=row.rule_name,
        address=masked(row.address),
        events=list(alerts.pairs(row.events)),
        state=row.state,
        created=row.created,
        due=row.due,
        attempts=row.attempts,
        error=row.error,
        sent=row.sent,
    )
