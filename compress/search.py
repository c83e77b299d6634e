"""The search: which smaller networks are worth their export.

A ladder: first the network that only lacks superfluous parts learns a little, then ever cheaper ones learn
more. Each is made of what the one before has learned, and mended; so the cheapest has seen most, and whatever
ends the search early, what came before is there.
"""

from __future__ import annotations

import copy
import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import nn

from compress.blocks import traced, without
from compress.candidates import Candidate, Student
from compress.errors import CancelledError
from compress.imprint import take_imprint
from compress.lessons import LessonPlan, Lessons, Material, gather, lessons_for, likeness, overlap_of
from compress.mend import mended
from compress.pace import PatientClock
from compress.progress import Progress, ProgressListener
from compress.protocol import Compressible
from compress.prune import pruned
from compress.recover import RecoverPlan, Standing, recover
from compress.search_plan import (
    Place,
    SearchPlan,
    Tried,
    best_first,
    cheapest_hopeful,
    grid,
    is_hopeless,
    plan_for,
    share_of_time,
    with_sure_one_early,
)
from compress.shelf import Shelf
from compress.structures import Structure, picture_tensor, structures
from compress.students import FoundStudent, Task
from compress.teacher import AnswerStore, Asked
from compress.thin import PICTURES, Thinning
from compress.threads import one_thread_each
from edge_agent.clock import Clock

_STAGE = "search"
_GATHER_SHARE = 0.2
_LEAST_VIEWS, _MOST_VIEWS = 24, 360
_TRIED_ON = 6
_CHECKS = 2


@dataclass(frozen=True)
class Students:
    """What a search found: finished candidates, best first, and all that were tried, for the plot."""

    finished: tuple[Tried, ...]
    tried: tuple[Tried, ...]


def find_students(
    task: Task, *, progress: ProgressListener, cancelled: Callable[[], bool], clock: Clock
) -> Sequence[FoundStudent]:
    """Look for smaller networks; see `compress.students.StudentFinder`.

    Raises:
        CancelledError: `cancelled` said so.
        ExportError: The detector has no pictures, or a recovery went astray.
    """
    watch = Watch(progress, cancelled, PatientClock(clock))
    found = search(task.detector, plan_for(task), task.folder, watch)
    return [
        FoundStudent(one.candidate.name, Student(task.detector, one.candidate), one.candidate.removed)
        for one in found.finished
    ]


class Watch:
    """Who is told how far a search is and who may stop it."""

    def __init__(self, progress: ProgressListener, cancelled: Callable[[], bool], clock: Clock) -> None:
        self._progress, self._cancelled, self.clock = progress, cancelled, clock
        self._start_s, self._budget_s = clock.monotonic_s(), 1.0
        self._lock = threading.Lock()

    def begin(self, budget_s: float) -> None:
        """Note how long the search may take."""
        self._start_s, self._budget_s = self.clock.monotonic_s(), max(1.0, budget_s)

    @property
    def left_s(self) -> float:
        """Return the seconds that are left."""
        return max(0.0, self._budget_s - (self.clock.monotonic_s() - self._start_s))

    def check(self) -> None:
        """Stop here if the search was called off.

        Raises:
            CancelledError: It was.
        """
        if self._cancelled():
            message = "the search for smaller networks was cancelled"
            raise CancelledError(message)

    def say(self, message: str) -> None:
        """Tell what is going on, after `check`."""
        self.check()
        with self._lock:  # two threads tell of the full detector's answers; none may tell an older time later
            done = min(1.0, 1 - self.left_s / self._budget_s)
            self._progress(Progress(_STAGE, round(done, 4), message, round(self.left_s, 1)))


def search(detector: Compressible, plan: SearchPlan, folder: Path, watch: Watch) -> Students:
    """Look for smaller networks that answer as a detector does.

    Args:
        detector: The full one.
        plan: What to try.
        folder: Where answers and recoveries are kept, so that a killed search goes on where it was.
        watch: Told how far it is.

    Raises:
        CancelledError: The watch said so.
        ExportError: The detector has no pictures, or a recovery went astray.
    """
    watch.begin(plan.budget_s)
    with one_thread_each():
        watch.say("Asking the full detector")
        whole = traced(detector.network())
        shelf = Shelf(folder / _digest(whole, detector, plan))
        store = AnswerStore(shelf.folder / "answers")
        lesson_plan = _lesson_plan(detector, whole, plan, watch, shelf)
        material = gather(
            detector,
            whole,
            lesson_plan,
            lambda done, of: watch.say(f"Asking the full detector: {done} of {of} pictures"),
            store,
        )
        return _Search(material, plan, watch, shelf).run(whole)


