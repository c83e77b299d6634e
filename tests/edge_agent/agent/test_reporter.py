"""The reporting thread: events first, their pictures after them."""

from __future__ import annotations

import base64
import random
import threading
from collections.abc import Callable
from pathlib import Path

from edge_agent.agent.reporter import Reporter
from edge_agent.agent.sides import CloudSide, HomeSide
from edge_agent.report.drains import CLOUD, HOME
from edge_agent.report.outbox import Outbox
from edge_agent.report.publisher import Publisher
from edge_agent.wire.event import Event
from edge_agent.wire.sync import EventBatch
from edge_agent.wire.topics import Topics
from tests.fakes.clock import FakeClock
from tests.fakes.events import make_event
from tests.fakes.frame_source import until
from tests.fakes.link import FakeLink

TOPICS = Topics("porch")
EVENT_TOPIC = TOPICS.camera("front", "event")


class World:
    """A reporter between two brokers that take everything."""

    def __init__(self, folder: Path, kind: type[Outbox] = Outbox) -> None:
        clock = FakeClock()
        self.home, self.cloud = FakeLink(), FakeLink()
        self.outbox = kind(folder / "s.sqlite", consumers=(HOME, CLOUD), max_bytes=10**7, clock=clock)
        publisher = Publisher(
            self.home, TOPICS, remembered_file=folder / "topics.json", clock=clock, rng=random.Random(1)
        )
        self.reporter = Reporter(
            self.outbox,
            home=HomeSide(TOPICS, self.home, publisher),
            cloud=CloudSide(TOPICS, self.cloud, pictures=True),
            cameras=("front",),
            clock=clock,
            on_command=lambda _command: None,
            farewell_s=0.0,
        )

    def start(self) -> None:
        self.reporter.start()
        for link in (self.home, self.cloud):
            link.events.up()

    def pictures(self) -> dict[str, str | None]:
        """Return the picture that the cloud got with each event."""
        sent = [message for message in self.cloud.sent if message.topic == TOPICS.up_events]
        items = [item for message in sent for item in EventBatch.from_json(message.payload).items]
        return {item.event.id: item.thumbnail_jpeg_base64 for item in items}


def test_reporter_event_is_heard_at_home_before_its_picture_is_made(tmp_path: Path) -> None:
    world = World(tmp_path)
    heard: list[list[str]] = []

    def picture() -> bytes:
        heard.append(world.home.topics())
        return b"small"

    world.start()
    assert until(lambda: TOPICS.available in world.home.topics(), 60.0)
    world.reporter.events([make_event(1)], {make_event(1).id: picture})
    assert until(lambda: world.pictures() != {}, 60.0)
    world.reporter.stop()
    assert EVENT_TOPIC in heard[0]
    assert world.pictures() == {"event-000001": base64.b64encode(b"small").decode()}


class SlowDisk(Outbox):
    """Notes what was heard at home when it is asked to wait for the disk, and what the cloud got then."""

    link: FakeLink
    cloud: FakeLink
    then: tuple[list[str], list[str]] | None = None

    def sync(self) -> None:
        if self.then is None and EVENT_TOPIC in self.link.topics():
            self.then = self.link.topics(), self.cloud.topics()
        super().sync()


def test_reporter_events_of_one_picture_are_heard_at_home_before_the_disk_and_in_the_cloud_after_it(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, SlowDisk)
    outbox = world.outbox
    assert isinstance(outbox, SlowDisk)
    outbox.link, outbox.cloud = world.home, world.cloud
    world.start()
    assert until(lambda: TOPICS.available in world.home.topics(), 60.0)
    world.reporter.events([make_event(1), make_event(2)])
    assert until(lambda: len(world.pictures()) == 2, 60.0)
    world.reporter.stop()
    assert outbox.then is not None
    at_home, in_the_cloud = outbox.then
    assert at_home.count(EVENT_TOPIC) == 2
    assert TOPICS.up_events not in in_the_cloud


def test_reporter_pictures_that_fail_or_find_no_room_cost_no_event(tmp_path: Path) -> None:
    world, going_on = World(tmp_path), threading.Event()

    def made(jpeg: bytes | None) -> Callable[[], bytes | None]:
        def picture() -> bytes | None:
            if threading.current_thread() is not threading.main_thread():
                going_on.wait(60)
            if jpeg is None:
                raise ValueError
            return jpeg

        return picture

    world.start()
    for number in range(12):
        event = make_event(number)
        world.reporter.events([event], {event.id: made(b"%d" % number if number % 2 else None)})
    going_on.set()
    assert until(lambda: world.home.topics().count(EVENT_TOPIC) == 12, 60.0)
    world.reporter.stop()


def test_reporter_event_is_heard_at_home_while_the_reporter_makes_a_picture(tmp_path: Path) -> None:
    world, at_work, going_on = World(tmp_path), threading.Event(), threading.Event()

    def picture() -> None:
        at_work.set()
        going_on.wait(60)

    world.start()
    world.reporter.events([make_event(1)], {make_event(1).id: picture})
    assert at_work.wait(60)
    world.reporter.events([make_event(2)])
    heard = world.home.topics().count(EVENT_TOPIC)
    going_on.set()
    world.reporter.stop()
    assert heard == 2


class HangingDisk(Outbox):
    """Waits for the disk until it is let go, once an event is to be on it."""

    hangs: threading.Event
    going_on: threading.Event

    def sync(self) -> None:
        if self.depth():
            self.hangs.set()
            self.going_on.wait(60)
        super().sync()


def test_reporter_events_wait_in_their_order_while_the_reporter_waits_for_the_disk(tmp_path: Path) -> None:
    world = World(tmp_path, HangingDisk)
    outbox = world.outbox
    assert isinstance(outbox, HangingDisk)
    outbox.hangs, outbox.going_on = threading.Event(), threading.Event()
    world.start()
    numbers = range(1, 5)
    for number in numbers:
        world.reporter.events([make_event(number)])
        assert outbox.hangs.wait(60)
    before = world.home.topics().count(EVENT_TOPIC)
    outbox.going_on.set()
    assert until(lambda: world.home.topics().count(EVENT_TOPIC) == len(numbers), 60.0)
    world.reporter.stop()
    sent = [Event.from_json(m.payload).id for m in world.home.sent if m.topic == EVENT_TOPIC]
    assert before < len(numbers)
    assert sent == [make_event(number).id for number in numbers]
