"""The teacher: nothing that changed is lost, the last detector answers, few pupils stay in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from cloud.errors import NotFoundError, TrainingError
from cloud.jobs.teaching_protocol import LiveState, NextFrame
from cloud.worker.teacher import Learned, LiveProgress, StoppedError, Teacher, should_restart
from edge_agent.clock import SystemClock
from edge_agent.errors import BackendError
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection
from tests.fakes.clock import FakeClock

PATIENCE_S = 20.0


class Seer:
    def detect(self, rgb: Rgb) -> list[Detection]:
        raise NotImplementedError


class Desk:
    """What sessions find: how many frames are labelled, and what happens when they learn."""

    def __init__(self) -> None:
        self.frames = 1
        self.errors: list[Exception] = []
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.go_on.set()
        self.fraction = 0.2
        self.learned: list[int] = []
        self.drafts = 0

    def learn(self, progress: Callable[[LiveProgress], None], stopped: Callable[[], bool]) -> Learned:
        frames = self.frames
        progress(LiveProgress("learning", self.fraction, "learning", 2.0, 0.7))
        self.begun.release()
        while not self.go_on.wait(0.005):
            if stopped():
                message = "stopped"
                raise StoppedError(message)
        if self.errors:
            raise self.errors.pop(0)
        self.learned.append(frames)
        self.drafts -= 1
        return Learned(Seer(), frames, 0.5, "cross_validation", is_draft=self.drafts >= 0)

    def propose(self, _learned: Learned, stopped: Callable[[], bool]) -> tuple[NextFrame, ...]:
        if stopped():
            message = "stopped"
            raise StoppedError(message)
        return (NextFrame(media_id="m", frame_index=7, reason="doubted"),)


class Heard:
    """Keeps the states that were told, and waits for some."""

    def __init__(self) -> None:
        self.states: list[LiveState] = []
        self._news = threading.Condition()

    def __call__(self, state: LiveState) -> None:
        with self._news:
            self.states.append(state)
            self._news.notify_all()

    def wait_for(self, wanted: Callable[[LiveState], bool]) -> LiveState:
        def found() -> LiveState | None:
            return next((state for state in self.states if wanted(state)), None)

        with self._news:
            assert self._news.wait_for(lambda: found() is not None, PATIENCE_S), self.states
        state = found()
        assert state is not None
        return state


def ready_with(frames: int) -> Callable[[LiveState], bool]:
    return lambda state: state.stage == "ready" and state.frames == frames


@contextmanager
def at_work(desk: Desk, heard: Heard, kept: int = 4) -> Iterator[Teacher]:
    teacher = Teacher(lambda _detector_id: desk, heard, SystemClock(), kept=kept, quiet_s=0.01)
    thread = threading.Thread(target=teacher.run)
    thread.start()
    try:
        yield teacher
    finally:
        desk.go_on.set()
        teacher.close()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def test_update_tells_stage_loss_time_left_and_then_what_was_learned() -> None:
    desk, heard = Desk(), Heard()
    with at_work(desk, heard) as teacher:
        teacher.teach("d")
        ready = heard.wait_for(ready_with(1))
        learned, learned_s = teacher.learned("d")

    assert (ready.ap50, ready.ap50_how, ready.version) == (0.5, "cross_validation", "live")
    assert (learned.frames, learned_s) == (1, ready.learned)
    learning = next(state for state in heard.states if state.stage == "learning")
    assert (learning.loss, learning.seconds_left, learning.progress) == (0.7, 2.0, 0.2)


@pytest.mark.parametrize(("fraction", "learned"), [(0.2, [2]), (0.8, [1, 2])])
def test_change_in_an_update_is_learned_at_once_when_early_and_after_it_when_late(
    fraction: float, learned: list[int]
) -> None:
    desk, heard = Desk(), Heard()
    desk.fraction = fraction
    desk.go_on.clear()
    with at_work(desk, heard) as teacher:
        teacher.teach("d")
        assert desk.begun.acquire(timeout=PATIENCE_S)
        desk.frames = 2
        teacher.teach("d")
        if fraction < 0.5:
            assert desk.begun.acquire(timeout=PATIENCE_S), "the update was begun anew"
        desk.go_on.set()
        heard.wait_for(ready_with(2))

    assert desk.learned == learned


def test_draft_answers_at_once_and_the_rest_is_learned_without_being_asked() -> None:
    desk, heard = Desk(), Heard()
    desk.drafts = 1
    with at_work(desk, heard) as teacher:
        teacher.teach("d")
        heard.wait_for(lambda state: bool(state.next_frames))
        assert teacher.learned("d")[0].is_draft is False
    assert desk.learned == [1, 1]
    assert sum(state.stage == "ready" and not state.next_frames for state in heard.states) == 2


def test_frames_to_label_next_are_looked_for_once_all_is_learned() -> None:
    desk, heard = Desk(), Heard()
    with at_work(desk, heard) as teacher:
        teacher.teach("d")
        told = heard.wait_for(lambda state: bool(state.next_frames))
    assert (told.stage, told.frames, told.next_frames[0].reason) == ("ready", 1, "doubted")


@pytest.mark.parametrize(
    ("fraction", "restarts", "restart"),
    [(0.0, 0, True), (0.49, 1, True), (0.49, 2, False), (0.5, 0, False), (1.0, 0, False)],
)
def test_update_restarts_only_early_and_not_for_ever(fraction: float, restarts: int, restart: bool) -> None:
    assert should_restart(fraction, restarts) is restart


def test_cancelled_update_keeps_the_last_detector_and_goes_on_with_the_next_change() -> None:
    desk, heard = Desk(), Heard()
    with at_work(desk, heard) as teacher:
        teacher.teach("d")
        heard.wait_for(ready_with(1))
        desk.go_on.clear()
        desk.frames = 2
        teacher.teach("d")
        assert desk.begun.acquire(timeout=PATIENCE_S)
        assert desk.begun.acquire(timeout=PATIENCE_S)
        teacher.cancel("d")
        cancelled = heard.wait_for(lambda state: state.stage == "cancelled")
        assert cancelled.frames == 1
        assert teacher.learned("d")[0].frames == 1
        desk.go_on.set()
        teacher.teach("d")
        heard.wait_for(ready_with(2))


@pytest.mark.parametrize(
    ("error", "stage", "words"),
    [
        (TrainingError("no boxes yet"), "waiting", "no boxes yet"),
        (BackendError("the network is broken"), "failed", "the network is broken"),
        (OSError("disk"), "failed", "disk"),
        (ValueError("a mistake of ours"), "failed", "learning failed; the server's log says why"),
    ],
)
def test_failed_update_is_told_and_the_next_one_is_carried_out(
    error: Exception, stage: str, words: str
) -> None:
    desk, heard = Desk(), Heard()
    desk.errors = [error]
    with at_work(desk, heard) as teacher:
        teacher.teach("d")
        told = heard.wait_for(lambda state: state.stage == stage)
        assert words in (told.message, told.error)
        teacher.teach("d")
        assert heard.wait_for(ready_with(1)).error is None


def test_pupil_unused_for_longest_is_dropped() -> None:
    desk = Desk()
    teacher = Teacher(lambda _detector_id: desk, lambda _state: None, FakeClock(), kept=2)
    for name in ("a", "b"):
        teacher.teach(name)
        teacher.teach_once(name)
    teacher.learned("a")
    teacher.teach("c")

    assert [state.detector_id for state in teacher.states()] == ["a", "c"]
    with pytest.raises(NotFoundError, match="nothing is learned yet"):
        teacher.learned("b")


def test_full_memory_costs_the_pupil_unused_for_longest_but_never_the_only_one() -> None:
    desk = Desk()
    teacher = Teacher(lambda _id: desk, lambda _state: None, FakeClock(), is_full=lambda: True)
    for name in ("a", "b"):
        teacher.teach(name)
        teacher.teach_once(name)

    assert [state.detector_id for state in teacher.states()] == ["b"]
    assert teacher.learned("b")[0].frames == 1


def test_detector_that_has_learned_nothing_is_not_found() -> None:
    teacher = Teacher(lambda _detector_id: Desk(), lambda _state: None, FakeClock())
    teacher.teach("d")
    with pytest.raises(NotFoundError, match="nothing is learned yet"):
        teacher.learned("d")
