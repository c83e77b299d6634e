"""Which subnets are worth their cost for one task: candidates raced on frames they did not learn from.

Single subnets and light forms start with short trainings; the better half goes on at full length, joined by
pairs of the best with the others (successive halving, Jamieson & Talwalkar 2016). A costlier candidate wins
only if it gains more than the noise of its gain.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cloud.datasets.frames import LabelledFrame
from cloud.datasets.split import FEW_FRAMES
from cloud.detector.full import FullDetector
from cloud.detector.head import LEVELS
from cloud.detector.light import LightNetwork, has_light_neck, light_neck
from cloud.detector.spec import Architecture, DetectorSpec, Quality, SubnetUse
from cloud.errors import TrainingError
from cloud.subnets.features import shared_extractor
from cloud.subnets.manifest import MACS_AT_PX, SubnetManifest
from cloud.subnets.registry import subnet_by_name
from cloud.training.config import Progress, TrainConfig
from cloud.training.evaluate import measure
from cloud.training.fit import TrainResult, spec_of
from cloud.training.learn import LearnPlan, Lesson, learn
from cloud.training.light import PEAK_RATE, STEPS_SHARE, learn_light, pool_light
from cloud.training.look import Watch, look
from cloud.training.plan import check_examples, first_spec, plan_runs, plan_samples
from cloud.training.pool import WindowPool, levels_of, pool_windows
from cloud.training.reporter import Reporter
from cloud.training.runs import Chosen, Learner, Lessons, Pace, Run, answers_of, carry_out
from cloud.training.samples import FrameSamples
from cloud.training.verdict import RaceEntry, RaceReport, Scores, decide, score
from compress.threads import one_thread_each
from edge_agent.clock import Clock, SystemClock

logger = logging.getLogger(__name__)

RACE_FROM_S = 30.0
"""With less time than this there is no race: the recipe alone takes most of it."""

RACED_SUBNETS = ("ssd_mobilenet_v2", "efficientnet_lite0", "efficientnet_lite1")
"""What is raced unless told otherwise; the first is the default without a race."""

_SHORT_SHARE = 0.5
_TIMED_LOOKS = 3


@dataclass(frozen=True)
class Candidate:
    """What may become the detector: numbers of raced subnets, and the form."""

    subnets: tuple[int, ...]
    architecture: Architecture = "anchor_free_stride8"


@dataclass(frozen=True)
class RaceResult:
    """The winner, and how all candidates did."""

    result: TrainResult
    report: RaceReport


def race(
    frames: Sequence[LabelledFrame],
    classes: Sequence[str],
    config: TrainConfig,
    progress: Callable[[Progress], None],
    cancelled: Callable[[], bool],
    *,
    subnets: Sequence[str] = RACED_SUBNETS,
    clock: Clock | None = None,
) -> RaceResult:
    """Teach the detector that is worth most for its cost.

    Its quality is that of the frames that decided the race, so it is a little too good.

    Args:
        frames: As for `cloud.training.fit.fit`; at least two.
        classes: What to find.
        config: Settings; within `budget_s` as many candidates run as can.
        progress: Told where it stands, from the calling thread.
        cancelled: Asked several times a second.
        subnets: Names of those to race.
        clock: For the budget and the report.

    Raises:
        TrainingError: These examples do not give a detector, or are too few to compare anything.
        InputError: A picture cannot be read.
        CancelledError: `cancelled` said so.
    """
    clock = clock or SystemClock()
    start_s = clock.monotonic_s()
    check_examples(frames, classes)
    if sum(frame.trusted_xyxy_norm is None for frame in frames) < 2:
        message = "a race needs at least two whole frames: label another, or train without a race"
        raise TrainingError(message)
    manifests = [subnet_by_name(name) for name in subnets]
    spec = first_spec(frames, classes, config, manifests[:1])
    plan = plan_samples(frames, classes, spec, config)
    reporter = Reporter(
        progress, clock, views=len(frames) * (plan.views + 1) * len(manifests), threads=config.threads
    )
    watch = Watch(reporter, cancelled, clock)
    with one_thread_each():
        samples = look(frames, plan, config, manifests, watch)
        course = _Course(samples, spec, manifests, config, watch, start_s)
        return course.run()


def can_race(frames: Sequence[LabelledFrame]) -> bool:
    """Tell whether there is a frame to learn from and another one to check on."""
    return sum(frame.trusted_xyxy_norm is None for frame in frames) > 1


@dataclass(frozen=True)
class _Checked:
    """What a candidate's runs gave, and how well they did on what each held out."""

    lessons: list[Lessons | None]
    quality: Quality


