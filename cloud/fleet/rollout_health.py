"""Whether a device does worse after an update than before: pure arithmetic on what it told."""

from __future__ import annotations

from statistics import fmean

from cloud.fleet.rollout_plan import Gates, Health
from edge_agent.wire.status import Stats

LEAST_EVENTS = 20
"""Fewer events than this, before or after, say nothing about a rate."""


def health_of(stats: Stats | None, *, events: int, hours: float) -> Health:
    """Return how a device does, from its newest stats and the events of some hours."""
    rate = events / hours if hours > 0 else None
    if stats is None:
        return Health(events=events, events_per_h=rate)
    cameras = stats.cameras.values()
    times = [one.inference_ms_p50 for one in cameras if one.inference_ms_p50 is not None]
    return Health(
        fps=fmean(one.fps_captured for one in cameras) if cameras else None,
        inference_ms=fmean(times) if times else None,
        memory_bytes=float(stats.rss_bytes) or None,
        events=events,
        events_per_h=rate,
    )


def worse(before: Health | None, after: Health | None, gates: Gates) -> str | None:
    """Return in which way a device does worse than the gates allow, or none.

    What was not measured both before and after is no evidence, and does not count.
    """
    if before is None or after is None:
        return None
    least = (("pictures/s", before.fps, after.fps, gates.fps_ratio_min),)
    most = (
        ("ms for a picture", before.inference_ms, after.inference_ms, gates.inference_ratio_max),
        ("bytes of memory", before.memory_bytes, after.memory_bytes, gates.memory_ratio_max),
    )
    found = [_below(*row) for row in least] + [_above(*row) for row in most]
    if before.events >= LEAST_EVENTS:
        found.append(_below("events/h", before.events_per_h, after.events_per_h, gates.event_ratio_min))
    if after.events >= LEAST_EVENTS:
        found.append(_above("events/h", before.events_per_h, after.events_per_h, gates.event_ratio_max))
    return next((one for one in found if one is not None), None)


def _below(what: str, before: float | None, after: float | None, limit: float | None) -> str | None:
    if before is None or after is None or limit is None or after >= before * limit:
        return None
    return f"{after:.4g} {what} after {before:.4g}, less than {limit:g} times"


def _above(what: str, before: float | None, after: float | None, limit: float | None) -> str | None:
    if before is None or after is None or limit is None or after <= before * limit:
        return None
    return f"{after:.4g} {what} after {before:.4g}, more than {limit:g} times"
