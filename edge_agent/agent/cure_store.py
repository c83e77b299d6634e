"""Keeps the cure's memory over restarts: false alarms at once, how the last events looked now and then."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from edge_agent.clock import Clock
from edge_agent.errors import StorageError
from edge_agent.pipeline.alike import EventSights, Looks
from edge_agent.pipeline.cure import CureMemory
from edge_agent.update.disk import Disk, RealDisk, write_whole
from edge_agent.vision.arrays import Float32
from edge_agent.vision.few_shot import unit
from edge_agent.wire.base import Document, Name, XyxyNorm
from edge_agent.wire.correction import Feedback

_log = logging.getLogger(__name__)

# Some 1.7 MB, so 10 MB a day at most: a power cut costs the one-tap cure of the last events, no correction.
_SIGHTS_EVERY_S = 4.0 * 3_600.0
_LONGEST_LOOK = 4_096


class SightRecord(Document):
    """One sight; each look as base64 of float16."""

    box: XyxyNorm
    looks: dict[str, str]


class EventRecord(Document):
    """How the thing of one event looked."""

    camera: Name
    event_id: str = Field(min_length=1, max_length=64)
    label: str
    detector_id: str
    detector_version: int
    sights: tuple[SightRecord, ...]


class CureRecord(Document):
    """`false-alarms.json` and `sights.json` in the state folder."""

    schema_version: Literal[1] = Field(1, alias="schema")
    events: tuple[EventRecord, ...] = ()


class CureStore:
    """The files of one memory; a failing disk costs what is kept over a restart, never the cure itself."""

    def __init__(self, state_dir: Path, memory: CureMemory, clock: Clock, disk: Disk | None = None) -> None:
        """Fill the memory with what was kept; a damaged file is as good as none.

        Args:
            state_dir: Where the agent keeps its state.
            memory: To be kept.
            clock: Where times come from.
            disk: What writes.
        """
        self._false_file = state_dir / "false-alarms.json"
        self._sights_file = state_dir / "sights.json"
        self._memory = memory
        self._clock = clock
        self._disk = disk or RealDisk()
        memory.restore(_read(self._sights_file), _read(self._false_file))
        self._kept_changes, self._kept_corrections = memory.changes, memory.corrections
        self._sights_at_s = clock.monotonic_s() + _SIGHTS_EVERY_S

    def hear(self, feedback: Feedback) -> str | None:
        """Take a word on an event; return the camera that must not tell of it any longer, none: none must.

        It holds at once; then it is kept.
        """
        camera, event_id = None, feedback.event_id
        if event_id is not None and feedback.verdict == "wrong":
            camera = self._memory.wrong(event_id)
            _log.info("a false alarm is %s", "remembered" if camera else "too old to know how it looked")
        elif event_id is not None and feedback.verdict == "right":
            self._memory.right(event_id)
        self.tick()
        return camera

    def forget(self) -> None:
        """Forget all false alarms, here and on the disk."""
        _log.info("%d false alarms are forgotten by command", self._memory.forget())
        self.tick()

    def close(self) -> None:
        """Write everything that is not kept yet."""
        self.tick()
        self.keep_sights()

    def tick(self) -> None:
        """Write what is due; call now and then."""
        if self._memory.corrections != self._kept_corrections:
            self.keep_false_alarms()
        if self._clock.monotonic_s() >= self._sights_at_s:
            self.keep_sights()

    def keep_false_alarms(self) -> None:
        """Write the false alarms now."""
        self._kept_corrections = self._memory.corrections
        self._write(self._false_file, self._memory.kept()[1])

    def keep_sights(self) -> None:
        """Write how the last events looked, if there is news."""
        self._sights_at_s = self._clock.monotonic_s() + _SIGHTS_EVERY_S
        if self._memory.changes != self._kept_changes:
            self._kept_changes = self._memory.changes
            self._write(self._sights_file, self._memory.kept()[0])

    def _write(self, file: Path, events: Iterable[EventSights]) -> None:
        record = CureRecord(events=tuple(_record_of(one) for one in events))
        try:
            write_whole(self._disk, file, record.to_json().encode())
        except StorageError as error:
            _log.warning("%s; corrections hold until the next restart only", error)


def _read(file: Path) -> list[EventSights]:
    try:
        return [_sights_of(one) for one in CureRecord.from_json(file.read_bytes()).events]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        _log.warning("%s is damaged (%s); what was corrected is forgotten", file, type(error).__name__)
        return []


def _record_of(one: EventSights) -> EventRecord:
    return EventRecord(
        camera=one.camera,
        event_id=one.event_id,
        label=one.label,
        detector_id=one.detector_id,
        detector_version=one.detector_version,
        sights=tuple(
            SightRecord(box=box, looks={space: _text(look) for space, look in looks.items()})
            for box, looks in zip(one.boxes, one.looks, strict=True)
        ),
    )


def _sights_of(record: EventRecord) -> EventSights:
    looks: list[Looks] = [
        {space: _look(text) for space, text in sight.looks.items()} for sight in record.sights
    ]
    return EventSights(
        camera=record.camera,
        event_id=record.event_id,
        label=record.label,
        detector_id=record.detector_id,
        detector_version=record.detector_version,
        boxes=[sight.box for sight in record.sights],
        looks=looks,
    )


def _text(look: Float32) -> str:
    return base64.b64encode(look.astype("<f2").tobytes()).decode("ascii")


def _look(text: str) -> Float32:
    """Return a look that was kept.

    Raises:
        ValueError: It is no base64 of finite float16.
    """
    look = np.frombuffer(base64.b64decode(text, validate=True), "<f2").astype(np.float32)
    if not 0 < look.size <= _LONGEST_LOOK or not np.isfinite(look).all():
        message = f"a look of {look.size} numbers, or not all finite"
        raise ValueError(message)
    return unit(look)
