"""Many really taught detectors: three tasks, different seeds, one subnet, one input size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.creating.lessons import Lessons
from cloud.datasets.frames import LabelledBox, LabelledFrame
from cloud.datasets.pictures import read_pictures
from cloud.detector.full import FullDetector, decode_detections, run_head
from cloud.detector.light import LightNetwork, light_neck
from cloud.detector.spec import DetectorSpec, SubnetUse
from cloud.subnets.features import shared_extractor
from cloud.subnets.manifest import SubnetManifest
from cloud.training.cache import Half
from cloud.training.evaluate import SCORE_FLOOR, AnsweredFrame, measure
from cloud.training.learn import LearnPlan, learn
from cloud.training.light import PEAK_RATE, learn_light, pool_light
from cloud.training.pool import pool_windows
from cloud.training.samples import FrameSamples, SamplePlan, frame_samples
from cloud.training.threshold import DEFAULT_THRESHOLD
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.labels import slugify
from edge_agent.wire.manifest import LabelSpec

SIZE_PX = (512, 384)
FULL_STEPS, LIGHT_STEPS = 120, 240
QUICK_STEPS = 60
"""Of the detectors that only their cost is asked of."""

_VIEWS = 4
_BATCH = 16
_FULL_RATE = 4e-3
_NEAR_SIDE = 0.12
"""Persons taller than this share of the picture count as near."""


@dataclass(frozen=True)
class Task:
    """What to teach, looked at already; `check` are frames that are not learned from."""

    name: str
    classes: tuple[str, ...]
    samples: tuple[FrameSamples, ...]
    check: tuple[FrameSamples, ...]


class KeptInMemory:
    """A feature cache: two tasks on the same frames look once."""

    def __init__(self) -> None:
        self._levels: dict[str, tuple[Half, ...]] = {}

    def get(self, key: str, /) -> tuple[Half, ...] | None:
        """Return the levels kept under `key`, or none."""
        return self._levels.get(key)

    def put(self, key: str, levels: Sequence[Half], /) -> None:
        """Keep the levels."""
        self._levels[key] = tuple(levels)


def near_and_far(frame: LabelledFrame) -> LabelledFrame:
    """Return the frame with its boxes named by how tall they are: a task of two classes."""
    boxes = [
        LabelledBox(
            "near" if box.box_xyxy_norm[3] - box.box_xyxy_norm[1] > _NEAR_SIDE else "far", box.box_xyxy_norm
        )
        for box in frame.boxes
    ]
    return replace(frame, boxes=tuple(boxes))


def look_at_tasks(persons: Lessons, product: Lessons, subnet: SubnetManifest) -> list[Task]:
    """Return the three tasks; each learns from ten frames and is checked on ten others."""
    cache = KeptInMemory()
    tasks = []
    for name, lessons, classes in (
        ("persons", persons, ("person",)),
        ("near and far", persons, ("near", "far")),
        ("box", product, tuple(product.classes)),
    ):
        teach, check = lessons.sets[0], lessons.sets[1] if len(lessons.sets) > 1 else lessons.test
        if len(classes) == 2:
            teach, check = (tuple(near_and_far(frame) for frame in some) for some in (teach, check))
        tasks.append(_task(name, classes, teach, check, subnet, cache))
    return tasks


def look_at_persons(persons: Lessons, subnet: SubnetManifest) -> Task:
    """Return the first of the tasks alone, with nothing to check it on: enough where only the cost counts."""
    return _task("persons", ("person",), persons.sets[0], (), subnet, KeptInMemory())


def _task(
    name: str,
    classes: tuple[str, ...],
    teach: Sequence[LabelledFrame],
    check: Sequence[LabelledFrame],
    subnet: SubnetManifest,
    cache: KeptInMemory,
) -> Task:
    plan = SamplePlan(SIZE_PX, classes, _VIEWS, 1, 4, 0)
    return Task(
        name,
        classes,
        _look(teach, plan, subnet, cache),
        _look(check, replace(plan, views=0), subnet, cache),
    )


def _look(
    frames: Sequence[LabelledFrame], plan: SamplePlan, subnet: SubnetManifest, cache: KeptInMemory
) -> tuple[FrameSamples, ...]:
    by_source = {frame.source: frame for frame in frames}
    extractors = [shared_extractor(subnet)]
    return tuple(
        frame_samples(by_source[source], rgb, plan, extractors, cache, lambda _: False)
        for source, rgb in read_pictures(by_source)
    )


def teach_many(tasks: Sequence[Task], subnet: SubnetManifest, count: int) -> list[FullDetector]:
    """Return `count` light detectors, the tasks in turn, each with its own seed and choice of frames."""
    pools = {task.name: pool_light(task.samples, light_neck(subnet)) for task in tasks}
    detectors = []
    for number in range(count):
        task = tasks[number % len(tasks)]
        # All but one of the frames, another one each time.
        frames = [frame for frame in range(len(task.samples)) if frame != number % len(task.samples)]
        plan = LearnPlan(QUICK_STEPS, _BATCH, PEAK_RATE, number)
        head = learn_light(pools[task.name], frames, len(task.classes), plan, _steadily)[-1]
        network = LightNetwork(light_neck(subnet), head)
        detectors.append(FullDetector(spec_of(task, subnet, number), network))
    return detectors


def teach_full(task: Task, subnet: SubnetManifest, seed: int) -> FullDetector:
    """Return a full detector of the task."""
    plan = LearnPlan(FULL_STEPS, _BATCH, _FULL_RATE, seed)
    pool = pool_windows(task.samples)
    lesson = learn(pool, range(len(task.samples)), len(task.classes), plan, _steadily)[-1]
    return FullDetector(spec_of(task, subnet, seed), lesson.head)


def teach_light(task: Task, subnet: SubnetManifest, seed: int) -> FullDetector:
    """Return a light detector of the task."""
    plan = LearnPlan(LIGHT_STEPS, _BATCH, PEAK_RATE, seed)
    pool = pool_light(task.samples, light_neck(subnet))
    head = learn_light(pool, range(len(task.samples)), len(task.classes), plan, _steadily)[-1]
    return FullDetector(spec_of(task, subnet, seed), LightNetwork(light_neck(subnet), head))


def spec_of(task: Task, subnet: SubnetManifest, number: int) -> DetectorSpec:
    """Return the spec of one detector of a task."""
    labels = tuple(
        LabelSpec(name=name, slug=slugify(name), threshold=DEFAULT_THRESHOLD) for name in task.classes
    )
    return DetectorSpec(
        detector=DetectorRef(id=f"d{number}", name=f"{task.name} {number}", version=1),
        labels=labels,
        input_width_px=SIZE_PX[0],
        input_height_px=SIZE_PX[1],
        subnets=(SubnetUse(ref=subnet.ref),),
    )


def check_ap50(task: Task, detector: FullDetector) -> float:
    """Return AP50 on the task's check frames."""
    answered = []
    for one in task.check:
        scores, boxes = run_head(
            detector.taught_head, tuple(level.astype("float32") for level in one.plain_levels)
        )
        found = decode_detections(detector.spec, scores, boxes, one.plain.boxes_norm, SCORE_FLOOR)
        answered.append(AnsweredFrame(one.frame, tuple(found)))
    return measure(answered, task.classes).ap50


def _steadily(progress: float) -> float:
    return progress
