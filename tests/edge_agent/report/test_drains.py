"""Events leave the spool: acknowledged ones once, all others again."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.report.drains import CLOUD, HOME, CloudDrain, HomeDrain
from edge_agent.report.outbox import Outbox
from edge_agent.report.spool import SpoolItem, SpoolRow
from edge_agent.wire.event import Event
from edge_agent.wire.sync import Ack, EventBatch
from edge_agent.wire.topics import Topics, match_topic
from tests.fakes.clock import FakeClock
from tests.fakes.events import make_item
from tests.fakes.link import FakeLink

TOPICS = Topics("porch")


class Home:
    """A home drain whose answers come back at once, in the same thread."""

    def __init__(self, folder: Path, link: FakeLink) -> None:
        self.clock = FakeClock()
        self.outbox = Outbox(folder / "s.sqlite", consumers=(HOME,), max_bytes=10**7, clock=self.clock)
        self.drain = HomeDrain(link, self.outbox, self._answer, self.clock)
        self.drain.up()

    def _answer(self, epoch: str, seq: int, taken: bool) -> None:
        self.drain.acked(epoch, seq, taken)


def events_of(link: FakeLink) -> list[str]:
    return [Event.from_json(message.payload).id for message in link.sent]


def test_home_events_go_out_in_order_on_their_topic(tmp_path: Path) -> None:
    link = FakeLink()
    home = Home(tmp_path, link)
    home.outbox.append([make_item(n) for n in range(3)])
    home.drain.pump()
    home.drain.pump()
    assert events_of(link) == ["event-000000", "event-000001", "event-000002"]
    spec = match_topic(link.sent[0].topic)
    assert spec is not None
    assert spec.payload is Event
    assert (link.sent[0].qos, link.sent[0].retain) == (spec.qos, spec.retained)


class CountingOutbox(Outbox):
    """Counts how often the spool is asked for events."""

    reads = 0

    def read(self, consumer: str, *, after_seq: int = 0, limit: int = 100) -> list[SpoolRow]:
        self.reads += 1
        return super().read(consumer, after_seq=after_seq, limit=limit)


def test_drains_with_nothing_new_do_not_ask_the_disk(tmp_path: Path) -> None:
    link, clock = FakeLink(), FakeClock()
    outbox = CountingOutbox(tmp_path / "s.sqlite", consumers=(HOME, CLOUD), max_bytes=10**7, clock=clock)

    def answered(epoch: str, seq: int, taken: bool) -> None:
        home.acked(epoch, seq, taken)

    home = HomeDrain(link, outbox, answered, clock)
    cloud = CloudDrain(link, outbox, TOPICS, clock)
    home.up()
    outbox.append([make_item(0)])
    home.pump()
    cloud.pump()
    assert (outbox.reads, len(link.sent)) == (2, 2)
    link.acknowledge()
    cloud.acknowledged(Ack(epoch=outbox.epoch, seq=1))
    for _ in range(5):
        home.pump()
        cloud.pump()
    assert outbox.reads == 2
    outbox.append([make_item(1)])
    home.pump()
    cloud.pump()
    assert (outbox.reads, len(link.sent)) == (4, 4)


def test_home_acknowledgements_out_of_order_delete_only_up_to_the_gap(tmp_path: Path) -> None:
    link = FakeLink()
    home = Home(tmp_path, link)
    home.outbox.append([make_item(n) for n in range(4)])
    home.drain.pump()
    link.acknowledge(1, 3)
    home.outbox.flush()
    assert home.outbox.depth() == 4
    link.acknowledge(0)
    home.outbox.flush()
    assert [row.seq for row in home.outbox.read(HOME)] == [3, 4]


def test_home_window_bounds_what_is_under_way(tmp_path: Path) -> None:
    link = FakeLink()
    home = Home(tmp_path, link)
    home.outbox.append([make_item(n) for n in range(120)])
    home.drain.pump()
    home.drain.pump()
    assert len(link.sent) == 50
    link.acknowledge()
    home.drain.pump()
    assert len(link.sent) == 100


def test_home_lost_connection_sends_unacknowledged_again_after_settling(tmp_path: Path) -> None:
    link = FakeLink()
    home = Home(tmp_path, link)
    home.outbox.append([make_item(n) for n in range(4)])
    home.drain.pump()
    link.acknowledge(0, 1)
    link.lose()
    home.drain.down()
    home.drain.pump()
    link.connected = True
    home.drain.up()
    home.drain.pump()
    assert len(link.sent) == 4, "listeners get time to come back first"
    home.clock.advance(2.0)
    home.drain.pump()
    assert events_of(link)[4:] == ["event-000002", "event-000003"]


def test_home_full_queue_of_the_link_is_tried_again(tmp_path: Path) -> None:
    link = FakeLink(room=2)
    home = Home(tmp_path, link)
    home.outbox.append([make_item(n) for n in range(4)])
    home.drain.pump()
    link.room = 100
    home.drain.pump()
    assert len(set(events_of(link))) == len(link.sent) == 4


def test_home_refused_event_does_not_hold_up_others(tmp_path: Path) -> None:
    link = FakeLink()
    home = Home(tmp_path, link)
    home.outbox.append([make_item(1), make_item(2)])
    home.drain.pump()
    link.acknowledge(0, taken=False)
    link.acknowledge(1)
    home.outbox.flush()
    assert home.drain.refused == 1
    assert home.outbox.depth() == 0


class Cloud:
    def __init__(
        self, folder: Path, link: FakeLink, *, pictures: bool = True, max_bytes: int = 10**7
    ) -> None:
        self.clock = FakeClock()
        self.outbox = Outbox(folder / "s.sqlite", consumers=(CLOUD,), max_bytes=max_bytes, clock=self.clock)
        self.drain = CloudDrain(link, self.outbox, TOPICS, self.clock, pictures=pictures)
        self.link = link

    def batches(self) -> list[EventBatch]:
        return [EventBatch.from_json(message.payload) for message in self.link.sent]

    def ack(self, seq: int, epoch: str | None = None) -> None:
        self.drain.acknowledged(Ack(epoch=epoch or self.outbox.epoch, seq=seq))


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path, FakeLink())


def test_cloud_batch_carries_events_seqs_and_pictures(cloud: Cloud) -> None:
    cloud.outbox.append([make_item(1, b"\xff\xd8jpeg"), make_item(2)])
    cloud.drain.pump()
    (batch,) = cloud.batches()
    assert cloud.link.topics() == ["elfowl/porch/up/events"]
    assert batch.device == "porch"
    assert batch.epoch == cloud.outbox.epoch
    assert [item.seq for item in batch.items] == [1, 2]
    assert batch.items[0].thumbnail_jpeg_base64 == "/9hqcGVn"
    assert batch.items[1].thumbnail_jpeg_base64 is None


def test_cloud_broker_acknowledgement_deletes_nothing(cloud: Cloud) -> None:
    cloud.outbox.append([make_item(1)])
    cloud.drain.pump()
    cloud.link.acknowledge()
    cloud.outbox.flush()
    assert cloud.outbox.depth() == 1
    cloud.ack(1)
    cloud.outbox.flush()
    assert cloud.outbox.depth() == 0


def test_cloud_one_batch_is_under_way_until_acknowledged(cloud: Cloud) -> None:
    cloud.outbox.append([make_item(1)])
    cloud.drain.pump()
    cloud.outbox.append([make_item(2)])
    cloud.drain.pump()
    assert len(cloud.link.sent) == 1
    cloud.ack(1)
    cloud.drain.pump()
    assert [item.seq for item in cloud.batches()[1].items] == [2]


def test_cloud_overdue_batch_is_sent_again_ever_more_slowly(cloud: Cloud) -> None:
    cloud.outbox.append([make_item(1)])
    sent_at: list[float] = []
    for _ in range(200):
        before = len(cloud.link.sent)
        cloud.drain.pump()
        if len(cloud.link.sent) > before:
            sent_at.append(cloud.clock.monotonic_s() - 100)
        cloud.clock.advance(1.0)
    assert sent_at == [0, 10, 30, 70, 130, 190]


def test_cloud_new_connection_sends_again_at_once(cloud: Cloud) -> None:
    cloud.outbox.append([make_item(1)])
    cloud.drain.pump()
    cloud.drain.up()
    cloud.drain.pump()
    assert len(cloud.link.sent) == 2


@pytest.mark.parametrize(("epoch", "seq"), [("foreign-epoch", 1), (None, 7)])
def test_cloud_wrong_acknowledgement_deletes_nothing(cloud: Cloud, epoch: str | None, seq: int) -> None:
    cloud.outbox.append([make_item(1)])
    cloud.drain.pump()
    cloud.ack(seq, epoch)
    cloud.outbox.flush()
    assert cloud.outbox.depth() == 1


def test_cloud_batches_are_bound_in_count_and_size(cloud: Cloud) -> None:
    cloud.outbox.append([make_item(n, b"x" * 50_000) for n in range(5)] + [make_item(n) for n in range(200)])
    for _ in range(20):
        cloud.drain.pump()
        cloud.ack(cloud.batches()[-1].items[-1].seq)
    assert sum(len(batch.items) for batch in cloud.batches()) == 205
    assert max(len(message.payload) for message in cloud.link.sent) < 260_000
    assert max(len(batch.items) for batch in cloud.batches()) == 100


def test_cloud_pictures_never_go_when_not_allowed(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, FakeLink(), pictures=False)
    cloud.outbox.append([make_item(1, b"secret")])
    cloud.drain.pump()
    assert cloud.batches()[0].items[0].thumbnail_jpeg_base64 is None


def test_cloud_hears_of_dropped_ranges_until_it_acknowledged(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, FakeLink(), max_bytes=100_000)
    for number in range(300):
        cloud.outbox.append([make_item(number)])
    cloud.drain.pump()
    (batch,) = cloud.batches()
    (gap,) = batch.dropped
    assert (gap.first_seq, gap.last_seq) == (1, batch.items[0].seq - 1)
    cloud.ack(batch.items[-1].seq)
    cloud.drain.pump()
    assert cloud.batches()[1].dropped == ()


def test_cloud_unreadable_row_is_left_out_and_does_not_block(cloud: Cloud) -> None:
    cloud.outbox.append([SpoolItem("t", "not json"), make_item(2)])
    cloud.drain.pump()
    assert [item.seq for item in cloud.batches()[0].items] == [2]
    cloud.ack(2)
    cloud.outbox.append([SpoolItem("t", "{}")])
    cloud.drain.pump()
    cloud.outbox.flush()
    assert cloud.outbox.depth() == 0