class _Course:
    """One race: its frames, and what it has measured so far."""

    def __init__(
        self,
        samples: Sequence[FrameSamples],
        spec: DetectorSpec,
        manifests: Sequence[SubnetManifest],
        config: TrainConfig,
        watch: Watch,
        start_s: float,
    ) -> None:
        self._pool = pool_windows(samples)
        self._light = {
            number: pool_light(
                [_with_levels(one, levels_of([number])) for one in samples], light_neck(manifest)
            )
            for number, manifest in enumerate(manifests)
            if has_light_neck(manifest)
        }
        self._samples = [sample.without_windows() for sample in samples]
        self._spec, self._manifests, self._config = spec, manifests, config
        self._watch, self._start_s = watch, start_s
        self._frames = [one.frame for one in samples]
        self._classes = [label.name for label in spec.labels]
        self._ms = [self._measured_ms(manifest) for manifest in manifests]
        self._candidates: list[Candidate] = []
        self._entries: list[RaceEntry] = []
        self._scores: list[Scores | None] = []
        self._checked: dict[int, _Checked] = {}
        self._longest_s = 0.0

    def run(self) -> RaceResult:
        """Return the winner, taught from all frames."""
        singles = [Candidate((number,)) for number in range(len(self._manifests))]
        first = self._enter(singles + [Candidate((number,), "light_stride8") for number in self._light])
        for done, number in enumerate(first):
            self._try(number, _SHORT_SHARE)
            self._watch.reporter.learned((done + 1) / len(first) / 2)
        kept = self._better_half(first)
        second = self._second_round(kept, self._enter(self._pairs(kept)))
        for done, number in enumerate(second):
            self._try(number, 1.0)
            self._watch.reporter.learned(0.5 + (done + 1) / len(second) / 2)
        for number in set(first) - set(kept):
            self._drop(number)
        winner, verdicts = decide(self._entries, self._scores)
        entries = [
            entry.model_copy(update={"verdict": verdict})
            for entry, verdict in zip(self._entries, verdicts, strict=True)
        ]
        return self._finish(winner, entries)

    def _enter(self, candidates: Sequence[Candidate]) -> list[int]:
        numbers = []
        for candidate in candidates:
            numbers.append(len(self._candidates))
            self._candidates.append(candidate)
            self._scores.append(None)
            self._entries.append(self._entry(candidate))
        return numbers

    def _entry(self, candidate: Candidate) -> RaceEntry:
        names = tuple(self._manifests[number].name for number in candidate.subnets)
        light = candidate.architecture == "light_stride8"
        cells = self._spec.input_width_px * self._spec.input_height_px / (MACS_AT_PX[0] * MACS_AT_PX[1])
        return RaceEntry(
            name=" + ".join(names) + (" (light)" if light else ""),
            subnets=names,
            architecture=candidate.architecture,
            macs=round(sum(self._manifests[number].macs for number in candidate.subnets) * cells),
            ms=round(sum(self._ms[number] for number in candidate.subnets), 1),
            verdict="not raced: no time was left",
        )

    def _measured_ms(self, manifest: SubnetManifest) -> float:
        """Return how long one look takes on this machine, on one thread: the shortest of a few."""
        pixels = np.full((1, self._spec.input_height_px, self._spec.input_width_px, 3), 127, np.uint8)
        extractor, clock = shared_extractor(manifest), self._watch.clock
        times = []
        for _ in range(_TIMED_LOOKS):
            start_s = clock.monotonic_s()
            extractor.features(pixels)
            times.append(clock.monotonic_s() - start_s)
        return min(times) * 1000

    def _left_s(self) -> float:
        spent_s = self._watch.clock.monotonic_s() - self._start_s
        return self._config.budget_s - spent_s

    def _try(self, number: int, share: float) -> None:
        """Run one candidate on frames it does not learn from, if there is time for it and for the winner."""
        self._watch.refuse_if_cancelled()
        begin_s = self._watch.clock.monotonic_s()
        # The first always runs, or there would be no detector.
        if number and self._left_s() < 2 * self._longest_s:
            return
        candidate = self._candidates[number]
        runs = self._runs(candidate, share, checks=True)
        lessons = self._learn(candidate, runs)
        spec = self._spec_for(candidate)
        answered = answers_of(spec, runs, lessons, self._samples, levels_of(candidate.subnets))
        if not answered:
            return
        scores = score(answered, self._classes)
        self._scores[number] = scores
        self._checked[number] = _Checked(lessons, measure(answered, self._classes))
        self._longest_s = max(self._longest_s, self._watch.clock.monotonic_s() - begin_s)
        self._entries[number] = self._told(number, scores)

    def _told(self, number: int, scores: Scores) -> RaceEntry:
        checked = self._checked[number]
        gates = next((own[-1].gates for own in checked.lessons if own), ())
        names = self._entries[number].subnets
        return self._entries[number].model_copy(
            update={
                "rounds": self._entries[number].rounds + 1,
                "ap50": round(checked.quality.ap50, 4),
                "ap": round(checked.quality.ap, 4),
                "score": round(scores.score, 4),
                "spread": round(scores.spread, 4),
                "gates": {
                    name: gates[i * LEVELS : (i + 1) * LEVELS] for i, name in enumerate(names) if gates
                },
            }
        )

    def _better_half(self, numbers: Sequence[int]) -> list[int]:
        ran = [number for number in numbers if self._scores[number] is not None]
        ran.sort(key=lambda number: -(self._entries[number].score or 0.0))
        return sorted(ran[: max(2, (len(ran) + 1) // 2)])

    def _best_full(self, numbers: Sequence[int]) -> int | None:
        full = [n for n in numbers if self._candidates[n].architecture == "anchor_free_stride8"]
        return max(full, key=lambda n: self._entries[n].score or 0.0, default=None)

    def _pairs(self, kept: Sequence[int]) -> list[Candidate]:
        """Return the best full form together with each other subnet, those that did better alone first."""
        best = self._best_full(kept)
        if best is None:
            return []
        first = self._candidates[best].subnets[0]
        # Singles were entered in the order of the subnets, so a subnet's number is its entry's.
        others = sorted(
            (number for number in range(len(self._manifests)) if number != first),
            key=lambda number: -(self._entries[number].score or 0.0),
        )
        return [Candidate((first, other)) for other in others]

    def _second_round(self, kept: Sequence[int], pairs: Sequence[int]) -> list[int]:
        """Return in which order full trainings run: if time ends, a pair was compared with the best alone."""
        best = self._best_full(kept)
        leaders = [number for number in kept if number == best]
        return [*leaders, *pairs[:1], *(number for number in kept if number != best), *pairs[1:]]

    def _drop(self, number: int) -> None:
        if self._scores[number] is not None:
            self._scores[number] = None
            self._entries[number] = self._entries[number].model_copy(
                update={"verdict": "dropped after the short round"}
            )

    def _spec_for(self, candidate: Candidate) -> DetectorSpec:
        uses = tuple(SubnetUse(ref=self._manifests[number].ref) for number in candidate.subnets)
        return self._spec.model_copy(update={"subnets": uses, "architecture": candidate.architecture})

    def _runs(self, candidate: Candidate, share: float, *, checks: bool) -> list[Run]:
        """Return the runs that check a candidate, or the one that makes the detector."""
        config = replace(self._config, fold_steps_share=1.0)
        if len(candidate.subnets) > 1:
            config = replace(config, subnets=tuple(self._manifests[n].name for n in candidate.subnets))
        if candidate.architecture == "light_stride8":
            share *= STEPS_SHARE
            config = replace(config, learning_rate=PEAK_RATE)
        runs = plan_runs(self._frames, self._pool.frame_of.tolist(), config)
        chosen = runs[1:] or runs if checks else runs[:1]
        return [
            replace(run, plan=replace(run.plan, steps=max(1, round(run.plan.steps * share))))
            for run in chosen
        ]

    def _learn(self, candidate: Candidate, runs: Sequence[Run]) -> list[Lessons | None]:
        # Every run is needed, so none is hurried; whether there is time was asked before.
        pace = Pace(self._watch.clock, max(1.0, 10 * self._config.budget_s))
        return carry_out(
            runs,
            self._pool_of(candidate),
            len(self._classes),
            self._config.threads,
            pace,
            lambda _: None,
            self._watch.cancelled,
            learner=self._learner(candidate),
        )

    def _learner(self, candidate: Candidate) -> Learner:
        if candidate.architecture == "anchor_free_stride8":
            return learn
        neck = light_neck(self._manifests[candidate.subnets[0]])

        def learn_heads(
            pool: WindowPool,
            frames: Sequence[int],
            classes: int,
            plan: LearnPlan,
            keep_going: Callable[[float], float],
        ) -> Lessons:
            heads = learn_light(pool, frames, classes, plan, keep_going)
            return [Lesson(LightNetwork(neck, head).eval()) for head in heads]

        return learn_heads

    def _pool_of(self, candidate: Candidate) -> WindowPool:
        if candidate.architecture == "light_stride8":
            return self._light[candidate.subnets[0]]
        return self._pool.of_subnets(candidate.subnets)

    def _finish(self, winner: int, entries: Sequence[RaceEntry]) -> RaceResult:
        """Teach the winner from all frames, unless it was: with many frames some are held out for good."""
        candidate, checked = self._candidates[winner], self._checked[winner]
        few = len(self._frames) < FEW_FRAMES
        runs = self._runs(candidate, 1.0, checks=False)
        lessons = self._learn(candidate, runs) if few or entries[winner].rounds == 1 else checked.lessons
        if lessons[0] is None:
            message = "the race ended without a detector; give it more time"
            raise TrainingError(message)
        self._watch.reporter.checking()
        how = "cross_validation" if few else "held_out"
        quality = checked.quality.model_copy(update={"how": how})
        spec = spec_of(self._spec_for(candidate), Chosen(lessons[0][-1], quality))
        seconds = self._watch.clock.monotonic_s() - self._start_s
        logger.info("%s won the race of %d in %.1f s", entries[winner].name, len(entries), seconds)
        report = RaceReport(
            chosen=entries[winner].name,
            how=how,
            frames=len(self._frames),
            seconds=round(seconds, 2),
            entries=tuple(sorted(entries, key=lambda entry: entry.macs)),
        )
        detector = FullDetector(spec, lessons[0][-1].head, tuple(self._frames))
        views = sum(one.views for one in self._samples)
        return RaceResult(TrainResult(detector, quality, seconds, views, runs[0].plan.steps), report)


def _with_levels(sample: FrameSamples, levels: Sequence[int]) -> FrameSamples:
    """Return a frame with some of its levels only."""
    return replace(
        sample,
        windows=tuple(
            replace(window, levels=tuple(window.levels[i] for i in levels)) for window in sample.windows
        ),
        plain_levels=tuple(sample.plain_levels[i] for i in levels),
    )
