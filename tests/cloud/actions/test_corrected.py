"""What corrections teach, as functions of what was said."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.actions.corrected import STANDINGS, correct, newest_of_each, standing_of
from cloud.datasets.frames import LabelledBox, LabelledFrame, PictureSource
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.correction import Correction, Verdict

BOX = (0.1, 0.2, 0.3, 0.4)
FAR = (0.7, 0.7, 0.9, 0.9)


def said(verdict: Verdict = "wrong", number: int = 1, **fields: object) -> Correction:
    common: dict[str, object] = {"id": f"cor_{number}", "source": "api", "created": float(number)}
    subject = {"media_id": "m", "frame_index": 0, "label": "cat", "box": BOX}
    return Correction.model_validate(common | {"verdict": verdict} | subject | fields)


def frame(*boxes: LabelledBox, trusted: tuple[XyxyNorm, ...] | None = None) -> LabelledFrame:
    return LabelledFrame(PictureSource(Path("a.png")), 100, 100, boxes, trusted)


CAT, DOG, FAR_CAT = LabelledBox("cat", BOX), LabelledBox("dog", BOX), LabelledBox("cat", FAR)


@pytest.mark.parametrize(
    ("verdict", "label", "boxes", "negatives"),
    [
        ("right", "cat", (FAR_CAT, CAT), ()),
        ("missed", "cat", (FAR_CAT, CAT), ()),
        ("other_class", "dog", (FAR_CAT, DOG), ()),
        ("wrong", "cat", (FAR_CAT,), (BOX,)),
    ],
)
def test_correction_of_a_whole_frame_changes_its_place_and_nothing_else(
    verdict: Verdict, label: str, boxes: tuple[LabelledBox, ...], negatives: tuple[XyxyNorm, ...]
) -> None:
    changed = correct(frame(CAT, FAR_CAT), said(verdict, label=label))
    assert (changed.boxes, changed.hard_negative_xyxy_norm) == (boxes, negatives)
    assert changed.trusted_xyxy_norm is None


def test_correction_of_an_unknown_frame_is_trusted_only_around_its_box() -> None:
    changed = correct(frame(trusted=()), said("wrong"))
    assert [*(changed.trusted_xyxy_norm or ())] == [pytest.approx((0.08, 0.18, 0.32, 0.42))]
    changed = correct(changed, said("missed", box=FAR))
    assert (changed.boxes, len(changed.trusted_xyxy_norm or ())) == ((FAR_CAT,), 2)


def test_wrong_taken_for_right_later_is_no_hard_negative() -> None:
    changed = correct(correct(frame(trusted=()), said("wrong")), said("right"))
    assert (changed.boxes, changed.hard_negative_xyxy_norm) == ((CAT,), ())


@given(st.lists(st.sampled_from(["right", "wrong", "missed", "other_class"]), min_size=1, max_size=5))
def test_said_twice_means_the_same_as_once(verdicts: list[Verdict]) -> None:
    once = frame(CAT, FAR_CAT)
    for number, verdict in enumerate(verdicts):
        once = correct(once, said(verdict, number))
    twice = correct(once, said(verdicts[-1], len(verdicts)))
    assert (set(twice.boxes), set(twice.hard_negative_xyxy_norm)) == (
        set(once.boxes),
        set(once.hard_negative_xyxy_norm),
    )


def test_last_word_about_an_event_counts_and_each_missed_object() -> None:
    event = {"media_id": None, "frame_index": None, "event_id": "e", "camera": "door", "time": 1.0}
    words = [
        said("wrong", 1, **event),
        said("missed", 2, **event),
        said("right", 4, **event),
        said("missed", 3, **event, label="dog"),
    ]
    assert [one.id for one in newest_of_each(words)] == ["cor_2", "cor_3", "cor_4"]


@pytest.mark.parametrize(
    ("fields", "taught", "picture", "can_come", "standing"),
    [
        ({}, True, True, False, "lesson"),
        ({"withdrawn": 2.0}, True, True, False, "withdrawn"),
        ({}, False, True, False, "no_detector"),
        ({}, True, False, True, "waiting"),
        ({}, True, False, False, "no_picture"),
        (
            {"box": None, "media_id": None, "frame_index": None, "event_id": "e"},
            True,
            True,
            False,
            "needs_box",
        ),
        ({"verdict": "missed", "label": None}, True, True, False, "needs_label"),
        ({"label": None}, True, True, False, "lesson"),
    ],
)
def test_standing_tells_what_a_correction_lacks(
    fields: dict[str, object], taught: bool, picture: bool, can_come: bool, standing: str
) -> None:
    now = standing_of(said(**fields), taught=taught, picture=picture, can_come=can_come)  # type: ignore[arg-type]
    assert now == standing
    assert STANDINGS[now]
