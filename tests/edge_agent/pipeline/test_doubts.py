"""Which of the things that are followed are in doubt."""

from __future__ import annotations

import pytest

from edge_agent.pipeline.decide import OffloadSettings
from edge_agent.pipeline.doubts import Doubts
from edge_agent.pipeline.track import Track, TrackSettings
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection

HERE: XyxyNorm = (0.4, 0.4, 0.5, 0.7)
AHEAD: XyxyNorm = (0.46, 0.4, 0.56, 0.7)
ELSEWHERE: XyxyNorm = (0.1, 0.1, 0.2, 0.4)
SURE = 0.65


def threshold(_: Track) -> float:
    return 0.5


def followed(number: int, box: XyxyNorm, *, label: str = "person", told: bool = False) -> Track:
    """Return a thing that was seen surely for a second."""
    track = Track(number, label, box, SURE, 0.0, 0.0, announced=told)
    for at_s in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        track.see(Detection(label=label, score=SURE, box=box), at_s, "local", TrackSettings(), 1.0)
    return track


@pytest.mark.parametrize(
    ("other", "in_doubt"),
    [
        (followed(1, HERE, told=True), True),
        (followed(1, ELSEWHERE, told=True), False),
        (followed(1, HERE, label="dog", told=True), False),
        (followed(1, HERE), False),
    ],
    ids=[
        "beside one that was told of",
        "apart",
        "beside another kind of thing",
        "beside one nobody was told of",
    ],
)
def test_sure_thing_is_in_doubt_at_the_place_of_one_that_was_told_of(other: Track, *, in_doubt: bool) -> None:
    new, doubts = followed(2, AHEAD), Doubts(OffloadSettings())
    assert doubts.among([other, new], 1.0, threshold) == ((new,) if in_doubt else ())
    assert doubts.waiting([other, new], 1.0, threshold) == ({2} if in_doubt else set())


def test_thing_that_was_told_of_is_in_no_doubt_for_another_at_its_place() -> None:
    told, also = followed(1, HERE, told=True), followed(2, AHEAD, told=True)
    assert Doubts(OffloadSettings()).among([told, also], 1.0, threshold) == ()


def test_thing_is_in_doubt_where_one_that_went_on_should_be() -> None:
    gone_on = Track(1, "person", HERE, SURE, 0.0, 0.0, announced=True)
    for step in range(6):
        box = (0.1 + 0.06 * step, 0.4, 0.2 + 0.06 * step, 0.7)
        gone_on.see(Detection(label="person", score=SURE, box=box), 0.2 * step, "local", TrackSettings(), 1.0)
    ahead = followed(2, (0.56, 0.4, 0.66, 0.7))
    assert Doubts(OffloadSettings()).among([gone_on, ahead], 1.4, threshold) == (ahead,)
