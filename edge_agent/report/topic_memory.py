"""Remembers over restarts which retained topics this agent left on the broker, to remove stale ones."""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

_log = logging.getLogger(__name__)

_LIST = TypeAdapter(list[str])


class Known(BaseModel):
    """What may stand on the broker.

    Attributes:
        entities: Discovery topics of single entities.
        documents: Discovery topics of whole devices.
        components: What the device's document names: key → platform.
        states: Topics of states.
    """

    model_config = ConfigDict(frozen=True)

    entities: frozenset[str] = frozenset()
    documents: frozenset[str] = frozenset()
    components: dict[str, str] = {}
    states: frozenset[str] = frozenset()

    def __or__(self, other: Known) -> Known:
        """Return both together."""
        return Known(
            entities=self.entities | other.entities,
            documents=self.documents | other.documents,
            components=self.components | other.components,
            states=self.states | other.states,
        )


class TopicMemory:
    """Keeps a `Known` in a file."""

    def __init__(self, file: Path) -> None:
        """Read `file`; a missing or damaged one remembers nothing."""
        self._file = file
        self.known = _read(file)

    def keep(self, known: Known) -> None:
        """Remember `known`, now and after a restart."""
        if known == self.known:
            return
        self.known = known
        try:
            part = self._file.with_suffix(".part")
            part.write_text(known.model_dump_json())
            part.replace(self._file)
        except OSError as error:
            _log.warning("%s: %s; entities that go may stay in Home Assistant", self._file, error.strerror)


def _read(file: Path) -> Known:
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError):
        return Known()
    try:
        return Known.model_validate_json(text)
    except ValidationError:
        return _read_first_form(text)


def _read_first_form(text: str) -> Known:
    """Read what the first agents wrote: a list of topics of single entities and labels."""
    try:
        topics = _LIST.validate_json(text)
    except ValidationError:
        return Known()
    entities = frozenset(topic for topic in topics if topic.endswith("/config"))
    return Known(entities=entities, states=frozenset(topics) - entities)
