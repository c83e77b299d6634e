"""The search: which smaller networks are worth their export.

Structures, input sizes and shares of channels make a small grid. All of it is taught for a short time, and
the half that is not worth more goes (successive halving, Jamieson & Talwalkar 2016); the rest learns on.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torch import nn

from compress.blocks import traced
from compress.candidates import Candidate, Student
from compress.errors import CancelledError
from compress.lessons import LessonPlan, Lessons, Likeness, Material, gather, lessons_for, likeness
from compress.progress import Progress, ProgressListener
from compress.protocol import Compressible
from compress.prune import channel_importance, choose_channels, prunable_groups, pruned
from compress.recover import RecoverPlan, Standing, distillation_loss, recover, tensors_of
from compress.shelf import Shelf
from compress.structures import Structure, picture_tensor, structures
from compress.students import FoundStudent, Task
from compress.teacher import AnswerStore, Asked
from compress.threads import one_thread_each
from edge_agent.clock import Clock

_STAGE = "search"
_SHARE_OF_BUDGET = 0.7
"""The rest is for exporting and measuring what was found."""

_GATHER_SHARE = 0.2
_FIRST_ROUND_SHARE = 0.4
_LEAST_VIEWS, _MOST_VIEWS = 24, 360
_TRIED_ON = 6
_IMPORTANCE_LESSONS = 16
_SMALLER = 0.8
_MULTIPLE_PX = 32
_ALIKE = 0.01


@dataclass(frozen=True)
class SearchPlan:
    """What is tried, and for how long.

    Attributes:
        sizes_px: Inputs (width, height), largest first.
        shares: How much of what inner channels cost goes.
        candidates: At most so many are taught in the first round.
        finalists: So many of them learn on.
        budget_s: For all of the search.
        learning_rate: Peak of a recovery.
        seed: Of views, and of their order.
    """

    sizes_px: tuple[tuple[int, int], ...]
    shares: tuple[float, ...] = (0.0, 0.3)
    candidates: int = 4
    finalists: int = 2
    budget_s: float = 300.0
    learning_rate: float = 3e-4
    seed: int = 0


@dataclass(frozen=True)
class Tried:
    """A candidate as far as it learned, and how near it came to the full detector."""

    candidate: Candidate
    likeness: Likeness

    @property
    def worth(self) -> float:
        """Return one number for both kinds of nearness."""
        ap50 = self.likeness.ap50
        return self.likeness.agreement_f1 if ap50 is None else (self.likeness.agreement_f1 + ap50) / 2


@dataclass(frozen=True)
class Students:
    """What a search found: finished candidates, best first, and all that were tried, for the plot."""

    finished: tuple[Tried, ...]
    tried: tuple[Tried, ...]


def plan_for(task: Task) -> SearchPlan:
    """Return what to try for a device in the time there is."""
    budget_s = _SHARE_OF_BUDGET * task.budget_s
    sizes = sizes_for(task.detector.input_size_px, task.profile.input_sizes_px)
    if budget_s < 60:
        return SearchPlan(sizes[:2], shares=(0.0,), candidates=2, finalists=1, budget_s=budget_s)
    if budget_s < 900:
        return SearchPlan(sizes, budget_s=budget_s)
    return SearchPlan(sizes, (0.0, 0.3, 0.5, 0.65), candidates=9, finalists=3, budget_s=budget_s)


def sizes_for(
    own_px: tuple[int, int], of_profile_px: Sequence[tuple[int, int]]
) -> tuple[tuple[int, int], ...]:
    """Return the inputs to try, largest first: the detector's own, a smaller one, and the profile's below.

    Of the profile's only those count that are not larger than the detector's own in either direction, and
    not smaller than half of it: below, a cell of stride 8 holds four times what it was taught for.
    """
    smaller = tuple(
        max(_MULTIPLE_PX, round(side * _SMALLER / _MULTIPLE_PX) * _MULTIPLE_PX) for side in own_px
    )
    found = {own_px, (smaller[0], smaller[1])}
    for width, height in of_profile_px:
        if width <= own_px[0] and height <= own_px[1] and 2 * width >= own_px[0]:
            found.add((width, height))
    return tuple(sorted(found, key=lambda size: -size[0] * size[1]))


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


def choose_finalists(tried: Sequence[Tried], count: int) -> list[Tried]:
    """Return the best ones, best first: those that no other beats in both cost and nearness.

    The cheapest of those as near as the nearest, give or take a hundredth, comes first; then what is nearer,
    then what is cheaper.
    """
    front = [
        one
        for one in tried
        if not any(
            (other.candidate.macs <= one.candidate.macs and other.worth > one.worth)
            or (other.candidate.macs < one.candidate.macs and other.worth >= one.worth)
            for other in tried
        )
    ]
    nearest = max((one.worth for one in front), default=0.0)
    near = sorted((one for one in front if one.worth >= nearest - _ALIKE), key=lambda one: one.candidate.macs)
    rest = sorted((one for one in front if one not in near[:1]), key=lambda one: -one.worth)
    return [*near[:1], *rest][:count]


class _Search:
    """One search at work."""

    def __init__(self, material: Material, plan: SearchPlan, watch: Watch, shelf: Shelf) -> None:
        self._material, self._plan, self._watch, self._shelf = material, plan, watch, shelf
        self._lessons: dict[tuple[int, int], Lessons] = {}

    def run(self, whole: nn.Module) -> Students:
        """Teach the grid, then what is best of it."""
        own_px = self._material.detector.input_size_px
        first = Candidate.of(whole, own_px)
        self._watch.say("Trying what can go")
        found = structures(first, self._of(own_px), self._some(_TRIED_ON), self._watch.check)
        jobs = grid(found, self._plan)
        first_s = _FIRST_ROUND_SHARE * self._watch.left_s / max(1, len(jobs))
        tried = [
            self._teach(self._thinned(*job), 1, first_s, f"{number} of {len(jobs)}")
            for number, job in enumerate(jobs, start=1)
        ]
        finalists = choose_finalists(tried, self._plan.finalists)
        finished = []
        for number, one in enumerate(finalists, start=1):
            last_s = self._watch.left_s / (len(finalists) - number + 1)
            finished.append(self._teach(one.candidate, 2, last_s, f"finalist {number} of {len(finalists)}"))
        return Students(tuple(choose_finalists(finished, len(finished)) or finished), (*tried, *finished))

    def _of(self, size_px: tuple[int, int]) -> Lessons:
        """Return the lessons of an input size; only one size is kept, they are large."""
        if size_px not in self._lessons:
            self._lessons = {size_px: lessons_for(self._material, size_px)}
        return self._lessons[size_px]

    def _some(self, count: int) -> list[int]:
        views = len(self._material.views)
        return [position * views // count for position in range(min(count, views))]

    def _thinned(self, structure: Structure, size_px: tuple[int, int], share: float) -> Candidate:
        """Return the candidate of a place in the grid, untaught."""
        base = structure.candidate
        name = _name(structure.words, size_px, share)
        start = Candidate.of(base.network, size_px, name)
        candidate = replace(start, removed=base.removed)
        if size_px != self._material.detector.input_size_px:
            candidate = candidate.changed(
                base.network, "input", f"pixels: {size_px[0]}x{size_px[1]} are left"
            )
        if not share:
            return candidate
        self._watch.say(f"Thinning out {name}")
        gone = self._shelf.noted(_key(name, 0)) or self._channels_to_go(candidate, share)
        self._shelf.note(_key(name, 0), gone)
        thinner = pruned(candidate.network, size_px, gone)
        return candidate.changed(thinner, "channels", f"{share:.0%} of what inner channels cost")

    def _channels_to_go(self, candidate: Candidate, share: float) -> dict[str, list[int]]:
        size_px = candidate.input_size_px
        lessons, numbers = self._of(size_px), self._some(_IMPORTANCE_LESSONS)
        groups = [group for group in prunable_groups(candidate.network, size_px) if group.inner]
        worth = channel_importance(
            candidate.network,
            groups,
            (picture_tensor(lessons, number) for number in numbers),
            lambda turn, outputs: distillation_loss(outputs, tensors_of(lessons.answers[numbers[turn]])),
        )
        return choose_channels(groups, worth, share)

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
            learning_rate=self._plan.learning_rate / turn,
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


def grid(found: Sequence[Structure], plan: SearchPlan) -> list[tuple[Structure, tuple[int, int], float]]:
    """Return structures, sizes and shares to try, evenly from the costliest to the cheapest.

    The whole network at its own size is the full detector; it is left out. What lacks parts only, those that
    are missed least, learns quickest and loses least, so that one is always among them.
    """
    places = []
    for structure in found:
        for size_px in plan.sizes_px:
            for share in plan.shares:
                of_pixels = size_px[0] * size_px[1] / (plan.sizes_px[0][0] * plan.sizes_px[0][1])
                cost = structure.candidate.macs * of_pixels * (1 - share)
                places.append((cost, structure, size_px, share))
    places.sort(key=lambda place: -place[0])
    # Of two that cost about the same, the one from which less structure was taken comes first.
    places = [place for place in places if place[0] < found[0].candidate.macs]
    if len(places) > plan.candidates:
        last = len(places) - 1
        spread = [places[round(i * last / (plan.candidates - 1))] for i in range(plan.candidates)]
        sure = [place for place in places if place[1:] == (_without_level(found), plan.sizes_px[0], 0.0)]
        # It takes the place of the one that costs most like it.
        if sure and sure[0] not in spread:
            nearest = min(range(len(spread)), key=lambda i: abs(spread[i][0] - sure[0][0]))
            spread[nearest] = sure[0]
        places = spread
    return [(structure, size_px, share) for _, structure, size_px, share in places]


def _without_level(found: Sequence[Structure]) -> Structure:
    """Return the smallest structure that lacks no repeated blocks."""
    return [one for one in found if not any(gone.stage == "blocks" for gone in one.candidate.removed)][-1]


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
