"""The search: which smaller networks are worth their export.

Structures, input sizes and shares of channels make a small grid. All of it is taught for a short time; the
cheapest of those that may still come up to the best learn on, as in successive halving (Jamieson & Talwalkar
2016).
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

from compress.blocks import traced
from compress.candidates import Candidate, Student
from compress.errors import CancelledError
from compress.lessons import LessonPlan, Lessons, Material, gather, lessons_for, likeness
from compress.progress import Progress, ProgressListener
from compress.protocol import Compressible
from compress.prune import pruned
from compress.recover import RecoverPlan, Standing, recover
from compress.search_plan import Place, SearchPlan, Tried, best_first, grid, plan_for, worth_teaching
from compress.shelf import Shelf
from compress.structures import Structure, mended_structures, picture_tensor, structures
from compress.students import FoundStudent, Task
from compress.teacher import AnswerStore, Asked
from compress.thin import PICTURES, Thinning
from compress.threads import one_thread_each
from edge_agent.clock import Clock

_STAGE = "search"
_GATHER_SHARE = 0.2
_FIRST_ROUND_SHARE = 0.15
_SURE_SHARE = 0.25
"""What lacks parts only is nearly there: this is all it gets, and what it can be relied on to need."""

_LEAST_VIEWS, _MOST_VIEWS = 24, 360
_TRIED_ON = 6


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
    found = search(task.detector, plan_for(task), task.folder, Watch(progress, cancelled, clock))
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
        self._thinnings: dict[tuple[str, tuple[int, int]], Thinning] = {}
        self._taught: dict[str, nn.Module] = {}

    def run(self, whole: nn.Module) -> Students:
        """Teach the grid, then what is best of it."""
        own_px = self._material.detector.input_size_px
        first = Candidate.of(whole, own_px)
        self._watch.say("Trying what can go")
        found = structures(first, self._of(own_px), self._some(_TRIED_ON), self._watch.check)
        self._watch.say("Mending what is left")
        found = mended_structures(found, self._pictures(own_px), self._watch.check)
        tried = self._first_round(grid(found, self._plan))
        finished = [one for one in tried if _lacks_parts_only(one)]
        finished += self._finals([one for one in tried if not _lacks_parts_only(one)])
        return Students(tuple(best_first(finished)), (*tried, *finished))

    def _first_round(self, jobs: Sequence[Place]) -> list[Tried]:
        """Teach what has all its pixels and channels, then what is made of it and knows that much already."""
        own_px, left_s = self._material.detector.input_size_px, self._watch.left_s
        sure = [job for job in jobs if not job[2] and job[1] == own_px]
        others = [job for job in jobs if job not in sure]
        tried = []
        for number, job in enumerate((*sure, *others), start=1):
            share = _SURE_SHARE if job in sure else _FIRST_ROUND_SHARE / len(others)
            tried.append(self._teach(self._thinned(*job), 1, share * left_s, f"{number} of {len(jobs)}"))
            if job in sure:
                self._taught[job[0].words] = tried[-1].candidate.network
        return tried

    def _finals(self, tried: Sequence[Tried]) -> list[Tried]:
        """Teach the most hopeful ones for the rest of the time."""
        finalists = worth_teaching(tried, self._plan.finalists)
        finished = []
        for number, one in enumerate(finalists, start=1):
            last_s = self._watch.left_s / (len(finalists) - number + 1)
            finished.append(self._teach(one.candidate, 2, last_s, f"finalist {number} of {len(finalists)}"))
        return finished

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

    def _thinned(self, structure: Structure, size_px: tuple[int, int], share: float) -> Candidate:
        """Return the candidate of a place in the grid, untaught."""
        base = structure.candidate
        name = _name(structure.words, size_px, share)
        start = Candidate.of(self._taught.get(structure.words, base.network), size_px, name)
        candidate = replace(start, removed=base.removed)
        if size_px != self._material.detector.input_size_px:
            candidate = candidate.changed(
                start.network, "input", f"pixels: {size_px[0]}x{size_px[1]} are left"
            )
        if not share:
            return candidate
        self._watch.say(f"Thinning out {name}")
        key = _key(name, 0)
        gone, kept = self._shelf.noted(key), self._shelf.get(key)
        if gone is None or kept is None:
            thinning = self._thinning(structure, candidate)
            gone = thinning.channels_to_go(share)
            thinner = thinning.without(gone)
            self._shelf.put(key, thinner)
            self._shelf.note(key, gone)
        else:
            thinner = pruned(candidate.network, size_px, gone)
            thinner.load_state_dict(kept)
        if not gone:  # no layer reads channels that one layer alone makes
            return candidate
        return candidate.changed(thinner, "channels", f"{share:.0%} of what inner channels cost")

    def _thinning(self, structure: Structure, candidate: Candidate) -> Thinning:
        """Return how to thin a structure at an input size; only one is kept, they are large."""
        size_px = candidate.input_size_px
        key = structure.words, size_px
        if key not in self._thinnings:
            self._thinnings = {
                key: Thinning.of(candidate.network, size_px, self._pictures(size_px), self._watch.check)
            }
        return self._thinnings[key]

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
            checks=1 if turn == 1 else 3,
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


def _lacks_parts_only(one: Tried) -> bool:
    """Tell whether only superfluous parts were taken: it has learned all it can in a short time."""
    return all(gone.stage in {"subnets", "levels"} for gone in one.candidate.removed)


def _key(name: str, turn: int) -> str:
    return hashlib.sha256(f"{name} {turn}".encode()).hexdigest()[:16]


def _name(words: str, size_px: tuple[int, int], share: float) -> str:
    parts = [f"{size_px[0]}x{size_px[1]}", words, f"{share:.0%} fewer channels" if share else ""]
    return ", ".join(part for part in parts if part)
