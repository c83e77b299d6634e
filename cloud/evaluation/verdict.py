"""Whether a new version is better than the one in use: a pure function.

A version that is worse does not take over: see `cloud.store.detectors.in_use`.
"""

from __future__ import annotations

from typing import Final, Literal

from cloud.evaluation.bootstrap import Estimate

Verdict = Literal["better", "not measurably different", "worse", "not compared"]

SMALL_CHANGE: Final = 0.005
"""Less AP50 than this is no difference to anybody, however sure it is."""


def verdict_of(difference: Estimate | None) -> Verdict:
    """Return what a difference in AP50 (new minus old) on the same frames says.

    Better or worse only when the whole 95 % interval lies on one side of zero and the difference is at least
    half a hundredth; without an interval there is no verdict.
    """
    if difference is None or difference.low is None or difference.high is None:
        return "not compared"
    if difference.low > 0 and difference.value >= SMALL_CHANGE:
        return "better"
    if difference.high < 0 and difference.value <= -SMALL_CHANGE:
        return "worse"
    return "not measurably different"


def told(verdict: Verdict, new: int, old: int, difference: Estimate | None, images: int) -> str:
    """Return the verdict in one sentence for people."""
    if difference is None or verdict == "not compared":
        return (
            f"version {new} was not compared with version {old}: "
            "there are too few test frames that neither has learned from"
        )
    change = f"AP50 {difference.value:+.3f}"
    if difference.low is not None and difference.high is not None:
        change += f" ({difference.low:+.3f} to {difference.high:+.3f})"
    on = f"on the same {images} test frames"
    if verdict == "better":
        return f"version {new} is better than version {old} {on}: {change}"
    if verdict == "worse":
        return f"version {new} is WORSE than version {old} {on}: {change}; version {old} stays in use"
    return f"version {new} is not measurably different from version {old} {on}: {change}"
