"""A camera kept open: the newest picture always at hand, and its failures survived.

    supervisor thread ── opens ──► reader thread ── newest frame ──► latest()
          ▲                             │
          └── no frame for too long, failed: leave the reader alone, wait (back-off), open a new one

A decoder can hang for ever inside FFmpeg, and nothing can end a thread from outside. So a reader that hangs
is abandoned: it closes its source by itself should it ever wake, and its pictures are no longer taken.
"""

from __future__ import annotations

import _thread
import logging
import queue
import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from edge_agent.camera.backoff import reopen_delay_s
from edge_agent.camera.frame import Frame, FrameSource
from edge_agent.camera.sight import SightWatch
from edge_agent.clock import Clock, SystemClock
from edge_agent.errors import ElfowlError
from edge_agent.wire.status import Availability

_log = logging.getLogger(__name__)

_FPS_WINDOW_S = 5.0
_PATIENT_PICTURES = 2.0
_COMING = "pictures are coming"
# Each look costs a still camera some; what happens meanwhile ends the wait.
_LOOK_S = 2.0
# Pictures for this long, and the next failure counts as the first again.
_SETTLED_S = 10.0


@dataclass(frozen=True)
class CaptureHealth:
    """How a camera is.

    Attributes:
        status: `online` while pictures come.
        reason: One line for people.
        since_s: UTC seconds since 1970 of the last change of `status`.
        reopened: Times the source was opened again.
        fps: Pictures a second over the last seconds.
        frames: Pictures captured.
        dropped: Pictures replaced by newer ones before anybody took them.
        finished: A recording came to its end; nothing more will come.
    """

    status: Availability
    reason: str
    since_s: float
    reopened: int = 0
    fps: float = 0.0
    frames: int = 0
    dropped: int = 0
    finished: bool = False


@dataclass(frozen=True)
class CaptureLimits:
    """When a camera counts as stalled, and how fast it is tried again.

    Attributes:
        first_frame_s: Longest wait for the first picture after opening began.
        stall_s: Longest wait for the next picture.
        backoff_base_s: Wait after the first failure.
        backoff_max_s: Longest wait between two tries.
    """

    first_frame_s: float = 15.0
    stall_s: float = 10.0
    backoff_base_s: float = 1.0
    backoff_max_s: float = 30.0


def limits_at(fps: float) -> CaptureLimits:
    """Return when a camera of which so many pictures a second are wanted counts as stalled.

    Of one that is looked at every half minute the next picture is not missing before a minute is over.
    """
    usual = CaptureLimits()
    return replace(usual, stall_s=max(usual.stall_s, _PATIENT_PICTURES / fps))


