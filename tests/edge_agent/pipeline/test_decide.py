"""When the cloud is asked: the table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.pipeline.decide import (
    Allowance,
    OffloadPermit,
    OffloadSettings,
    Situation,
    Standing,
    decide_offload,
    doubt,
    instead_of_local,
    waits,
)

MAY = OffloadPermit(allowed=True)
CALM = Situation()


@pytest.mark.parametrize(
    ("situation", "reason"),
    [
        (CALM, None),
        (replace(CALM, unsure=True), "unsure"),
        (replace(CALM, hot=True), "hot"),
        (replace(CALM, behind=True), "behind"),
        (replace(CALM, has_local_model=False), "no_local_model"),
        (replace(CALM, explicit=True), "explicit"),
        # several at once: a person's wish, then what keeps the camera from looking, then doubt
        (replace(CALM, explicit=True, unsure=True, hot=True), "explicit"),
        (replace(CALM, hot=True, behind=True, unsure=True), "hot"),
        (replace(CALM, has_local_model=False, hot=True), "no_local_model"),
        (replace(CALM, behind=True, unsure=True), "behind"),
        # nothing moves
        (replace(CALM, worth_a_look=False, unsure=True), None),
        (replace(CALM, worth_a_look=False, hot=True), None),
        (replace(CALM, worth_a_look=False, has_local_model=False), None),
        (replace(CALM, worth_a_look=False, explicit=True), "explicit"),
        # whole pictures are rationed, but not those that somebody asked for
        (replace(CALM, has_local_model=False, since_whole_s=0.5), None),
        (replace(CALM, has_local_model=False, since_whole_s=1.0), "no_local_model"),
        (replace(CALM, explicit=True, since_whole_s=0.1), "explicit"),
        # a camera that is too hot does not fall back to doubt
        (replace(CALM, hot=True, unsure=True, since_whole_s=0.5), None),
    ],
)
def test_decide_offload_permitted_gives_the_reason_of_the_table(
    situation: Situation, reason: str | None
) -> None:
    assert decide_offload(situation, MAY, OffloadSettings()) == reason


@pytest.mark.parametrize(
    "permit",
    [
        OffloadPermit(),
        replace(MAY, allowed=False),
        replace(MAY, quota_left=False),
        replace(MAY, breaker_open=True),
        replace(MAY, in_flight=True),
    ],
)
@pytest.mark.parametrize(
    "situation",
    [
        replace(CALM, explicit=True),
        replace(CALM, has_local_model=False),
        replace(CALM, unsure=True),
        replace(CALM, hot=True),
        replace(CALM, behind=True),
    ],
)
def test_decide_offload_not_permitted_never_asks(permit: OffloadPermit, situation: Situation) -> None:
    assert decide_offload(situation, permit, OffloadSettings()) is None


def test_offload_permit_by_default_lets_no_picture_leave() -> None:
    assert not OffloadPermit().granted
    assert not OffloadPermit().reachable


@pytest.mark.parametrize(
    ("situation", "reason"),
    [
        (CALM, None),
        (replace(CALM, has_local_model=False, hot=True), "no_local_model"),
        (replace(CALM, hot=True, behind=True), "hot"),
        (replace(CALM, behind=True), "behind"),
        (replace(CALM, unsure=True, explicit=True), None),
    ],
)
def test_instead_of_local_names_what_keeps_the_detector_from_running(
    situation: Situation, reason: str | None
) -> None:
    assert instead_of_local(situation) == reason


WAVERING = Standing(middle=0.5, best_middle=0.5, threshold=0.5, followed_s=5.0)


@pytest.mark.parametrize(
    ("standing", "distance"),
    [
        (WAVERING, 0.0),
        # about to be confirmed, about to be dropped, and clear either way; the band is 0.04
        (replace(WAVERING, middle=0.465, best_middle=0.465), 0.035),
        (replace(WAVERING, middle=0.535, best_middle=0.535), 0.035),
        (replace(WAVERING, middle=0.455, best_middle=0.455), None),
        (replace(WAVERING, middle=0.545, best_middle=0.545), None),
        # once clearly seen, a dip is no doubt; once nearly seen, it is
        (replace(WAVERING, middle=0.49, best_middle=0.8), None),
        (replace(WAVERING, middle=0.49, best_middle=0.53), 0.01),
        # it only just came into view
        (replace(WAVERING, followed_s=0.5), None),
        (replace(WAVERING, followed_s=0.7), 0.0),
        # asked a while ago without an answer, and answered
        (replace(WAVERING, since_asked_s=299.0), None),
        (replace(WAVERING, since_asked_s=301.0), 0.0),
        (replace(WAVERING, since_asked_s=301.0, settled=True), None),
        # the cloud saw nothing there a while ago
        (replace(WAVERING, known_wrong=True), None),
        # at the place of something that was told of: sure or not, within a band of its own
        (replace(WAVERING, doubled=True), 0.0),
        (replace(WAVERING, middle=0.69, best_middle=0.69, doubled=True), 0.02),
        (replace(WAVERING, middle=0.31, best_middle=0.31, doubled=True), 0.02),
        (replace(WAVERING, middle=0.71, best_middle=0.71, doubled=True), None),
        (replace(WAVERING, middle=0.6, best_middle=0.6, doubled=True, followed_s=0.5), None),
        (replace(WAVERING, middle=0.6, best_middle=0.6, doubled=True, settled=True), None),
    ],
)
def test_doubt_with_little_left_is_near_the_threshold_only(
    standing: Standing, distance: float | None
) -> None:
    assert doubt(standing, OffloadSettings(), 0.04) == pytest.approx(distance)


@pytest.mark.parametrize(
    ("standing", "distance"),
    [
        (replace(WAVERING, middle=0.4, best_middle=0.45), 0.1),
        (replace(WAVERING, middle=0.6, best_middle=0.61), 0.1),
        # a score so far above outweighs what the cloud says
        (replace(WAVERING, middle=0.65, best_middle=0.65), None),
        (replace(WAVERING, middle=0.29, best_middle=0.3), None),
    ],
)
def test_doubt_with_much_left_reaches_further_below_the_threshold_than_above(
    standing: Standing, distance: float | None
) -> None:
    assert doubt(standing, OffloadSettings(), 0.2) == pytest.approx(distance)


@given(st.lists(st.booleans(), max_size=400), st.floats(0.0, 1.0), st.floats(0.0, 40.0))
def test_allowance_however_much_is_in_doubt_keeps_to_its_share(
    in_doubt: list[bool], share: float, saved: float
) -> None:
    allowed, left, asked = OffloadSettings(share=share, saved=saved), Allowance(), 0
    for pictures, doubtful in enumerate(in_doubt, 1):
        left = left.after_picture(allowed)
        assert allowed.band <= left.band(allowed) <= allowed.band * allowed.wider_below + 1e-9
        if doubtful and left.is_left:
            left, asked = left.after_question(), asked + 1
        assert 0.0 <= left.questions <= max(1.0, saved)
        assert asked <= 1.0 + share * pictures + 1e-6


def test_allowance_after_a_quiet_time_widens_the_band_to_its_most() -> None:
    allowed, left = OffloadSettings(), Allowance()
    assert left.band(allowed) == allowed.band
    for _ in range(600):
        left = left.after_picture(allowed)
    assert left.band(allowed) == pytest.approx(0.2)


def test_doubt_where_the_owner_sets_no_band_is_never_found() -> None:
    allowed = OffloadSettings(band=0.0)
    band = Allowance(allowed.saved).band(allowed)
    assert band == 0.0
    assert doubt(replace(WAVERING, middle=0.49, best_middle=0.49), allowed, band) is None


YOUNG = replace(WAVERING, followed_s=0.3)


@pytest.mark.parametrize(
    ("standing", "held"),
    [
        (YOUNG, True),
        (replace(YOUNG, middle=0.535, best_middle=0.535), True),
        # it is no doubt, or cannot be asked about again
        (replace(YOUNG, middle=0.545, best_middle=0.545), False),
        (replace(YOUNG, known_wrong=True), False),
        # answered
        (replace(YOUNG, settled=True), False),
        # asked: whatever its score is by now, for a second
        (replace(YOUNG, followed_s=1.5, since_asked_s=0.9), True),
        (replace(YOUNG, followed_s=1.5, since_asked_s=0.9, middle=0.6, best_middle=0.6), True),
        (replace(YOUNG, followed_s=1.5, since_asked_s=1.1), False),
        # nobody asked in time
        (replace(YOUNG, followed_s=1.5), True),
        (replace(YOUNG, followed_s=1.7), False),
        (replace(YOUNG, followed_s=1.7, since_asked_s=0.2), False),
    ],
)
def test_waits_new_thing_in_doubt_until_an_answer_or_a_second_after_it_could_be_asked(
    standing: Standing, held: bool
) -> None:
    assert waits(standing, OffloadSettings(), 0.04) == held


def test_waits_where_no_question_is_left_or_nobody_shall_wait_for_nothing() -> None:
    assert not waits(YOUNG, OffloadSettings(), None)
    assert waits(replace(YOUNG, since_asked_s=0.1), OffloadSettings(), None)
    assert not waits(YOUNG, OffloadSettings(hold_s=0.0), 0.04)