class _Search:
    """One search at work."""

    def __init__(self, material: Material, plan: SearchPlan, watch: Watch, shelf: Shelf) -> None:
        self._material, self._plan, self._watch, self._shelf = material, plan, watch, shelf
        self._lessons: dict[tuple[int, int], Lessons] = {}
        self._taught: dict[str, list[tuple[float, nn.Module]]] = {}

    def run(self, whole: nn.Module) -> Students:
        """Teach rung after rung, each made of what the one before has learned."""
        own_px = self._material.detector.input_size_px
        first = Candidate.of(whole, own_px)
        self._watch.say("Trying what can go")
        found = structures(first, self._of(own_px), self._some(_TRIED_ON), self._watch.check)
        tried: list[Tried] = []
        rungs = grid(found, self._plan)
        for number, rung in enumerate(rungs, start=1):
            candidate = self._made(rung, whole)
            seconds = self._watch.left_s * share_of_time(rungs[number - 1 :], own_px)
            tried.append(self._teach(candidate, 1, seconds, f"{number} of {len(rungs)}"))
            self._taught.setdefault(rung[0].words, []).append((rung[2], tried[-1].candidate.network))
            if is_hopeless(tried):  # so is what would be made of it
                tried = self._with_more_learned(tried)
                break
        finished = with_sure_one_early(best_first(tried), tried)
        return Students(tuple(map(self._with_overlap, finished)), tuple(tried))

    def _with_overlap(self, one: Tried) -> Tried:
        """Return a finished one that knows from which overlap on two of its boxes are one."""
        self._watch.check()
        candidate = one.candidate
        nms_iou = overlap_of(self._material, candidate.network, candidate.input_size_px)
        return replace(one, candidate=replace(candidate, nms_iou=nms_iou))

    def _with_more_learned(self, tried: Sequence[Tried]) -> list[Tried]:
        """Teach the cheapest hopeful one for the rest of the time."""
        before = cheapest_hopeful(tried)
        after = self._teach(before.candidate, 2, self._watch.left_s, "on")
        return [after if one is before and after.worth >= one.worth else one for one in tried]

    def _of(self, size_px: tuple[int, int]) -> Lessons:
        """Return the lessons of an input size; only one size is kept, they are large."""
        if size_px not in self._lessons:
            self._lessons = {size_px: lessons_for(self._material, size_px)}
        return self._lessons[size_px]

    def _pictures(self, size_px: tuple[int, int]) -> list[torch.Tensor]:
        """Return those on which networks are thinned and mended."""
        lessons = self._of(size_px)
        return [picture_tensor(lessons, number) for number in self._some(PICTURES)]

    def _some(self, count: int) -> list[int]:
        views = len(self._material.views)
        return [position * views // count for position in range(min(count, views))]

    def _made(self, rung: Place, whole: nn.Module) -> Candidate:
        """Return the candidate of a place in the grid, untaught but for what it is made of."""
        structure, size_px, share = rung
        base = structure.candidate
        name = _name(structure.words, size_px, share)
        candidate = replace(Candidate.of(base.network, size_px, name), removed=base.removed)
        gone_share, network = self._base(structure, share, whole)
        if size_px != self._material.detector.input_size_px:
            candidate = candidate.changed(network, "input", f"pixels: {size_px[0]}x{size_px[1]} are left")
        if not share:
            return candidate.taught(network)
        thinner = self._thinner(name, network, size_px, (share - gone_share) / (1 - gone_share))
        if thinner is None and not gone_share:  # no layer reads channels that one layer alone makes
            return candidate.taught(network)
        return candidate.changed(thinner or network, "channels", f"{share:.0%} of what inner channels cost")

    def _base(self, structure: Structure, share: float, whole: nn.Module) -> tuple[float, nn.Module]:
        """Return what a rung is made of, that which has learned most of it, and the share gone from that."""
        taught = [one for one in self._taught.get(structure.words, ()) if one[0] <= share]
        if taught:
            return max(taught, key=lambda one: one[0])
        if not structure.words:
            return 0.0, whole
        learned = [network for gone, network in self._taught.get(structure.made_of or "", ()) if not gone]
        if structure.parts and learned:
            return 0.0, self._mended(structure, without(learned[-1], structure.parts), learned[-1])
        return 0.0, self._mended(structure, structure.candidate.network, whole)

    def _mended(self, structure: Structure, cut: nn.Module, before: nn.Module) -> nn.Module:
        """Return a network that lost parts, mended to answer as it did before."""
        self._watch.say(f"Mending {structure.words}")
        key = _key(f"{structure.words}, mended", 0)
        if (kept := self._shelf.get(key)) is not None:
            whole = copy.deepcopy(cut)
            whole.load_state_dict(kept)
            return whole
        pictures = self._pictures(self._material.detector.input_size_px)
        whole = mended(cut, take_imprint(before, pictures, self._watch.check), pictures)
        self._shelf.put(key, whole)
        return whole

    def _thinner(
        self, name: str, network: nn.Module, size_px: tuple[int, int], share: float
    ) -> nn.Module | None:
        """Return a network without a share of its inner channels, mended; none when none of them can go."""
        self._watch.say(f"Thinning out {name}")
        key = _key(name, 0)
        gone, kept = self._shelf.noted(key), self._shelf.get(key)
        if gone is not None and kept is not None:
            thinner = pruned(network, size_px, gone)
            thinner.load_state_dict(kept)
        else:
            thinning = Thinning.of(network, size_px, self._pictures(size_px), self._watch.check)
            gone = thinning.channels_to_go(share)
            thinner = thinning.without(gone)
            self._shelf.put(key, thinner)
            self._shelf.note(key, gone)
        return thinner if gone else None

    def _teach(self, candidate: Candidate, turn: int, budget_s: float, which: str) -> Tried:
        """Return a candidate after some time of learning, from the shelf where it is there already."""
        key = _key(candidate.name, turn)
        size_px = candidate.input_size_px
        kept = self._shelf.get(key)
        if kept is not None:
            taught = copy.deepcopy(candidate.network)
            taught.load_state_dict(kept)
            return Tried(candidate.taught(taught), likeness(self._material, taught, size_px))

        def note(standing: Standing) -> None:
            self._watch.say(f"Teaching {which}, {candidate.name}: loss {standing.loss:.3f}")

        plan = RecoverPlan(
            budget_s=max(1.0, budget_s),
            learning_rate=self._plan.learning_rate,
            seed=self._plan.seed + turn,
            checks=_CHECKS,
        )
        network = recover(
            candidate.network,
            self._of(size_px),
            plan,
            lambda now: Tried(candidate, likeness(self._material, now, size_px)).worth,
            note,
            self._watch.clock,
            self._shelf.checkpoint(key),
        )
        self._shelf.put(key, network)
        return Tried(candidate.taught(network), likeness(self._material, network, size_px))


def _lesson_plan(
    detector: Compressible, network: nn.Module, plan: SearchPlan, watch: Watch, shelf: Shelf
) -> LessonPlan:
    """Return as many views as the full detector can answer in its share of the time, or as it was before."""
    if (kept := shelf.noted("lessons")) is not None:
        return LessonPlan(**kept)
    asked = Asked(detector, detector.input_size_px)
    start_s = watch.clock.monotonic_s()
    for picture in detector.calibration_pictures(2):
        asked.outputs(network, asked.pixels(picture))
    each_s = max(1e-3, (watch.clock.monotonic_s() - start_s) / 2)
    views = int(min(_MOST_VIEWS, max(_LEAST_VIEWS, _GATHER_SHARE * plan.budget_s / each_s)))
    lessons = LessonPlan(
        plain_views=views // 3,
        random_views=views - views // 3,
        held_out=max(4, views // 10),
        seed=plan.seed,
    )
    shelf.note("lessons", asdict(lessons))
    return lessons


def _digest(network: nn.Module, detector: Compressible, plan: SearchPlan) -> str:
    """Return what tells whether kept answers and recoveries are of the same detector and plan."""
    digest = hashlib.sha256(
        repr((replace(plan, budget_s=0.0), detector.input_size_px, detector.labels)).encode()
    )
    for name, tensor in network.state_dict().items():
        digest.update(name.encode() + tensor.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _key(name: str, turn: int) -> str:
    return hashlib.sha256(f"{name} {turn}".encode()).hexdigest()[:16]


def _name(words: str, size_px: tuple[int, int], share: float) -> str:
    parts = [f"{size_px[0]}x{size_px[1]}", words, f"{share:.0%} fewer channels" if share else ""]
    return ", ".join(part for part in parts if part)
