"""When the cloud is asked: the table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.pipeline.decide import (
    OffloadPermit,
    OffloadSettings,
    Situation,
    Standing,
    decide_offload,
    instead_of_local,
    is_in_doubt,
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
    ("standing", "in_doubt"),
    [
        (WAVERING, True),
        # about to be confirmed, about to be dropped, and clear either way; the band is 0.04
        (replace(WAVERING, middle=0.465, best_middle=0.465), True),
        (replace(WAVERING, middle=0.535, best_middle=0.535), True),
        (replace(WAVERING, middle=0.455, best_middle=0.455), False),
        (replace(WAVERING, middle=0.545, best_middle=0.545), False),
        # once clearly seen, a dip is no doubt; once nearly seen, it is
        (replace(WAVERING, middle=0.49, best_middle=0.8), False),
        (replace(WAVERING, middle=0.49, best_middle=0.53), True),
        # it only just came into view
        (replace(WAVERING, followed_s=0.5), False),
        (replace(WAVERING, followed_s=0.7), True),
        # asked a while ago without an answer, and answered
        (replace(WAVERING, since_asked_s=299.0), False),
        (replace(WAVERING, since_asked_s=301.0), True),
        (replace(WAVERING, since_asked_s=301.0, settled=True), False),
    ],
)
def test_is_in_doubt_only_when_an_answer_could_turn_the_verdict(standing: Standing, in_doubt: bool) -> None:
    assert is_in_doubt(standing, OffloadSettings()) is in_doubt
