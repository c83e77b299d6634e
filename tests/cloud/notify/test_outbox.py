"""Events become messages in the transaction that stores them, and messages arrive."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from cloud.accounts.workspaces import HOME, within
from cloud.actions.open_home import Home
from cloud.errors import InputError
from cloud.ingest.handler import Handler, Incoming
from cloud.ingest.live import LiveFeed
from cloud.notify.channels import Message
from cloud.notify.rule import AlertRule
from cloud.notify.sender import AlertSender, Patience, again_s
from cloud.store import alerts, events, saved_searches, workspaces
from cloud.store.alert_tables import AlertMessageRow
from edge_agent.errors import LinkError, StorageError
from edge_agent.wire.event import Event
from edge_agent.wire.sync import BatchItem
from edge_agent.wire.topics import Topics
from tests.cloud.homes import DEVICE, add_device, batch, item, make_home
from tests.cloud.notify.pictures import largest_jump, striped
from tests.fakes.clock import FakeClock
from tests.fakes.events import make_event

_FULL = "the disk is full"


class FakeChannel:
    """Keeps what is sent; raises what it is told to."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Message]] = []
        self.error: Exception | None = None

    def send(self, address: str, message: Message) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append((address, message))


class World:
    """A home with one camera, and all of it over again after a crash."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.home: Home = make_home(folder, self.clock)
        add_device(self.home)
        self.channel = FakeChannel()
        self.sender = AlertSender(self.home.database, self.clock, self.channel)
        self.handler = Handler(
            self.home.database, self.clock, LiveFeed(), lambda _: None, "elfowl", self.sender
        )

    def rule(self, **fields: object) -> str:
        rule = AlertRule.model_validate({"name": "door", "channels": ["json://a/"], **fields})
        with self.home.database.write() as session:
            return alerts.add_rule(
                session, name=rule.name, body=rule.model_dump_json(), now_s=self.clock.now_s()
            ).id

    def see(self, *items: BatchItem) -> None:
        oldest = items[0].seq
        message = batch(*items, oldest_seq=oldest).to_json().encode()
        self.handler.handle([Incoming(Topics(DEVICE).up_events, message)])

    @property
    def messages(self) -> list[AlertMessageRow]:
        with self.home.database.read() as session:
            return alerts.newest_messages(session)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.sender.stop()


def test_event_is_told_once_to_each_address_whatever_comes_of_it_later(world: World) -> None:
    world.rule(channels=["json://a/", "json://b/"], cooldown_s=0)
    world.see(item(1))
    world.see(item(1))
    world.see(item(2, 1, "end"))
    assert world.sender.send_due() == 2
    assert world.sender.send_due() == 0
    assert sorted(address for address, _ in world.channel.sent) == ["json://a/", "json://b/"]
    assert "event-000001" in world.channel.sent[0][1].body


def test_rule_is_asked_about_events_of_its_own_workspace_only(world: World) -> None:
    with world.home.database.write() as session:
        workspaces.add(session, name="other", now_s=1.0).id = "ws_2"
    for workspace_id, address in (("ws_2", "json://other/"), (HOME, "json://home/")):
        with within(workspace_id):
            world.rule(channels=[address])
    world.see(item(1))
    assert world.sender.send_due() == 1
    assert [address for address, _ in world.channel.sent] == ["json://home/"]
    assert [row.workspace_id for row in world.messages] == [HOME]


def test_second_event_within_the_cooldown_is_silenced_for_good(world: World) -> None:
    world.rule(cooldown_s=60)
    world.see(item(1, 1))
    world.clock.advance(30.0)
    world.see(item(2, 2))
    world.clock.advance(60.0)
    world.see(item(3, 2, "end"))
    assert [row.events for row in world.messages] == [[[DEVICE, "event-000001"]]]
    world.see(item(4, 3))
    assert len(world.messages) == 2


def test_digest_tells_all_that_came_together(world: World) -> None:
    world.rule(digest_s=600)
    for number in (1, 2, 3):
        world.see(item(number, number))
        world.clock.advance(10.0)
    assert world.sender.send_due() == 0
    world.clock.advance(600.0)
    assert world.sender.send_due() == 1
    ((_, message),) = world.channel.sent
    assert message.title == "door: 3 events"
    world.see(item(4, 4))
    assert sorted(len(row.events) for row in world.messages) == [1, 3]


def test_events_that_were_not_stored_are_not_told(world: World) -> None:
    world.rule()

    class FullAfterwards(AlertSender):
        """Fails after the message lies in the outbox, before the commit."""

        def note(self, session: Session, events: Sequence[Event], now_s: float) -> None:
            super().note(session, events, now_s)
            raise StorageError(_FULL)

    sender = FullAfterwards(world.home.database, world.clock, world.channel)
    handler = Handler(world.home.database, world.clock, LiveFeed(), lambda _: None, "elfowl", sender)
    message = Incoming(Topics(DEVICE).up_events, batch(item(1), oldest_seq=1).to_json().encode())
    with pytest.raises(StorageError, match=_FULL):
        handler.handle([message])
    assert world.messages == []
    with world.home.database.read() as session:
        assert events.count(session, documents=True) == 0
    world.handler.handle([message])
    assert len(world.messages) == 1
    sender.stop()


def test_message_that_does_not_arrive_is_tried_again_and_its_reason_kept(world: World) -> None:
    world.rule()
    world.see(item(1))
    world.channel.error = LinkError("nobody listens")
    assert world.sender.send_due() == 1
    assert [(row.state, row.attempts, row.error) for row in world.messages] == [
        ("waiting", 1, "nobody listens")
    ]
    world.channel.error = None
    assert world.sender.send_due() == 0
    world.clock.advance(2.0)
    assert world.sender.send_due() == 1
    assert [(row.state, row.attempts, row.error) for row in world.messages] == [("sent", 2, None)]


def test_message_to_an_address_that_cannot_be_used_is_given_up(world: World) -> None:
    world.rule()
    world.see(item(1))
    world.channel.error = InputError("not allowed here")
    world.sender.send_due()
    assert [(row.state, row.error) for row in world.messages] == [("failed", "not allowed here")]


def test_message_of_a_sender_that_died_is_sent_by_the_next_one(world: World) -> None:
    world.rule()
    world.see(item(1))
    with world.home.database.write() as session:
        assert len(alerts.claim_due(session, world.clock.now_s(), lease_s=60.0, limit=8)) == 1
    assert world.sender.send_due() == 0
    world.clock.advance(60.0)
    assert world.sender.send_due() == 1
    assert len(world.channel.sent) == 1


def test_rule_that_is_removed_takes_its_waiting_messages_along(world: World) -> None:
    rule_id = world.rule(digest_s=600)
    world.see(item(1))
    with world.home.database.write() as session:
        alerts.remove_rule(session, alerts.find_rule(session, rule_id))
    assert world.messages == []


def test_rule_that_cannot_be_read_does_not_stop_events(world: World) -> None:
    with world.home.database.write() as session:
        alerts.add_rule(session, name="odd", body='{"name": "odd"}', now_s=0.0)
    world.see(item(1))
    with world.home.database.read() as session:
        assert events.count(session) == 1


@pytest.mark.parametrize(("picture", "jump"), [("blurred", (0, 8)), ("clear", (150, 255)), ("none", None)])
def test_picture_of_a_message_is_what_the_owner_chose(
    world: World, picture: str, jump: tuple[int, int] | None
) -> None:
    world.rule(picture=picture)
    world.see(item(1, thumbnail=base64.b64encode(striped(320, 180)).decode()))
    world.sender.send_due()
    ((_, message),) = world.channel.sent
    if jump is None:
        assert message.jpeg is None
    else:
        assert message.jpeg is not None
        assert jump[0] <= largest_jump(message.jpeg) <= jump[1]


@pytest.mark.parametrize(("attempts", "wait_s"), [(1, 2.0), (2, 4.0), (5, 32.0), (20, 300.0), (300, None)])
def test_waits_grow_to_a_limit_and_end(attempts: int, wait_s: float | None) -> None:
    assert again_s(Patience(), attempts) == wait_s


def test_alert_by_a_saved_search_tells_a_moment_once_with_both_events(world: World) -> None:
    with world.home.database.write() as session:
        saved = saved_searches.add(
            session, name="visit", query="person near dog within 5s", timezone="UTC", now_s=0.0
        )
        search = saved.id
    world.rule(search=search, cooldown_s=0)
    world.see(item(1, number=1))
    assert world.messages == []
    dog = make_event(2, label="dog")
    world.see(BatchItem(seq=2, event=dog))
    (message,) = world.messages
    assert message.events == [[DEVICE, "event-000001"], [DEVICE, "event-000002"]]
    world.see(item(3, number=1, event_type="update"))
    world.see(BatchItem(seq=4, event=dog.model_copy(update={"event_type": "end"})))
    assert len(world.messages) == 1


def test_alert_by_a_search_that_is_gone_or_cannot_be_read_does_not_stop_events(world: World) -> None:
    with world.home.database.write() as session:
        broken = saved_searches.add(session, name="old", query="person behind dog", timezone="UTC", now_s=0.0)
        search = broken.id
    world.rule(search=search)
    world.rule(name="gone", search="sea_gone")
    world.see(item(1))
    assert world.messages == []
    with world.home.database.read() as session:
        assert events.count(session) == 1
