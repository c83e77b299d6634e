"""Teaches detectors one after the other in a thread, always from what is labelled now.

Invariants:
- A change that comes while a detector learns is never lost: it is learned next. Early in an update it starts
  that update anew, later the update is finished first, so that somebody who draws quickly sees progress too.
- The detector that was learned last answers until a better one is there. One that is a draft is learned
  anew at once, with nothing else to wait for.
- At most `kept` detectors stay in memory, fewer when they take too much of it; the one unused for longest
  goes first.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from cloud.errors import NotFoundError, TrainingError
from cloud.jobs.teaching_protocol import LiveState, NextFrame, QualityHow, Stage
from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection

_LOG = logging.getLogger(__name__)
_KEPT = 4
_QUIET_S = 0.15
_EARLY = 0.5
_MOST_RESTARTS = 2
_TELL_S = 0.1


class StoppedError(ElfowlError):
    """The update was asked to end."""


@dataclass(frozen=True)
class LiveProgress:
    """How far an update is; `fraction` is 0..1."""

    stage: Stage
    fraction: float
    message: str
    seconds_left: float | None = None
    loss: float | None = None


class Sees(Protocol):
    """A detector in memory."""

    def detect(self, rgb: Rgb) -> list[Detection]:
        """Return what is seen in `(h, w, 3) uint8 RGB`, each class from its threshold on."""
        ...


@dataclass(frozen=True)
class Learned:
    """What an update gave; `frames` is how many it learned from; after a draft more is to be learned."""

    detector: Sees
    frames: int
    ap50: float | None = None
    ap50_how: QualityHow | None = None
    next_frames: tuple[NextFrame, ...] = ()
    is_draft: bool = False


class LiveSession(Protocol):
    """One detector that is taught live; keeps what it needs between updates."""

    def learn(self, progress: Callable[[LiveProgress], None], stopped: Callable[[], bool]) -> Learned:
        """Return a detector that knows all that is labelled now.

        Raises:
            StoppedError: `stopped` said so.
            TrainingError: There is nothing to learn from yet.
            ElfowlError: It cannot be learned.
        """
        ...

    def propose(self, learned: Learned, stopped: Callable[[], bool]) -> tuple[NextFrame, ...]:
        """Return which frames to label next, by what the detector doubts; it may take seconds.

        Raises:
            StoppedError: `stopped` said so.
            ElfowlError: They cannot be looked at.
        """
        ...


def should_restart(fraction: float, restarts: int) -> bool:
    """Tell whether a change begins an update anew (else it is learned after it).

    Args:
        fraction: How far the update is, 0..1.
        restarts: How often it was begun anew since the last detector was learned.
    """
    return fraction < _EARLY and restarts < _MOST_RESTARTS


@dataclass
class _Pupil:
    """A detector that is taught; `changed_s` is when its labels last changed, none when all is learned."""

    session: LiveSession
    state: LiveState
    changed_s: float | None = None
    first_change_s: float = 0.0
    learned: Learned | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    restarts: int = 0


class Teacher:
    """Keeps the pupils and teaches them; all methods may be called from any thread."""

    def __init__(
        self,
        open_session: Callable[[str], LiveSession],
        publish: Callable[[LiveState], None],
        clock: Clock,
        *,
        kept: int = _KEPT,
        is_full: Callable[[], bool] = lambda: False,
        quiet_s: float = _QUIET_S,
    ) -> None:
        self._open_session = open_session
        self._publish = publish
        self._clock = clock
        self._kept = kept
        self._is_full = is_full
        self._quiet_s = quiet_s
        self._pupils: OrderedDict[str, _Pupil] = OrderedDict()
        self._wake = threading.Condition()
        self._closed = False

    def teach(self, detector_id: str) -> None:
        """Learn what is labelled now; returns at once."""
        with self._wake:
            pupil = self._pupil(detector_id)
            now_s = self._clock.monotonic_s()
            if pupil.changed_s is None:
                pupil.first_change_s = now_s
            pupil.changed_s = now_s
            if pupil.state.is_busy and should_restart(pupil.state.progress, pupil.restarts):
                pupil.stop.set()
            self._wake.notify_all()

    def cancel(self, detector_id: str) -> None:
        """End the update under way, and wait for the next change."""
        with self._wake:
            pupil = self._pupils.get(detector_id)
            if pupil is not None:
                pupil.changed_s = None
                pupil.stop.set()

    def states(self) -> list[LiveState]:
        """Return where each detector stands."""
        with self._wake:
            return [pupil.state for pupil in self._pupils.values()]

    def learned(self, detector_id: str) -> tuple[Learned, float]:
        """Return the live detector and when it was learned.

        Raises:
            NotFoundError: There is none yet.
        """
        with self._wake:
            pupil = self._pupils.get(detector_id)
            if pupil is None or pupil.learned is None or pupil.state.learned is None:
                message = "nothing is learned yet; label a frame, and wait until it says so"
                raise NotFoundError(message)
            self._pupils.move_to_end(detector_id)
            return pupil.learned, pupil.state.learned

    def run(self) -> None:
        """Teach until closed."""
        while (detector_id := self._next()) is not None:
            self.teach_once(detector_id)
            self.look_ahead(detector_id)

    def close(self) -> None:
        """End `run` and the update under way."""
        with self._wake:
            self._closed = True
            for pupil in self._pupils.values():
                pupil.stop.set()
            self._wake.notify_all()

    def teach_once(self, detector_id: str) -> None:
        """Carry out one update."""
        pupil = self._begin(detector_id)
        if pupil is None:
            return
        begun_s = pupil.first_change_s
        try:
            learned = pupil.session.learn(lambda progress: self._report(pupil, progress), pupil.stop.is_set)
        except StoppedError:
            self._stopped(pupil)
        except TrainingError as error:
            self._tell(pupil, stage="waiting", message=str(error))
        except (ElfowlError, OSError) as error:
            _LOG.warning("%s: %s", detector_id, error)
            self._tell(pupil, stage="failed", message="", error=str(error))
        except Exception:  # noqa: BLE001 - it is logged
            # The thread must live on: the next change may well be learned.
            _LOG.exception("%s cannot be taught", detector_id)
            self._tell(pupil, stage="failed", message="", error="learning failed; the server's log says why")
        else:
            self._keep(pupil, learned, self._clock.monotonic_s() - begun_s)

    def look_ahead(self, detector_id: str) -> None:
        """Look for frames that help most, until something changes: learning comes first."""
        with self._wake:
            pupil = self._pupils.get(detector_id)
            learned = None if pupil is None else pupil.learned
        if pupil is None or learned is None or pupil.state.stage != "ready":
            return
        try:
            found = pupil.session.propose(learned, self._has_work)
        except StoppedError:
            return
        except (ElfowlError, OSError) as error:
            _LOG.warning("%s: no frames to propose: %s", detector_id, error)
            return
        if found:
            self._tell(pupil, next_frames=found)

    def _has_work(self) -> bool:
        with self._wake:
            return self._closed or any(pupil.changed_s is not None for pupil in self._pupils.values())

    def _pupil(self, detector_id: str) -> _Pupil:
        if detector_id not in self._pupils:
            self._pupils[detector_id] = _Pupil(
                self._open_session(detector_id), LiveState(detector_id=detector_id, stage="starting")
            )
            while len(self._pupils) > self._kept:
                self._drop_oldest()
        self._pupils.move_to_end(detector_id)
        return self._pupils[detector_id]

    def _drop_oldest(self) -> None:
        _, dropped = self._pupils.popitem(last=False)
        dropped.stop.set()

    def _next(self) -> str | None:
        """Wait for a detector whose labels changed and then stayed as they are for a moment."""
        with self._wake:
            while not self._closed:
                now_s = self._clock.monotonic_s()
                waiting = [
                    (self._quiet_s - (now_s - pupil.changed_s), name)
                    for name, pupil in reversed(self._pupils.items())
                    if pupil.changed_s is not None
                ]
                if ready := [name for left_s, name in waiting if left_s <= 0]:
                    return ready[0]
                self._wake.wait(min((left_s for left_s, _ in waiting), default=None))
            return None

    def _begin(self, detector_id: str) -> _Pupil | None:
        with self._wake:
            pupil = self._pupils.get(detector_id)
            if pupil is not None:
                pupil.changed_s = None
                pupil.stop.clear()
        if pupil is not None:
            self._tell(pupil, stage="looking", message="looking at new labels", progress=0.0, error=None)
        return pupil

    def _report(self, pupil: _Pupil, progress: LiveProgress) -> None:
        state = pupil.state
        if progress.stage == state.stage and progress.fraction - state.progress < _TELL_S:
            return
        self._tell(
            pupil,
            stage=progress.stage,
            message=progress.message,
            progress=min(1.0, max(0.0, progress.fraction)),
            seconds_left=progress.seconds_left,
            loss=state.loss if progress.loss is None else progress.loss,
        )

    def _stopped(self, pupil: _Pupil) -> None:
        if pupil.changed_s is None:
            self._tell(pupil, stage="cancelled", message="stopped; it learns again with the next label")
        else:
            pupil.restarts += 1

    def _keep(self, pupil: _Pupil, learned: Learned, took_s: float) -> None:
        with self._wake:
            pupil.learned = learned
            pupil.restarts = 0
            if self._is_full() and len(self._pupils) > 1:
                self._drop_oldest()
        self._tell(
            pupil,
            stage="ready",
            message="",
            progress=1.0,
            frames=learned.frames,
            learned=self._clock.now_s(),
            took_s=round(took_s, 3),
            ap50=learned.ap50,
            ap50_how=learned.ap50_how,
            next_frames=learned.next_frames,
        )
        if learned.is_draft:
            self._learn_rest(pupil)

    def _learn_rest(self, pupil: _Pupil) -> None:
        with self._wake:
            # A change that came meanwhile is learned next anyhow; so is one that was cancelled.
            if pupil.changed_s is None and not pupil.stop.is_set():
                pupil.first_change_s = self._clock.monotonic_s()
                pupil.changed_s = pupil.first_change_s - self._quiet_s

    def _tell(self, pupil: _Pupil, **changes: Any) -> None:  # noqa: ANN401 - fields of a state
        with self._wake:
            pupil.state = pupil.state.model_copy(update={"seconds_left": None, **changes})
            state = pupil.state
        self._publish(state)
