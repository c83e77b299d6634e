"""What a correction must be about."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from edge_agent.wire.correction import Correction, Feedback

BOX = (0.1, 0.2, 0.3, 0.4)


@pytest.mark.parametrize(
    "subject",
    [
        {"verdict": "wrong", "event_id": "e"},
        {"verdict": "missed", "camera": "door", "time": 1.0},
        {"verdict": "missed", "media_id": "m", "frame_index": 0, "box": BOX},
        {"verdict": "wrong", "media_id": "m", "frame_index": 3, "box": BOX},
    ],
)
def test_correction_about_an_event_a_moment_or_a_frame_is_read(subject: dict[str, object]) -> None:
    read = Correction.model_validate({"id": "c", "source": "api", "created": 1.0, **subject})
    assert Correction.from_json(read.to_json()) == read


@pytest.mark.parametrize(
    ("subject", "what"),
    [
        ({"verdict": "wrong"}, "event_id"),
        ({"verdict": "missed", "camera": "door"}, "time"),
        ({"verdict": "wrong", "media_id": "m", "box": BOX}, "frame_index"),
        ({"verdict": "wrong", "frame_index": 1, "box": BOX}, "media_id"),
        ({"verdict": "missed", "media_id": "m", "frame_index": 1}, "box"),
        ({"verdict": "wrong", "media_id": "m", "frame_index": -1, "box": BOX}, "frame_index"),
    ],
)
def test_correction_about_nothing_is_refused(subject: dict[str, object], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        Correction.model_validate({"id": "c", "source": "api", "created": 1.0, **subject})


def test_feedback_may_say_where_and_who() -> None:
    said = Feedback(verdict="missed", camera="door", time=1.0, label="person", box=BOX, author="owner")
    assert Feedback.from_json(said.to_json()) == said
