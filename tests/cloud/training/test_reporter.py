"""What training tells while it runs."""

from __future__ import annotations

from cloud.training.config import Progress
from cloud.training.reporter import Reporter
from tests.fakes.clock import FakeClock


def test_newest_loss_is_told_with_the_next_report() -> None:
    told: list[Progress] = []
    reporter = Reporter(told.append, FakeClock(), views=10, threads=1)
    reporter.looked(1, 2)
    reporter.learning(100)
    for loss in (0.9, 0.4):
        reporter.note_loss(loss)
    reporter.learned(0.5)
    assert [progress.loss for progress in told] == [None, None, 0.4]


def test_time_left_shrinks_while_work_goes_on() -> None:
    told: list[Progress] = []
    clock = FakeClock()
    reporter = Reporter(told.append, clock, views=10, threads=1)
    reporter.learning(100)
    for share in (0.25, 0.5, 0.75):
        clock.advance(1.0)
        reporter.learned(share)
    left = [progress.seconds_left for progress in told[1:]]
    assert all(one is not None for one in left)
    assert [progress.fraction for progress in told] == sorted(progress.fraction for progress in told)
