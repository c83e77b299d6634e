"""The course of a fault: well, harmed, truth told, harm ended, well again; many at the same time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from edge_agent.wire.event import Event
from tests.system.faults.table import Fault
from tests.system.faults.world import Patient, made_s
from tests.system.loop import CLOCK

_WELL_S = 90.0
_LOOK_S = 0.25
_STEADY_S = 0.6
_FOREVER = float("inf")


@dataclass
class Course:
    """One fault done to one camera, and what came of it.

    Attributes:
        well: Events flowed before.
        truth_s: Seconds until the truth was told; none: never.
        back_s: Seconds until events stood in the cloud again; none: never.
        harmed: From when to when, in monotonic seconds.
        problem: What to say when it went wrong.
    """

    fault: Fault
    patient: Patient
    camera: str = "front"
    well: bool = False
    truth_s: float | None = None
    back_s: float | None = None
    harmed: tuple[float, float] = (_FOREVER, _FOREVER)
    problem: str = ""

    def run(self) -> Iterator[None]:
        """Go through it; stops at each `yield` until it is looked again."""
        fault, patient, camera = self.fault, self.patient, self.camera
        started_s = CLOCK.monotonic_s()
        while not self.well and CLOCK.monotonic_s() - started_s < _WELL_S:
            yield
            self.well = patient.stored_since(started_s, camera) and patient.status(camera) == "online"
        begun_s = CLOCK.monotonic_s()
        self.harmed = (begun_s, _FOREVER)
        fault.begin(patient)
        while (passed_s := CLOCK.monotonic_s() - begun_s) < max(fault.lasts_s, self._patience_s()):
            yield
            if self.truth_s is None and fault.truth(patient, camera, begun_s):
                self.truth_s = CLOCK.monotonic_s() - begun_s
        self._note(f"harmed for {passed_s:.1f} s")
        fault.end(patient)
        ended_s = CLOCK.monotonic_s()
        while self.back_s is None and CLOCK.monotonic_s() - ended_s < 3 * fault.back_s:
            yield
            if patient.stored_since(ended_s, camera) and self._is_well_told():
                self.back_s = CLOCK.monotonic_s() - ended_s
        self.harmed = (begun_s, CLOCK.monotonic_s() if fault.blind else ended_s)

    def _patience_s(self) -> float:
        return 0.0 if self.truth_s is not None else 2 * self.fault.truth_s

    def _is_well_told(self) -> bool:
        return self.patient.available() == "online" and self.patient.status(self.camera) == "online"

    def _note(self, what: str) -> None:
        patient, camera = self.patient, self.camera
        self.problem = (
            f"{what}; told: {patient.available()}, {patient.status(camera)}, {patient.reason(camera)!r}; "
            f"{patient.last_words()}"
        )


def run_together(courses: Sequence[Course]) -> None:
    """Let all courses go on side by side until each is over."""
    running = [course.run() for course in courses]
    while running:
        running = [one for one in running if next(one, _OVER) is not _OVER]
        CLOCK.sleep(_LOOK_S)


_OVER = object()


@dataclass
class Account:
    """What the cloud has of one camera, held against what its agent had before its eyes."""

    lost: list[tuple[float, float]] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    visits: int = 0
    events: int = 0


def reconcile(patient: Patient, camera: str, blind: Sequence[tuple[float, float]]) -> Account:
    """Hold visits against events.

    Args:
        patient: Whose.
        camera: Which.
        blind: Times, in monotonic seconds, in which nothing need be seen, and events may stay open.
    """
    stored = [one.event for one in patient.world.stored(patient.name) if one.event.camera == camera]
    begins = [event for event in stored if event.event_type == "new"]
    account = Account(events=len(begins))
    for came_s, went_s, gap_s in patient.visits(camera):
        if any(came_s < until_s and went_s > from_s - 1.0 for from_s, until_s in blind):
            continue
        account.visits += 1
        of_it = [event for event in begins if came_s - 0.5 <= made_s(event) <= went_s + 0.5]
        if not of_it:
            account.lost.append((came_s, went_s))
        elif len(of_it) > 1 and gap_s < _STEADY_S:
            # After a gap nobody can know that it is the same square which is elsewhere now.
            account.doubled.append(f"{len(of_it)} events of one visit")
    account.doubled += _twice(stored)
    return account


def _twice(stored: Sequence[Event]) -> list[str]:
    said = Counter(
        (event.id, event.event_type) if event.event_type != "update" else event.to_json() for event in stored
    )
    return [str(once) for once, times in said.items() if times > 1]


def missing_numbers(patient: Patient) -> dict[str, list[int]]:
    """Return which numbers of a spool, between its first and last that came, the cloud knows nothing of.

    Of those that a killed agent left out it was told.
    """
    by_epoch: dict[str, set[int]] = {}
    for document in patient.world.stored(patient.name):
        by_epoch.setdefault(document.epoch, set()).add(document.seq)
    return {
        epoch: missing
        for epoch, seqs in by_epoch.items()
        if (missing := sorted(set(range(1, max(seqs) + 1)) - seqs - patient.world.left_out(epoch)))
    }
