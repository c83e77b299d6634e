"""Times of pictures: when a recorded one is due, and which ones are left out to keep to a rate."""

from __future__ import annotations

from edge_agent.clock import Clock

_MAX_LATE_S = 1.0


class RateLimit:
    """Lets through no more than so many pictures a second, evenly and without drift."""

    def __init__(self, max_fps: float | None) -> None:
        self._interval_s = 1.0 / max_fps if max_fps else 0.0
        self._due_s: float | None = None

    def admits(self, at_s: float) -> bool:
        """Return whether the picture at `at_s` seconds is one to give."""
        # A quarter of an interval of patience: 5 of 15 pictures a second jitter around their times.
        if self._due_s is not None and at_s < self._due_s - self._interval_s / 4:
            return False
        late = self._due_s is None or at_s > self._due_s + self._interval_s
        self._due_s = (at_s if late or self._due_s is None else self._due_s) + self._interval_s
        return True


class Playback:
    """Maps positions in a recording to moments, and waits for them when it plays in real time.

    As fast as possible, a picture's moment is the recording's start plus its position, so that everything
    that counts seconds works the same at any speed.
    """

    def __init__(self, clock: Clock, *, real_time: bool) -> None:
        self._clock = clock
        self._real_time = real_time
        self._start_s = clock.now_s()
        self._start_monotonic_s = clock.monotonic_s()

    def wait_for(self, position_s: float) -> None:
        """Wait until the picture at `position_s` is due; a player that fell far behind goes on from there."""
        if not self._real_time:
            return
        wait_s = self._start_monotonic_s + position_s - self._clock.monotonic_s()
        if wait_s > 0:
            self._clock.sleep(wait_s)
        elif wait_s < -_MAX_LATE_S:
            self._start_monotonic_s -= wait_s

    def moment(self, position_s: float) -> tuple[float, float]:
        """Return UTC seconds and monotonic seconds of the picture at `position_s`."""
        if self._real_time:
            return self._clock.now_s(), self._clock.monotonic_s()
        return self._start_s + position_s, self._start_monotonic_s + position_s
