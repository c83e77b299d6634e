"""Who may watch a stream: leases, pure; `now_s` comes in.

Invariants:
- A worker holds a stream only while its beat is fresh, and each taking raises the token: what a former holder
  still wants to store is refused by its token, so that never two tell of one stream.
- A stream whose holders die again and again waits longer each time: it may be what kills them, and the other
  streams of a worker must not die with it all the time.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from edge_agent.camera.backoff import reopen_delay_s

BEAT_S = 1.0
LEASE_S = 4.0
"""A holder that says nothing for so long holds nothing any more; all go by one clock, the database's."""

SETTLED_S = 60.0
"""A holder that watched for so long is not suspected any more of dying of its stream."""


@dataclass(frozen=True)
class Lease:
    """What the database knows of a stream's holder; times are UTC seconds since 1970.

    `losses` holders in a row died; the last one beat last at `beat_s`, and was missed at `lost_s`.
    `reason` says how it is, in words.
    """

    stream_id: str
    holder: str | None = None
    token: int = 0
    beat_s: float = 0.0
    losses: int = 0
    lost_s: float = 0.0
    reason: str = ""


def is_fresh(beat_s: float, now_s: float) -> bool:
    """Return whether who beat at `beat_s` counts as alive; a clock set back makes nobody immortal."""
    return abs(now_s - beat_s) < LEASE_S


def is_held(lease: Lease, now_s: float) -> bool:
    """Return whether somebody watches the stream."""
    return lease.holder is not None and is_fresh(lease.beat_s, now_s)


def is_lost(lease: Lease, now_s: float) -> bool:
    """Return whether its holder died without a word."""
    return lease.holder is not None and not is_fresh(lease.beat_s, now_s)


def rest_s(lease: Lease) -> float:
    """Return how long a stream waits after its holder died: not at all at first, then up to half a minute.

    Spread by the stream's own id, so that all workers say the same and the streams of one do not come back
    together.
    """
    if lease.losses <= 1:
        return 0.0
    rng = random.Random(f"{lease.stream_id}:{lease.losses}")  # noqa: S311 - spreads waits, keeps no secret
    return reopen_delay_s(lease.losses - 1, rng)


def may_take(lease: Lease, now_s: float) -> bool:
    """Return whether a worker may begin to watch the stream now."""
    # Also the time counts in which nobody noticed yet: it was not watched then either.
    waited_s = now_s - min(lease.lost_s, lease.beat_s or lease.lost_s)
    return lease.holder is None and not 0.0 <= waited_s < rest_s(lease)
