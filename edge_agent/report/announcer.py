"""Tells Home Assistant which entities there are, in one style or the other, and takes back what went.

Taking back goes in an order that leaves neither ghosts nor complaints: first the entity, and only some
seconds later, when Home Assistant has let go of it, its states. From one style to the other, entities are
told to migrate first, so that they keep their ids, names and history. In the device style, a component that
goes is named once with only its platform; two documents back to back would lose components, so they are
spaced.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from edge_agent.clock import Clock
from edge_agent.report.protocol import Link, Message
from edge_agent.report.topic_memory import Known, TopicMemory
from edge_agent.wire.homeassistant import HaConfig, HaDeviceDocument
from edge_agent.wire.topics import Topics

DiscoveryStyle = Literal["per_entity", "device"]

_SETTLE_S = 5.0
_MIGRATE = b'{"migrate_discovery": true}'
_NEVER_S = float("inf")

Entities = Sequence[tuple[str, HaConfig]]


class Announcer:
    """Keeps discovery in step with what there is; called from one thread."""

    def __init__(
        self, link: Link, topics: Topics, *, remembered_file: Path, clock: Clock, style: DiscoveryStyle
    ) -> None:
        """Begin with nothing declared; see `Publisher` for the arguments."""
        self._link = link
        self._topics = topics
        self._memory = TopicMemory(remembered_file)
        self._clock = clock
        self._style = style
        self._entities: Entities = ()
        self._now = Known()
        self._stale = Known()
        self._tidy_at_s = self._document_due_s = _NEVER_S
        self._document_at_s = -_NEVER_S

    def declare(self, entities: Entities, state_topics: Iterable[str]) -> frozenset[str]:
        """Say what there is; return the topics of states that no longer are.

        Args:
            entities: From `discovery_documents`; empty when discovery is off.
            state_topics: Every topic on which something may be retained.
        """
        self._entities = entities
        states = frozenset(state_topics)
        if self._style == "device" and entities:
            document = frozenset({self._topics.discovery_device})
            self._now = Known(documents=document, components=_components(entities), states=states)
        else:
            self._now = Known(entities=frozenset(topic for topic, _ in entities), states=states)
        self._stale = _beyond(self._memory.known | self._stale, self._now)
        self._memory.keep(self._now | self._stale)
        return self._stale.states

    def announce(self) -> None:
        """Publish all of it, and take back what went; the rest of that follows by `tick`."""
        self._part_with_stale()
        if self._now.documents:
            self._publish_document()
        else:
            for topic, config in self._entities:
                self._link.publish(Message(topic, config.to_json().encode(), retain=True))
        self._tidy_later()

    def tick(self) -> None:
        """Do what is due."""
        now_s = self._clock.monotonic_s()
        if now_s >= self._document_due_s:
            self._publish_document()
            self._tidy_later()
        elif now_s >= self._tidy_at_s:
            self._tidy_at_s = _NEVER_S
            self._tidy()

    def withdraw(self) -> None:
        """Take everything back at once."""
        gone = self._memory.known | self._now | self._stale
        self._entities, self._now, self._stale = (), Known(), gone
        self._tidy_at_s = self._document_due_s = _NEVER_S
        for topics in (gone.entities | gone.documents, gone.states - {self._topics.available}):
            self._erase(topics)
        self._memory.keep(Known())

    def _part_with_stale(self) -> None:
        """Let go of entities: those that go on in the other style are told so."""
        to_document = {topic for topic, _ in self._entities} if self._now.documents else set()
        to_entities = {self._topics.discovery_device} if self._now.entities else set()
        old = self._stale.entities | self._stale.documents
        moving = old & (to_document | to_entities)
        for topic in sorted(moving):
            self._link.publish(Message(topic, _MIGRATE))
        self._erase(old - moving)

    def _publish_document(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s < self._document_at_s + _SETTLE_S:
            self._document_due_s = self._document_at_s + _SETTLE_S
            return
        self._document_at_s, self._document_due_s = now_s, _NEVER_S
        document = device_document(self._entities, self._stale.components)
        self._link.publish(Message(self._topics.discovery_device, document.to_json().encode(), retain=True))

    def _tidy_later(self) -> None:
        if self._stale != Known():
            wait_s = 2.0 * _SETTLE_S if self._document_due_s < _NEVER_S else _SETTLE_S
            self._tidy_at_s = self._clock.monotonic_s() + wait_s

    def _tidy(self) -> None:
        """Finish what `announce` began; what fails is done again on the next connection."""
        if not self._link.connected:
            return
        leaving, self._stale = self._stale, self._stale.model_copy(update={"components": {}})
        if leaving.components:
            self._publish_document()
        erased = self._erase(leaving.entities | leaving.documents) and self._erase(leaving.states)
        self._stale = Known() if erased else leaving
        if erased:
            self._memory.keep(self._now)

    def _erase(self, topics: Collection[str]) -> bool:
        done = [self._link.publish(Message(topic, b"", retain=True)) for topic in sorted(topics)]
        return all(done)


def device_document(entities: Entities, leaving: Mapping[str, str]) -> HaDeviceDocument:
    """Return all entities as one document.

    Args:
        entities: From `discovery_documents`; at least one.
        leaving: Components that go: key → platform.
    """
    first = entities[0][1]
    stubs = {key: {"platform": platform} for key, platform in leaving.items()}
    components = {
        _key(topic): {"platform": _platform(topic)}
        | config.model_dump(exclude_none=True, exclude={"device", "origin"}, mode="json")
        for topic, config in entities
    }
    return HaDeviceDocument(device=first.device, origin=first.origin, components=stubs | components)


def _components(entities: Entities) -> dict[str, str]:
    return {_key(topic): _platform(topic) for topic, _ in entities}


def _key(topic: str) -> str:
    return topic.split("/")[-2]


def _platform(topic: str) -> str:
    return topic.split("/")[-4]


def _beyond(known: Known, now: Known) -> Known:
    """Return what is known and no longer is."""
    return Known(
        entities=known.entities - now.entities,
        documents=known.documents - now.documents,
        components={key: name for key, name in known.components.items() if key not in now.components}
        if now.documents
        else {},
        states=known.states - now.states,
    )
