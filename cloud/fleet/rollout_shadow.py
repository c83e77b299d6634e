"""Whether a candidate does well in the shadow of what runs: pure arithmetic on what the device counted."""

from __future__ import annotations

from dataclasses import dataclass

from cloud.fleet.rollout_plan import Trial
from cloud.fleet.rollout_states import Sight
from edge_agent.wire.shadow import ShadowReport

LEAST_ALERTS = 5
"""Fewer alerts than this say nothing about a candidate."""


@dataclass(frozen=True)
class _Counts:
    """Over all cameras of a device, in the pictures that both detectors saw."""

    now: int
    candidate: int
    both: int
    pictures: int


def sight_of_trial(
    trial: Trial, report: ShadowReport | None, wanted_sha256: str | None, *, waited_s: float, answer_s: float
) -> tuple[Sight, str | None]:
    """Return what is to be seen of a trial: no news, proven, worse or overdue; and why.

    Args:
        trial: What it must show.
        report: What the device counted; none: nothing yet.
        wanted_sha256: The candidate; a report of another one is no news.
        waited_s: Since the device was asked.
        answer_s: A device that has shown nothing for so long, beyond the trial's own time, is overdue.
    """
    if report is not None and report.bundle_sha256 == wanted_sha256:
        if report.problem is not None and waited_s > trial.look_s:
            return Sight.WORSE, f"shadow trial: {report.problem}"
        if report.problem is None and _is_long_enough(trial, report):
            problem = worse_in_shadow(trial, report)
            return (Sight.PROVEN, report.summary or None) if problem is None else (Sight.WORSE, problem)
    if waited_s > trial.look_s + answer_s:
        return Sight.OVERDUE, f"shadow trial: too little was seen within {waited_s:.0f} s"
    return Sight.NO_NEWS, None


def worse_in_shadow(trial: Trial, report: ShadowReport) -> str | None:
    """Return in which way a candidate does worse than the trial allows, or none."""
    seen = _counts(report)
    most, least = trial.alerts_ratio_max, trial.kept_share_min
    rows = (
        (
            most is not None and seen.candidate >= LEAST_ALERTS and seen.candidate > most * seen.now,
            f"{seen.candidate} alerts instead of {seen.now}, more than {most} times",
        ),
        (
            least is not None and seen.now >= LEAST_ALERTS and seen.both < least * seen.now,
            f"{seen.both} of {seen.now} alerts are left, less than {least} times",
        ),
    )
    return next((f"shadow trial: {words}" for fails, words in rows if fails), None)


def _is_long_enough(trial: Trial, report: ShadowReport) -> bool:
    if report.since is None or report.until is None or report.until - report.since < trial.look_s:
        return False
    return _counts(report).pictures >= trial.pictures_min


def _counts(report: ShadowReport) -> _Counts:
    cameras = report.cameras.values()
    return _Counts(
        now=sum(one.alerts_now for one in cameras),
        candidate=sum(one.alerts_candidate for one in cameras),
        both=sum(one.alerts_both for one in cameras),
        pictures=sum(one.pictures for one in cameras),
    )
