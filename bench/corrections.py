"""`corrections`: a simulated user corrects ten frames a round; what is proposed against what chance gives.

Both begin with the same few labelled frames, have the same user, who knows the boxes of a hundred frames, and
teach with the same recipe and seeds. The user does to a frame what people do: draws what was missed, removes
what is not there, and leaves what is right as the detector placed it. They are measured on frames of a later
part of the clip, which neither sees nor chooses from.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import numpy as np

from bench.result import Metric, Result, spread
from cloud.active.candidates import TEST_GAP_S, Candidate
from cloud.active.oracle import Answer, Round, play
from cloud.active.propose import ProposePlan, propose
from cloud.datasets.coco import labelled_frames, parse_coco
from cloud.datasets.frames import LabelledBox, LabelledFrame
from cloud.datasets.pictures import read_picture
from cloud.demo.person import find_mistakes
from cloud.detector.full import FullDetector
from cloud.samples.catalog import find_sample_task
from cloud.samples.footage import SystemCommandRunner, obtain_clip
from cloud.training.config import TrainConfig
from cloud.training.evaluate import evaluate
from cloud.training.fit import fit

POOL_LABELS = Path(__file__).with_name("corrections_pool.coco.json")
START_FRAMES = 4
ROUNDS = 3
FRAMES_PER_ROUND = 10
SEEDS = (0, 1, 2, 3, 4)

_TASK = find_sample_task("persons")
_FPS = 10.0
_QUICK_TEST_FROM_S = 42.0
_NO_HURRY_S = 300.0
_GAP_S = 0.5
"""The pool has a frame each 0.6 s: a wider gap would leave too few to choose from in three rounds."""

Choose = Callable[[FullDetector, Sequence[LabelledFrame], Sequence[LabelledFrame], int], Sequence[int]]


def run(*, quick: bool = False) -> Result:
    """Play all seeds; `quick` is one seed and one round, measured on frames that are not the blind ones."""
    clip = obtain_clip(
        _TASK, cache_dir=Path.home() / ".cache" / "elfowl", runner=SystemCommandRunner(), report=_tell
    )
    pool, test = pool_and_test(clip, quick=quick)
    seeds, rounds = (SEEDS[:1], 1) if quick else (SEEDS, ROUNDS)
    with TemporaryDirectory() as cache:
        games = [_play_both(pool, test, seed, rounds, Path(cache)) for seed in seeds]
    proposed, chance = [game[0] for game in games], [game[1] for game in games]
    return Result(
        name="corrections",
        baseline=f"{FRAMES_PER_ROUND} frames a round by chance",
        metrics={
            "proposed_ap50": _by_round(proposed),
            "random_ap50": _by_round(chance),
            "proposed_minus_random": _gains(proposed, chance),
            "corrections_by_round": {"proposed": _corrections(proposed), "random": _corrections(chance)},
            "rounds_after_the_first_label_mean": {
                "proposed": mean(_after(proposed)),
                "random": mean(_after(chance)),
            },
            "pool_frames": len(pool),
            "test_frames": len(test),
        },
        notes=(
            f"{len(seeds)} seeds: each draws other {START_FRAMES} frames to begin with",
            "one clip, one class: nothing here shows that it carries over",
        ),
    )


def pool_and_test(clip: Path, *, quick: bool) -> tuple[list[LabelledFrame], list[LabelledFrame]]:
    """Return what the simulated user knows and what is measured on, more than a second later.

    Args:
        clip: The clip of the task.
        quick: Measure on late frames of the pool, and leave the blind test frames alone.
    """
    pool, test = read_pool(clip), _read(_TASK.test_labels.read_bytes(), "test labels", clip)
    if quick:
        test = [frame for frame in pool if _seconds(frame) > _QUICK_TEST_FROM_S]
    first_s = min(_seconds(frame) for frame in test)
    return [frame for frame in pool if _seconds(frame) < first_s - TEST_GAP_S], test


def read_pool(clip: Path) -> list[LabelledFrame]:
    """Return the frames whose boxes the simulated user knows, by time; those checked by hand go first."""
    by_hand = _read(_TASK.train_labels.read_bytes(), "training labels", clip)
    known = {frame.source for frame in by_hand}
    more = [frame for frame in _read(POOL_LABELS.read_bytes(), "pool", clip) if frame.source not in known]
    return sorted([*by_hand, *more], key=_seconds)


def _play_both(
    pool: Sequence[LabelledFrame], test: Sequence[LabelledFrame], seed: int, rounds: int, cache: Path
) -> tuple[list[Round], list[Round]]:
    random = np.random.default_rng([seed, 1])
    start = [
        pool[number] for number in np.random.default_rng([seed, 0]).permutation(len(pool))[:START_FRAMES]
    ]

    config = TrainConfig(seed=seed, budget_s=_NO_HURRY_S, cache_dir=cache)
    first: list[FullDetector] = []

    def teach(frames: Sequence[LabelledFrame]) -> FullDetector:
        if len(frames) == len(start) and first:
            return first[0]
        taught = fit(frames, list(_TASK.classes), config, lambda _: None, lambda: False).detector
        first.append(taught)
        return taught

    def measure(detector: FullDetector) -> float:
        return evaluate(detector, test).ap50

    def by_chance(_: object, __: object, left: Sequence[LabelledFrame], count: int) -> list[int]:
        return [int(number) for number in random.permutation(len(left))[:count]]

    def game(choose: Choose) -> list[Round]:
        told = play(
            start,
            pool,
            rounds,
            FRAMES_PER_ROUND,
            teach=teach,
            measure=measure,
            choose=choose,
            answer=answer,
        )
        _tell(
            f"seed {seed}: "
            + ", ".join(
                f"{one.frames} frames {one.quality:.3f} ({one.corrections} corrections)" for one in told
            )
        )
        return told

    return game(by_proposal), game(by_chance)


def answer(detector: FullDetector, frame: LabelledFrame) -> Answer:
    """Put right what a detector gets wrong in a frame; what is right stays as it is, so all is known."""
    seen = detector.detect(read_picture(frame.source))
    mistakes = find_mistakes(0, [box.box_xyxy_norm for box in frame.boxes], seen)
    right = [one for one in seen if one not in mistakes.wrong]
    boxes = [*(one.box for one in right), *mistakes.missed]
    lesson = replace(frame, boxes=tuple(LabelledBox(_TASK.classes[0], box) for box in boxes))
    return lesson, mistakes.count


def by_proposal(
    detector: FullDetector, shown: Sequence[LabelledFrame], left: Sequence[LabelledFrame], count: int
) -> list[int]:
    """Choose what is proposed; filled up in order where the pool is too dense for so many."""
    plan = ProposePlan(count, gap_s=_GAP_S, labelled=tuple(map(_candidate, shown)))
    numbers = {frame.source: number for number, frame in enumerate(left)}
    proposals = propose(detector, [_candidate(frame) for frame in left], plan)
    chosen = [numbers[one.frame.source] for one in proposals]
    return [*chosen, *(number for number in range(len(left)) if number not in chosen)][:count]


def _by_round(games: Sequence[Sequence[Round]]) -> dict[str, Metric]:
    return {
        f"{games[0][number].frames}_frames": spread([game[number].quality for game in games])
        for number in range(len(games[0]))
    }


def _gains(games: Sequence[Sequence[Round]], others: Sequence[Sequence[Round]]) -> dict[str, Metric]:
    """Return by round the mean gain over chance; round 0 is the same detector."""
    return {
        f"{games[0][number].frames}_frames": mean(
            game[number].quality - other[number].quality for game, other in zip(games, others, strict=True)
        )
        for number in range(1, len(games[0]))
    }


def _corrections(games: Sequence[Sequence[Round]]) -> list[Metric]:
    """Return how many things were put right in each round, on average."""
    return [mean(float(game[number].corrections) for game in games) for number in range(1, len(games[0]))]


def _after(games: Sequence[Sequence[Round]]) -> list[float]:
    return [one.quality for game in games for one in game[1:]]


def _seconds(frame: LabelledFrame) -> float:
    return (frame.source.frame_index or 0) / _FPS


def _candidate(frame: LabelledFrame) -> Candidate:
    return Candidate(frame.source, _TASK.clip_sha256, _seconds(frame))


def _read(data: bytes, name: str, clip: Path) -> list[LabelledFrame]:
    return labelled_frames(parse_coco(data, name), lambda _: clip)


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")  # stdout is the result's
