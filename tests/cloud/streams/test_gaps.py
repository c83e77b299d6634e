"""When a stream was not watched."""

from __future__ import annotations

import pytest

from cloud.streams.gaps import Gap, Settled, Sight, SightLog, settle

LOST = Gap(100.0, "lost", "its process ended")


def log(*news: float | tuple[float, str]) -> SightLog:
    """Return a log with pictures at times, and troubles (time, reason)."""
    made = SightLog(90.0)
    for one in news:
        if isinstance(one, tuple):
            made.trouble(one[1], one[0])
        else:
            made.looked(one, "pictures are coming")
    return made


def test_log_tells_a_gap_that_is_over_once_from_the_last_picture_to_the_next() -> None:
    made = log(100.0, 100.2, (110.2, "refused"), 112.0)
    sight = made.take()
    assert (sight.status, sight.since_s, sight.first_s, sight.watched_s) == ("online", 112.0, 100.0, 112.0)
    assert sight.over == (Gap(100.2, "source", "refused", 112.0),)
    assert made.take().over == ()


@pytest.mark.parametrize(
    ("open_gap", "made", "settled"),
    [
        # The first picture ends what the database knew, whatever it was.
        (LOST, log(104.0, 104.2), Settled(Gap(100.0, "lost", "its process ended", 104.0))),
        # Nothing is known yet: it stays.
        (LOST, log(), Settled(LOST)),
        # The stream itself fails: what it was first is over, and the stream's own fault begins.
        (
            LOST,
            log((108.0, "refused")),
            Settled(Gap(100.0, "lost", "its process ended", 110.0), (Gap(110.0, "source", "refused"),)),
        ),
        # It was watched in between, and failed again.
        (
            LOST,
            log(104.0, (108.0, "refused")),
            Settled(Gap(100.0, "lost", "its process ended", 104.0), (Gap(104.0, "source", "refused"),)),
        ),
        # The reason changes while it lasts.
        (Gap(104.0, "source", "refused"), log(104.0, (109.0, "401")), Settled(Gap(104.0, "source", "401"))),
        # What began under this very watch ends by its own word, once.
        (
            Gap(104.0, "source", "refused"),
            log(104.0, (105.0, "refused"), 109.0),
            Settled(Gap(104.0, "source", "refused", 109.0)),
        ),
        # A gap between two beats is noted all the same.
        (
            None,
            log(104.0, (105.0, "refused"), 106.0),
            Settled(None, (Gap(104.0, "source", "refused", 106.0),)),
        ),
        (None, log(104.0), Settled(None)),
    ],
)
def test_gaps_follow_what_the_watch_says(open_gap: Gap | None, made: SightLog, settled: Settled) -> None:
    assert settle(open_gap, made.take(), 100.0, 110.0) == settled


def test_gap_never_ends_before_it_began() -> None:
    early = Sight("offline", "refused", 90.0)
    settled = settle(Gap(100.0, "paused", "somebody paused it"), early, 100.0, 95.0)
    assert settled.open_gap is not None
    assert settled.open_gap.ended_s == 100.0
