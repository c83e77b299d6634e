"""A detector of people, taught on ten frames and compressed into a trunk and a head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.creating.lessons import read_lessons
from cloud.training.config import TrainConfig
from cloud.training.session import TeachingSession
from compress.run import compress
from edge_agent.clock import SystemClock
from edge_agent.runtime.profiles import load_profile
from edge_agent.wire.detection import DetectorRef

_PROFILE = "pi-4"
_REF = DetectorRef(id="persons", name="persons", version=1)


def teach_in_parts(folder: Path) -> Path:
    """Return the bundle; takes some minutes."""
    clock = SystemClock()
    lessons = read_lessons("persons")
    frames = lessons.sets[0]
    session = TeachingSession(lessons.classes, TrainConfig(ref=_REF), clock=clock)
    for frame in frames:
        session.put_frame(frame)
    taught = session.update(lambda _: None, lambda: False).detector
    detector = replace(taught, examples=tuple(frames), test_frames=lessons.test)
    return compress(detector, load_profile(_PROFILE), folder, clock=clock).chosen
