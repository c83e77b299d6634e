"""The second stage: who is looked at, how looks vote, and what an event tells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edge_agent.errors import BackendError
from edge_agent.pipeline.attributes import AttributeReader, AttributeSettings, crop_around, told_value
from edge_agent.pipeline.track import Track
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.wire.attributes import AttributeRule, AttributeRules
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.event import Event
from tests.edge_agent.pipeline.scenes import PERSON, ScriptedDetector, frame, person, pipeline

RULES = AttributeRules(
    attributes=(
        AttributeRule(
            name="Coat",
            slug="coat",
            labels=("person",),
            values=("red", "green"),
            centre=(0.0, 0.0, 0.0),
            means=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
            least_similarity=0.5,
            least_margin=0.2,
        ),
    )
)
PICTURE = np.zeros((100, 100, 3), np.uint8)


class ScriptedEmbedder:
    """Answers the next of its embeddings, or fails."""

    def __init__(self, *answers: Sequence[float]) -> None:
        self.answers = list(answers)
        self.boxes: list[XyxyNorm] = []

    def embed(self, rgb: Rgb, box: XyxyNorm) -> Float32:
        assert rgb.shape[2] == 3
        self.boxes.append(box)
        if not self.answers:
            message = "the embedding network failed"
            raise BackendError(message)
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        return np.array(answer, np.float32)


def track(number: int, label: str = "person", at_s: float = 0.0) -> Track:
    return Track(number=number, label=label, box=(0.1, 0.1, 0.3, 0.9), score=0.9, first_s=0.0, last_s=at_s)


@pytest.mark.parametrize(
    ("votes", "told"),
    [
        ([], None),
        ([0], None),
        ([0, 0], ("red", 1.0)),
        ([1, 1, 0], ("green", 0.667)),
        ([0, 1], None),
        ([None, None, None], None),
        ([0, None], None),
        ([0, 0, None], ("red", 0.667)),
    ],
)
def test_told_value_needs_most_of_the_looks(votes: list[int | None], told: tuple[str, float] | None) -> None:
    value = told_value(("red", "green"), votes, AttributeSettings())
    found = None if value is None else (value.value, round(value.score, 3))
    assert found == told


def test_reader_looks_at_few_things_a_picture_and_takes_turns() -> None:
    embedder = ScriptedEmbedder((1.0, 0.0, 0.0))
    reader = AttributeReader(embedder, RULES, AttributeSettings(looks_per_frame=1))
    for number in range(4):
        tracks = [track(1, at_s=number * 0.1), track(2, at_s=number * 0.1)]
        reader.look(PICTURE, tracks, number * 0.1)
    assert len(embedder.boxes) == 2, "each once: the next look is due after a second"
    reader.look(PICTURE, [track(1, at_s=2.0), track(2, at_s=2.0)], 2.0)
    reader.look(PICTURE, [track(1, at_s=2.1), track(2, at_s=2.1)], 2.1)
    assert reader.values(track(1))["coat"].value == "red"
    assert reader.values(track(2))["coat"].value == "red"


def test_reader_ignores_other_labels_and_things_not_seen_now() -> None:
    embedder = ScriptedEmbedder((1.0, 0.0, 0.0))
    reader = AttributeReader(embedder, RULES)
    reader.look(PICTURE, [track(1, "dog"), track(2, at_s=-1.0)], 0.0)
    assert embedder.boxes == []


def test_reader_forgets_what_is_gone() -> None:
    reader = AttributeReader(ScriptedEmbedder((1.0, 0.0, 0.0)), RULES)
    for second in range(3):
        reader.look(PICTURE, [track(1, at_s=second)], second)
    assert reader.values(track(1))
    reader.look(PICTURE, [], 3.0)
    assert reader.values(track(1)) == {}


@pytest.mark.parametrize(
    ("box", "shape"),
    [
        ((0.0, 0.0, 1.0, 1.0), (100, 200)),
        ((0.5, 0.5, 0.5, 0.5), (1, 1)),
        ((1.0, 1.0, 1.0, 1.0), (1, 1)),
        ((0.25, 0.25, 0.5, 0.75), (64, 64)),
    ],
)
def test_crop_around_stays_inside_and_is_never_empty(box: XyxyNorm, shape: tuple[int, int]) -> None:
    crop = crop_around(np.zeros((100, 200, 3), np.uint8), box, 0.14)
    assert crop.shape == (*shape, 3)


def events_of(embedder: ScriptedEmbedder, seconds: int) -> list[Event]:
    detector = ScriptedDetector()
    detector.sees = [person(0.1)]
    camera = pipeline(detector)
    camera.use_detector(detector, {"person": PERSON}, AttributeReader(embedder, RULES))
    results = [camera.process(frame(tick * 0.5)) for tick in range(2 * seconds)]
    return [event for result in results for event in result.events]


def test_pipeline_tells_an_attribute_in_an_update_once_looks_agree() -> None:
    events = events_of(ScriptedEmbedder((1.0, 0.0, 0.0)), 5)
    assert events[0].event_type == "new"
    assert events[0].attributes == {}
    assert [event.attributes["coat"].value for event in events if event.attributes] == ["red"]


def test_pipeline_tells_events_when_the_second_stage_fails() -> None:
    events = events_of(ScriptedEmbedder(), 5)
    assert [event.event_type for event in events] == ["new"]
    assert events[0].attributes == {}
