"""The reporting thread: everything said over MQTT, and the spool.

Others leave work in its inbox and go on. Events are not left there: the camera's own thread stores and
publishes them, unless the reporter has the spool just then, and then the reporter does. So nobody waits for a
thread to wake up, which takes longer than both, and some milliseconds where the processor has other work.
Events of one picture are stored with one commit, and only what is stored is published. They come before all
other work, and before their own pictures and key frames are made. Who listens at home hears of an event as
soon as no kill can take it any more. That it is on the disk, safe from a power cut, is waited for right after
that, in the reporter's thread, before the cloud hears, which keeps count.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from edge_agent.agent.inbox import Fresh, Inbox, Later, MakePicture, Work
from edge_agent.agent.sides import CloudSide, HomeSide
from edge_agent.clock import Clock
from edge_agent.errors import ProtocolError
from edge_agent.report.commands import (
    Command,
    HomeAssistantStarted,
    RateLimitedLog,
    cloud_subscriptions,
    parse_command,
)
from edge_agent.report.drains import CloudDrain, HomeDrain
from edge_agent.report.letters import Letters
from edge_agent.report.link import Link, LinkEvents, Message
from edge_agent.report.outbox import Outbox
from edge_agent.report.publisher import Publisher, will_of
from edge_agent.report.spool import SpoolItem
from edge_agent.wire.event import Event
from edge_agent.wire.live import LivePicture
from edge_agent.wire.sync import Ack
from edge_agent.wire.topics import Topics

if TYPE_CHECKING:
    from edge_agent.report.webhooks import Webhook

_log = logging.getLogger(__name__)

_TICK_S, _WAITING_TICK_S = 2.0, 0.5
# Acknowledgements that a kill forgets only make events go out again.
FLUSH_S = 300.0
# What the reporter needs at most with the spool, unless it waits for the disk: then no camera waits for it.
_FREE_S = 0.003
# What was published leaves first: link and broker need a core for that, and nobody waits for pictures.
_LEAVE_S = 0.005
# Each picture that is still to be made holds a whole one of the camera's in memory.
_PICTURES_AT_MOST = 8


class Reporter:
    """Stores events and publishes them; tells commands to `on_command`, in its own thread.

    Who has `_owning` owns the spool and what leaves it for home; nobody makes a picture meanwhile.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        home: HomeSide | None,
        cloud: CloudSide | None,
        cameras: Collection[str],
        clock: Clock,
        on_command: Callable[[Command], None],
        farewell_s: float = 2.0,
        webhooks: Sequence[Webhook] = (),
    ) -> None:
        """Prepare; `start` begins.

        Args:
            outbox: Where events wait.
            home: The home broker, if there is one.
            cloud: The cloud's broker, if there is one.
            cameras: Names of the cameras.
            clock: Where times come from.
            on_command: Told of everything but acknowledgements and Home Assistant's start.
            farewell_s: How long a stop waits for acknowledgements of what is under way.
            webhooks: Post events to URLs.
        """
        self._webhooks = {hook.target.consumer: hook for hook in webhooks}
        self._outbox = outbox
        self._home = home
        self._cloud = cloud
        self._cameras = tuple(cameras)
        self._clock = clock
        self._on_command = on_command
        self._farewell_s = farewell_s
        self._inbox = Inbox()
        self._owning = threading.Lock()
        self._left: deque[Fresh] = deque()
        self._fresh: list[Fresh] = []
        self._later: deque[Later] = deque()
        self._room = threading.BoundedSemaphore(_PICTURES_AT_MOST)
        self._refusals = RateLimitedLog(clock)
        self._home_drain = HomeDrain(home.link, outbox, self._post_ack, clock, home.frigate) if home else None
        self._letters = (
            Letters(outbox.folder / "letters.jsonl", cloud.link, self._inbox.put) if cloud else None
        )
        self._cloud_drain = (
            CloudDrain(cloud.link, outbox, cloud.topics, clock, pictures=cloud.pictures) if cloud else None
        )
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)
        self._flush_at_s = 0.0

    @property
    def cloud_connected(self) -> bool:
        """Return whether the cloud's broker is connected."""
        return self._cloud is not None and self._cloud.link.connected

    def depth(self) -> int:
        """Return how many events wait; from the reporter's thread only."""
        return self._outbox.depth()

    @property
    def alarm(self) -> str | None:
        """Return why events are kept in memory only; none: they are on the disk."""
        return self._outbox.alarm

    @property
    def dropped_events(self) -> int:
        """Return how many events the quota made us forget since the start."""
        return self._outbox.dropped_events

    def start(self) -> None:
        """Connect and begin to report."""
        self._thread.start()
        for link in self._links():
            link.start(self._events_of(link))
        for hook in self._webhooks.values():
            hook.start(self._post_done)

    def events(self, events: Sequence[Event], pictures: Mapping[str, MakePicture] | None = None) -> None:
        """Store and publish events together, by one commit; left to the reporter if that has the spool.

        Args:
            events: In their order.
            pictures: Makes the small picture of an event, by its id, once that is published: in the
                reporter's thread, or right here where too many wait for theirs already.
        """
        if not events:
            return
        makers = pictures or {}
        self._left += [self._fresh_of(event, makers.get(event.id)) for event in events]
        if self._owning.acquire(timeout=_FREE_S):
            try:
                self._do(self._store)
            finally:
                self._owning.release()
        self._inbox.put(_look_for_events)

    def afterwards(self, work: Callable[[], None]) -> None:
        """Leave work with a camera's picture, done once no event waits; done right here where much waits."""
        if self._room.acquire(blocking=False):
            self._inbox.put(Later(work))
        else:
            work()

    def publish(self, say: Callable[[Publisher], None]) -> None:
        """Leave something to be said at home."""
        home = self._home
        if home is not None:
            self._inbox.put(lambda: say(home.publisher))

    def live(self, picture: LivePicture) -> None:
        """Leave a picture for who looks at the cloud; lost if the cloud cannot be reached now."""
        cloud = self._cloud
        if cloud is not None and cloud.link.connected:
            message = Message(cloud.topics.up_look, picture.to_json().encode(), qos=0)
            self._inbox.put(lambda: _publish(cloud.link, message))

    def do(self, work: Callable[[], None]) -> None:
        """Leave work to be done in the reporter's thread, which owns the spool."""
        self._inbox.put(work)

    def to_cloud(self, message: Message) -> None:
        """Leave a message for the cloud's broker; kept until it took it, over restarts too."""
        letters = self._letters
        if letters is not None:
            self._inbox.put(lambda: letters.add(message))

    def stop(self, *, leave_nothing: bool = False) -> None:
        """Store what is left, say goodbye, disconnect; the spool is flushed and closed.

        Args:
            leave_nothing: The goodbye is not left on the broker either.
        """
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(10.0)
        self._finish_under_way()
        for hook in self._webhooks.values():
            hook.stop()
        for link in self._links():
            goodbye = [will_of(topics) for topics in self._topics_of(link)]
            if self._home is not None and self._home.link is link and self._home.frigate is not None:
                goodbye.append(self._home.frigate.available("stopped"))
            erased = [replace(message, payload=b"") for message in goodbye] if leave_nothing else []
            link.stop(goodbye + erased)
        # After a clean stop the last acknowledgements are in the inbox.
        self._work_off(wait_s=0.0)
        self._outbox.close()

    def _fresh_of(self, event: Event, picture: MakePicture | None) -> Fresh:
        topics = self._home.topics if self._home else Topics(event.device)
        item = SpoolItem(topics.camera(event.camera, "event"), event.to_json())
        if picture is not None and not self._room.acquire(blocking=False):
            item, picture = replace(item, thumbnail=_made(picture)), None
        return Fresh(item, event.event_type == "new", picture)

    def _finish_under_way(self) -> None:
        until_s = self._clock.monotonic_s() + self._farewell_s
        while self._clock.monotonic_s() < until_s and any(link.connected for link in self._links()):
            self._work_off(wait_s=0.05)
            if self._outbox.depth() == 0:
                return

    def _links(self) -> list[Link]:
        sides = [side.link for side in (self._home, self._cloud) if side is not None]
        return sides[:1] if len(sides) == 2 and sides[0] is sides[1] else sides

    def _topics_of(self, link: Link) -> list[Topics]:
        topics = [side.topics for side in (self._home, self._cloud) if side is not None and side.link is link]
        return topics[:1] if len({t.base for t in topics}) == 1 else topics

    def _run(self) -> None:
        running = True
        while running:
            try:
                running = self._work_off(wait_s=_WAITING_TICK_S if self._outbox.waits else _TICK_S)
            except Exception:  # noqa: BLE001 - reporting must go on; what was to be said then is lost
                _log.exception("reporting failed")

    def _work_off(self, *, wait_s: float) -> bool:
        """Do everything in the inbox, then what is due; return whether to go on."""
        going_on = self._do_all(self._inbox.take_all(wait_s))
        while self._later:
            later = self._later.popleft()
            # An event that came meanwhile does not wait for the pictures of those before it.
            going_on = self._do_all(self._inbox.take_all(_LEAVE_S)) and going_on
            self._do_later(later)
        self._pump()
        return going_on

    def _do_all(self, found: Sequence[Work]) -> bool:
        """Store and publish the events that are left, then do the rest; return whether to go on."""
        with self._owning:
            self._do(self._store)
            self._do(self._outbox.sync)
        self._later += [work for work in found if isinstance(work, Later)]
        for work in found:
            if work is not None and not isinstance(work, Later):
                with self._owning:
                    self._do(work)
        return None not in found

    def _store(self) -> None:
        """Store and publish what is left to be; from the thread that owns the spool."""
        while self._left:
            self._fresh.append(self._left.popleft())
        fresh = self._fresh
        if not fresh:
            return
        lasting = any(one.lasting for one in fresh)
        last_seq = self._outbox.append([one.item for one in fresh], lasting=lasting, synced=False)
        epoch, first_seq = self._outbox.epoch, last_seq - len(fresh) + 1
        # Forgotten only once stored: the machine may be out of memory for a moment.
        self._fresh = []
        self._later += [
            Later(partial(self._add_picture, epoch, seq, one.item, one.picture))
            for seq, one in enumerate(fresh, start=first_seq)
            if one.picture is not None
        ]
        if self._home_drain is not None:
            self._home_drain.pump()

    def _add_picture(self, epoch: str, seq: int, item: SpoolItem, picture: MakePicture) -> None:
        thumbnail = _made(picture)
        if thumbnail is not None:
            with self._owning:
                self._outbox.add_picture(epoch, seq, replace(item, thumbnail=thumbnail))

    def _do_later(self, later: Later) -> None:
        self._do(later.work)
        self._room.release()

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # noqa: BLE001 - one bad piece of work must not cost the others in the inbox
            _log.exception("reporting failed")

    def _pump(self) -> None:
        with self._owning:
            # A camera may have stored more since: the cloud hears of nothing that a power cut can take.
            self._outbox.sync()
            self._send()
        if self._home is not None:
            self._home.publisher.tick()

    def _send(self) -> None:
        if self._home_drain is not None:
            self._home_drain.pump()
        if self._cloud_drain is not None:
            self._cloud_drain.pump()
        for hook in self._webhooks.values():
            hook.pump()
        self._outbox.tick()
        now_s = self._clock.monotonic_s()
        if now_s >= self._flush_at_s:
            self._flush_at_s = now_s + FLUSH_S
            self._outbox.flush()

    def _events_of(self, link: Link) -> LinkEvents:
        return LinkEvents(
            up=lambda: self._inbox.put(lambda: self._up(link)),
            down=lambda reason: self._inbox.put(lambda: self._down(link, reason)),
            message=lambda topic, payload, retained: self._inbox.put(
                lambda: self._message(topic, payload, retained=retained)
            ),
        )

    def _up(self, link: Link) -> None:
        _log.info("connected to MQTT")
        if self._home is not None and self._home.link is link and self._home_drain is not None:
            self._home.publisher.up()
            self._home_drain.up()
        if self._cloud is not None and self._cloud.link is link and self._cloud_drain is not None:
            if self._home is None or self._home.link is not link:
                link.publish(Message(self._cloud.topics.available, b"online", retain=True))
            self._cloud_drain.up()
            if self._letters is not None:
                self._letters.reconnected()

    def _down(self, link: Link, _reason: str) -> None:
        if self._home_drain is not None and self._home is not None and self._home.link is link:
            self._home_drain.down()

    def _message(self, topic: str, payload: bytes, *, retained: bool) -> None:
        from_cloud = self._cloud is not None and topic in cloud_subscriptions(self._cloud.topics)
        side = self._cloud if from_cloud else self._home
        if side is None:
            return
        if isinstance(side, HomeSide) and side.frigate is not None:
            topic = side.frigate.own_topic(side.topics, topic)
        try:
            command = parse_command(side.topics, self._cameras, topic, payload, retained=retained)
        except ProtocolError as error:
            self._refusals.warning(str(error))
            return
        if isinstance(command, Ack):
            if self._cloud_drain is not None:
                self._cloud_drain.acknowledged(command)
        elif isinstance(command, HomeAssistantStarted):
            if self._home is not None:
                self._home.publisher.homeassistant_started()
        elif command is not None:
            self._on_command(command)

    def _post_done(self, consumer: str, epoch: str, seq: int) -> None:
        self._inbox.put(lambda: self._webhooks[consumer].done(epoch, seq))

    def _post_ack(self, epoch: str, seq: int, taken: bool) -> None:
        drain = self._home_drain
        if drain is not None:
            self._inbox.put(lambda: drain.acked(epoch, seq, taken))


def _look_for_events() -> None:
    """Do nothing: events that are left are looked for before each piece of work."""


def _made(picture: MakePicture) -> bytes | None:
    """Return a picture; none when it cannot be made, which must not cost its event."""
    try:
        return picture()
    except Exception:  # noqa: BLE001 - see above
        _log.exception("the picture of an event could not be made")
        return None


def _publish(link: Link, message: Message) -> None:
    link.publish(message)
