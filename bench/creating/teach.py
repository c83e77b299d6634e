"""Teaching with a stop watch, in this process and in a fresh one."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.creating.lessons import Lessons, read_lessons
from cloud.datasets.frames import LabelledFrame
from cloud.datasets.pictures import read_picture
from cloud.detector.full import FullDetector
from cloud.training.config import Progress, TrainConfig
from cloud.training.evaluate import evaluate
from cloud.training.fit import fit
from cloud.training.session import TeachingSession
from edge_agent.clock import SystemClock


@dataclass(frozen=True)
class Lesson:
    """One training: wall and processor seconds from the click to the threshold, and how good it became."""

    seconds: float
    cpu_s: float
    ap50: float
    ap: float
    blind_ap50: float | None = None


def silent(_: Progress) -> None:
    """Say nothing."""


def never() -> bool:
    """Go on."""
    return False


def teach(
    frames: Sequence[LabelledFrame], classes: Sequence[str], config: TrainConfig
) -> tuple[FullDetector, float, float]:
    """Teach with an empty cache; return the detector, wall seconds and processor seconds."""
    start_s, start_cpu_s = SystemClock().monotonic_s(), time.process_time()
    taught = fit(frames, classes, config, silent, never)
    return taught.detector, SystemClock().monotonic_s() - start_s, time.process_time() - start_cpu_s


def lesson(
    lessons: Lessons, number: int, config: TrainConfig, *, blind: bool = False
) -> tuple[FullDetector, Lesson]:
    """Teach from one set of frames and measure on the test frames, and on the blind ones if asked."""
    return lesson_from(lessons.sets[number], lessons, config, blind=blind)


def lesson_from(
    frames: Sequence[LabelledFrame], lessons: Lessons, config: TrainConfig, *, blind: bool = False
) -> tuple[FullDetector, Lesson]:
    """Teach from frames of a task and measure."""
    detector, seconds, cpu_s = teach(frames, lessons.classes, config)
    quality = evaluate(detector, lessons.test)
    unseen = evaluate(detector, lessons.blind).ap50 if blind and lessons.blind else None
    return detector, Lesson(seconds, cpu_s, quality.ap50, quality.ap, unseen)


def one_more(lessons: Lessons, number: int, config: TrainConfig) -> tuple[Lesson, Lesson]:
    """Teach all frames of a set but one, then that one more; return both lessons.

    The second is timed from the frame being there, decoded as a page shows it, to the updated detector.
    """
    frames = lessons.sets[number]
    late = frames[len(frames) // 2]
    session = TeachingSession(lessons.classes, config)
    clock = SystemClock()
    steps = []
    for group in ([frame for frame in frames if frame is not late], [late]):
        pictures = [read_picture(late.source) if frame is late else None for frame in group]
        start_s, start_cpu_s = clock.monotonic_s(), time.process_time()
        for frame, rgb in zip(group, pictures, strict=True):
            session.put_frame(frame, rgb)
        detector = session.update(silent, never).detector
        seconds, cpu_s = clock.monotonic_s() - start_s, time.process_time() - start_cpu_s
        quality = evaluate(detector, lessons.test)
        steps.append(Lesson(seconds, cpu_s, quality.ap50, quality.ap))
    return steps[0], steps[1]


def cold(name: str, number: int, seed: int) -> float:
    """Return the seconds that a fresh process needs, from its start to the threshold, imports included.

    Raises:
        RuntimeError: The process failed.
    """
    command = [sys.executable, "-m", "bench.creating.teach", name, str(number), str(seed)]
    start_s = SystemClock().monotonic_s()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        answer = child.stdout.readline() if child.stdout else ""
        seconds = SystemClock().monotonic_s() - start_s
    if child.returncode or not answer:
        message = f"a fresh process could not teach {name}: exit status {child.returncode}"
        raise RuntimeError(message)
    return seconds - float(json.loads(answer)["footage_s"])


def main() -> int:
    """Teach once; tell when the threshold is chosen, and how long getting at footage and labels took."""
    parser = argparse.ArgumentParser(prog="python -m bench.creating.teach", description=main.__doc__)
    parser.add_argument("task")
    parser.add_argument("number", type=int)
    parser.add_argument("seed", type=int)
    arguments = parser.parse_args()
    start_s = SystemClock().monotonic_s()
    lessons = read_lessons(arguments.task)
    footage_s = SystemClock().monotonic_s() - start_s
    teach(lessons.sets[arguments.number], lessons.classes, replace(TrainConfig(), seed=arguments.seed))
    print(json.dumps({"footage_s": footage_s}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
