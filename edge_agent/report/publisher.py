"""Keeps the home broker in step with the agent: availability, discovery, and every retained state.

All retained values are remembered here and published again on each connect (a broker may have forgotten them)
and when Home Assistant starts. Called from one thread.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

from edge_agent.clock import Clock
from edge_agent.report.announcer import Announcer, DiscoveryStyle, Entities
from edge_agent.report.frigate import Frigate
from edge_agent.report.protocol import Link, Message
from edge_agent.wire.base import Document
from edge_agent.wire.status import CameraDetail, LabelAttributes, Stats, UpdateState
from edge_agent.wire.topics import Topics

_ONLINE = b"online"
_OFFLINE = b"offline"
_BIRTH_JITTER_S = (0.5, 3.0)
# Home Assistant subscribes some seconds after it read the discovery; what is not retained comes again then.
_STATS_AGAIN_S = 10.0


def will_of(topics: Topics) -> Message:
    """Return what the broker publishes when the connection breaks; also the agent's clean goodbye."""
    return Message(topics.available, _OFFLINE, retain=True)


class Publisher:
    """The agent's face at the home broker."""

    def __init__(
        self,
        link: Link,
        topics: Topics,
        *,
        remembered_file: Path,
        clock: Clock,
        rng: random.Random,
        style: DiscoveryStyle = "per_entity",
        frigate: Frigate | None = None,
    ) -> None:
        """Begin; nothing is published before `up`.

        Args:
            link: The connection.
            topics: The device's topics.
            remembered_file: Where retained topics are remembered over restarts, to remove stale ones.
            clock: Where times come from.
            rng: Spreads answers to Home Assistant's birth.
            style: One discovery config per entity, or one for the device.
            frigate: Says everything on Frigate's topics too.
        """
        self._link = link
        self._topics = topics
        self._clock = clock
        self._rng = rng
        self._announcer = Announcer(link, topics, remembered_file=remembered_file, clock=clock, style=style)
        self._frigate = frigate
        self._states: dict[str, Message] = {}
        self._stats: Message | None = None
        self._republish_at_s = float("inf")
        self._stats_again_at_s = float("inf")

    def declare(self, entities: Entities, state_topics: Iterable[str]) -> None:
        """Say which entities and states there are; those that no longer are get removed.

        Args:
            entities: From `discovery_documents`; empty when discovery is off.
            state_topics: From `state_topics`.
        """
        for topic in self._announcer.declare(entities, state_topics) & self._states.keys():
            del self._states[topic]
        self._publish_everything()

    def withdraw(self) -> None:
        """Remove everything retained from the broker, but for the availability."""
        self._states = {}
        self._announcer.withdraw()

    def up(self) -> None:
        """Publish everything on a new connection."""
        self._publish_everything()

    def homeassistant_started(self) -> None:
        """Publish everything again soon; many devices hear this at once."""
        if self._republish_at_s == float("inf"):
            self._republish_at_s = self._clock.monotonic_s() + self._rng.uniform(*_BIRTH_JITTER_S)

    def tick(self) -> None:
        """Do what is due; call each second or two."""
        now_s = self._clock.monotonic_s()
        self._announcer.tick()
        if now_s >= self._republish_at_s:
            self._republish_at_s = float("inf")
            self._stats_again_at_s = now_s + _STATS_AGAIN_S
            self._publish_everything()
        if now_s >= self._stats_again_at_s:
            self._stats_again_at_s = float("inf")
            if self._stats is not None:
                self._link.publish(self._stats)

    def camera_status(self, camera: str, detail: CameraDetail) -> None:
        """Say whether a camera gives pictures, and why (not)."""
        self._set(self._topics.camera(camera, "status"), detail.status.encode())
        if self._frigate is not None:
            self._keep(self._frigate.status(camera, detail.status))
        self._set_document(self._topics.camera(camera, "detail"), detail)

    def label(self, camera: str, slug: str, attributes: LabelAttributes) -> None:
        """Say how many of a label are in view, and about the best sight of it."""
        self._set_document(self._topics.label(camera, slug, "attributes"), attributes)
        self._set(self._topics.label(camera, slug), str(attributes.count).encode())
        for message in self._frigate.label(camera, slug, attributes) if self._frigate is not None else ():
            self._keep(message)

    def snapshot(self, camera: str, slug: str, jpeg: bytes) -> None:
        """Show the last picture of a label."""
        self._set(self._topics.label(camera, slug, "snapshot"), jpeg, qos=0)
        if self._frigate is not None:
            self._keep(self._frigate.snapshot(camera, slug, jpeg))

    def switch(self, camera: str, feature: str, value: str) -> None:
        """Say how a setting stands: `ON`, `OFF` or a number."""
        self._set(self._topics.switch(camera, feature, "state"), value.encode())
        for message in self._frigate.switch(camera, feature, value) if self._frigate is not None else ():
            self._keep(message)

    def detector(self, state: UpdateState) -> None:
        """Say which detector is installed, and which is the newest."""
        # Home Assistant wants keys without a value left out here.
        text = state.model_dump_json(exclude_none=True)
        self._set(self._topics.detector_state, text.encode())

    def stats(self, stats: Stats) -> None:
        """Say how the agent is."""
        self._stats = Message(self._topics.stats, stats.to_json().encode(), qos=0)
        self._link.publish(self._stats)
        if self._frigate is not None:
            self._link.publish(self._frigate.stats(stats))

    def goodbye(self) -> tuple[Message, ...]:
        """Return what to publish before a clean stop."""
        stopped = () if self._frigate is None else (self._frigate.available("stopped"),)
        return (will_of(self._topics), *stopped)

    def _set_document(self, topic: str, document: Document) -> None:
        self._set(topic, document.to_json().encode())

    def _set(self, topic: str, payload: bytes, *, qos: int = 1) -> None:
        self._keep(Message(topic, payload, qos=qos, retain=True))

    def _keep(self, message: Message) -> None:
        """Publish a state if it is news, and again whenever somebody may have forgotten it."""
        if self._states.get(message.topic) != message:
            self._states[message.topic] = message
            self._link.publish(message)

    def _publish_everything(self) -> None:
        if not self._link.connected:
            return
        self._announcer.announce()
        for message in self._states.values():
            self._link.publish(message)
        # Last, so that whoever waits for `online` finds everything else in place.
        self._link.publish(Message(self._topics.available, _ONLINE, retain=True))
        if self._frigate is not None:
            self._link.publish(self._frigate.available("online"))