class Capture:
    """One camera, kept open by threads of its own; use as a context manager."""

    def __init__(
        self,
        open_frames: Callable[[], FrameSource],
        *,
        name: str = "camera",
        clock: Clock | None = None,
        rng: random.Random | None = None,
        limits: CaptureLimits | None = None,
        watch: SightWatch | None = None,
    ) -> None:
        """Prepare; `start` begins.

        Args:
            open_frames: Opens the source; called again after each failure, each time in a new thread.
            name: The camera's name, for threads and logs.
            clock: Where times come from.
            rng: Spreads the waits.
            limits: When it counts as stalled.
            watch: Says what is wrong with pictures that come.
        """
        self._open = open_frames
        self._name = name
        self._clock = clock or SystemClock()
        self._rng = rng or random.Random()  # noqa: S311 - spreads waits, keeps no secret
        self._limits = limits or CaptureLimits()
        self._watch_sight = watch or SightWatch()
        self._changed = threading.Condition()
        # Its own: each picture wakes who takes it, and not the supervisor, which looks now and then anyhow.
        # It holds something while there is a picture to take, and for ever after the last. A queue, since
        # waiting at a condition takes many more steps.
        self._arrived: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._fresh: Frame | None = None
        self._reader: _Reader | None = None
        self._arrivals_s: deque[float] = deque(maxlen=512)
        self._health = CaptureHealth("offline", "not opened yet", self._clock.now_s())
        self._frames = self._dropped = self._reopened = 0
        self._supervisor = threading.Thread(target=self._supervise, name=f"capture-{name}", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Begin to open and read the source."""
        self._supervisor.start()

    def latest(self, timeout_s: float) -> Frame | None:
        """Return the newest picture not returned before; wait for one at most `timeout_s`."""
        try:
            self._arrived.get(timeout=timeout_s)
        except queue.Empty:
            return None
        with self._changed:
            frame, self._fresh = self._fresh, None
            if self._health.finished:
                self._arrived.put(None)
        return frame

    def health(self) -> CaptureHealth:
        """Return how the camera is."""
        with self._changed:
            health = self._health
            return CaptureHealth(
                health.status, health.reason, health.since_s, self._reopened, self._fps(),
                self._frames, self._dropped, health.finished,
            )  # fmt: skip

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop reading; a reader that hangs is left behind."""
        with self._changed:
            self._stopping.set()
            self._changed.notify_all()
        if self._supervisor.is_alive():
            self._supervisor.join(timeout_s)

    def _supervise(self) -> None:
        failures = 0
        reason: str | None = ""
        while not self._stopping.is_set() and reason is not None:
            started_s, frames_before = self._clock.monotonic_s(), self._frames
            try:
                reason = self._read_until_it_fails(started_s)
            except (MemoryError, RuntimeError):
                # No memory for a thread or a few bytes. It passes; this thread must not end before.
                reason = "this machine is out of memory; opening it again"
            if reason is None:
                return
            settled = self._frames > frames_before and self._clock.monotonic_s() - started_s > _SETTLED_S
            failures = 1 if settled else failures + 1
            delay_s = self._delay_s(failures)
            self._set_health("offline", reason)
            _log.warning("camera %s: %s; next try in %.1f s", self._name, reason, delay_s)
            self._stopping.wait(delay_s)
            self._reopened += 1

    def _read_until_it_fails(self, started_s: float) -> str | None:
        """Open the source once more and watch over it; return why it failed, or none when it is over."""
        reader = _Reader(self._open, self._deliver, self._changed, self._name)
        with self._changed:
            self._reader = reader
        try:
            reader.start()
            reason = self._watch(reader, started_s)
        finally:
            with self._changed:
                self._reader = None
            reader.abandon()
        if reason is None:
            reader.join(0.5)
        return reason

    def _delay_s(self, failures: int) -> float:
        limits = self._limits
        return reopen_delay_s(failures, self._rng, base_s=limits.backoff_base_s, max_s=limits.backoff_max_s)

    def _watch(self, reader: _Reader, started_s: float) -> str | None:
        """Return why the reader is to be replaced, or none when nothing more is to be read."""
        with self._changed:
            while True:
                if self._stopping.is_set():
                    return None
                if reader.failure is not None:
                    return reader.failure
                if reader.ended:
                    self._finish()
                    return None
                limit_s = self._limits.stall_s if reader.frames else self._limits.first_frame_s
                quiet_s = self._clock.monotonic_s() - (reader.last_frame_s or started_s)
                if quiet_s >= limit_s:
                    return f"no picture for {quiet_s:.0f} s; opening it again"
                self._changed.wait(min(limit_s - quiet_s, _LOOK_S))

    def _deliver(self, reader: _Reader, frame: Frame) -> bool:
        with self._changed:
            if reader is not self._reader:
                return False
            now_s = self._clock.monotonic_s()
            said = self._watch_sight.see(frame.brightness, now_s) or _COMING
            reader.frames += 1
            reader.last_frame_s = now_s
            self._frames += 1
            self._dropped += self._fresh is not None
            self._fresh = frame
            self._arrivals_s.append(now_s)
            # Still held: a reader that is being left must not say `online` after the word that it failed.
            if self._health.status == "offline" or said != self._health.reason:
                self._set_health("online", said)
        if self._arrived.empty():
            self._arrived.put(None)
        return True

    def _finish(self) -> None:
        self._health = CaptureHealth("offline", "the recording ended", self._clock.now_s(), finished=True)
        self._arrived.put(None)

    def _set_health(self, status: Availability, reason: str) -> None:
        with self._changed:
            same = self._health.status == status
            since_s = self._health.since_s if same else self._clock.now_s()
            self._health = CaptureHealth(status, reason, since_s)

    def _fps(self) -> float:
        now_s, recent_s = self._clock.monotonic_s(), self._arrivals_s
        while recent_s and recent_s[0] <= now_s - _FPS_WINDOW_S:
            recent_s.popleft()
        return (len(recent_s) - 1) / max(now_s - recent_s[0], 1e-3) if len(recent_s) > 1 else 0.0


class _Reader:
    """One thread that opens a source and hands on its pictures until it fails, ends or is abandoned."""

    def __init__(
        self,
        open_frames: Callable[[], FrameSource],
        deliver: Callable[[_Reader, Frame], bool],
        changed: threading.Condition,
        name: str,
    ) -> None:
        self._open = open_frames
        self._deliver = deliver
        self._changed = changed
        self._abandoned = False
        self.frames = 0
        self.last_frame_s: float | None = None
        self.failure: str | None = None
        self.ended = False
        self._name = name
        self._over = threading.Event()

    def start(self) -> None:
        # `Thread.start` waits for ever for a thread that died of lack of memory before its first line.
        _thread.start_new_thread(self._run, ())

    def abandon(self) -> None:
        self._abandoned = True

    def join(self, timeout_s: float) -> None:
        self._over.wait(timeout_s)

    def _run(self) -> None:
        failure: str | None = None
        try:
            self._read()
        except ElfowlError as error:
            failure = str(error)
        except Exception as error:  # noqa: BLE001 - a thread must not die silently, whatever a driver throws
            _log.exception("reader of camera %s failed", self._name)
            failure = f"reading failed unexpectedly ({type(error).__name__})"
        with self._changed:
            self.failure, self.ended = failure, failure is None
            self._changed.notify_all()
        self._over.set()

    def _read(self) -> None:
        source = self._open()
        try:
            for frame in source:
                if self._abandoned or not self._deliver(self, frame):
                    return
        finally:
            source.close()
