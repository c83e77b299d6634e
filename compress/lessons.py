"""What students learn from: views of the camera's pictures with the full detector's answers.

Pictures need no labels. The last of them, a run in time, are kept apart: on them students are compared with
the full detector and never taught.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from compress.accuracy import above, agreement_f1, average_precision, tuned_thresholds
from compress.errors import ExportError
from compress.pictures import LATEST_SHARE
from compress.protocol import Compressible, Rgb, TruthBox
from compress.teacher import Answer, AnswerStore, Asked, Regrid, answer_of, in_threads
from compress.views import Points, mosaic, plain, view_size
from edge_agent.wire.detection import Detection

Note = Callable[[int, int], None]
"""Told how many of how many views the full detector has answered; may raise to stop."""

_LEAST_HELD_OUT = 4
_SMALL_SHARE = 0.4
"""Objects of less than this share of the picture's height or width fit into quarters of it."""

_LESS_OVERLAP = 0.0, 0.05, 0.1
"""So far below the full detector's a student's `nms_iou` is tried."""

_ABOUT_AS_GOOD = 0.003
"""Of some two hundred boxes, one more or less changes as much."""


@dataclass(frozen=True)
class LessonPlan:
    """How much to look at: pictures of the camera, plain views and random ones made of them."""

    pictures: int = 240
    plain_views: int = 100
    random_views: int = 260
    held_out: int = 36
    seed: int = 0


@dataclass(frozen=True)
class Material:
    """Pictures with the full detector's answers.

    Attributes:
        detector: The full one.
        views: Pictures `(h, w, 3) uint8`, all of one size.
        answers: To each view, on the grids of the full detector's input.
        held_out: Pictures that are not learned from.
        seen: What the full detector sees in them, down to the lowest score.
    """

    detector: Compressible
    views: tuple[Rgb, ...]
    answers: tuple[Answer, ...]
    held_out: tuple[Rgb, ...]
    seen: tuple[tuple[Detection, ...], ...]


@dataclass(frozen=True)
class Lessons:
    """The same for one input size: pixels `(h, w, 3) uint8` of the network's size, answers on its grids."""

    pixels: tuple[Rgb, ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Likeness:
    """How near a student comes to the full detector on held-out pictures.

    `ap50` takes the full detector's boxes at its thresholds for the truth; none when it sees nothing there.
    """

    agreement_f1: float
    ap50: float | None


def gather(
    detector: Compressible, network: nn.Module, plan: LessonPlan, note: Note, store: AnswerStore | None = None
) -> Material:
    """Let the full detector look at the camera's pictures and at random views of them.

    Args:
        detector: The full one.
        network: Its network.
        plan: How much.
        note: Told how far it is.
        store: Where its answers are kept, for when this is killed.

    Raises:
        ExportError: The detector has no pictures.
    """
    pictures = list(detector.calibration_pictures(plan.pictures))
    if not pictures:
        message = f"detector {detector.ref.name} has no pictures to learn from: add some of its camera"
        raise ExportError(message)
    apart = min(plan.held_out, max(_LEAST_HELD_OUT, round(LATEST_SHARE * len(pictures))))
    apart = min(apart, len(pictures) // 2)
    taught, held_out = pictures[: len(pictures) - apart], pictures[len(pictures) - apart :]
    asked = Asked(detector, detector.input_size_px)
    random = np.random.default_rng(plan.seed)
    size_px = view_size(taught[0], detector.input_size_px)
    first = [plain(one, size_px) for one in _spread(taught, plan.plain_views)]
    total = len(first) + plan.random_views + len(held_out)
    answers, found = _ask(asked, network, first, lambda count: note(count, total), store)
    points = [_points(detector, one) for one in found]
    grid = 2 if _are_small(detector, found) else 1
    others = [
        mosaic(_draw(first, points, grid * grid, random), size_px, grid, random)
        for _ in range(plan.random_views)
    ]
    more, _ = _ask(asked, network, others, lambda count: note(len(first) + count, total), store)
    done = total - len(held_out)
    _, seen = _ask(asked, network, held_out, lambda count: note(done + count, total), store)
    return Material(detector, (*first, *others), (*answers, *more), tuple(held_out), tuple(seen))


def lessons_for(material: Material, input_size_px: tuple[int, int]) -> Lessons:
    """Return what a student of an input size (width, height) learns from."""
    asked = Asked(material.detector, input_size_px)
    height, width = material.views[0].shape[:2]
    strides = [level.stride_px for level in material.detector.decoder.levels]
    regrid = Regrid((width, height), material.detector.input_size_px, input_size_px, strides)
    return Lessons(tuple(asked.pixels(view) for view in material.views), tuple(map(regrid, material.answers)))


def likeness(material: Material, network: nn.Module, input_size_px: tuple[int, int]) -> Likeness:
    """Compare a network with the full detector on the held-out pictures."""
    _, seen = _ask(Asked(material.detector, input_size_px), network, material.held_out, lambda _: None)
    labels = material.detector.labels
    thresholds = {label.slug: label.threshold for label in labels}
    wanted = above(material.seen, thresholds)
    index_of = {label.slug: index for index, label in enumerate(labels)}
    truth = [[TruthBox(index_of[one.label], one.box) for one in picture] for picture in wanted]
    measured = average_precision(truth, seen, labels)
    return Likeness(agreement_f1(wanted, above(seen, thresholds)), None if measured is None else measured[0])


def overlap_of(material: Material, network: nn.Module, input_size_px: tuple[int, int]) -> float:
    """Return the `nms_iou` with which a student agrees best with the full detector on held-out pictures.

    A small network's boxes for one object lie farther apart, so that some of them are left over as a second
    one. Never above the full detector's; of about equally good ones the lowest, since that is what is to be
    expected. Where the full detector sees nothing, its own.
    """
    asked, own = Asked(material.detector, input_size_px), material.detector.nms_iou
    answers, _ = _ask(asked, network, material.held_out, lambda _: None)
    labels = material.detector.labels
    wanted = above(material.seen, {label.slug: label.threshold for label in labels})

    def agreement(nms_iou: float) -> float:
        pairs = zip(material.held_out, answers, strict=True)
        seen = [asked.detections(picture, answer, nms_iou) for picture, answer in pairs]
        return agreement_f1(wanted, above(seen, tuned_thresholds(material.seen, seen, labels)))

    if not any(wanted):
        return own
    found = {iou: agreement(iou) for iou in (round(own - less, 4) for less in _LESS_OVERLAP if less < own)}
    return min(iou for iou, agrees in found.items() if agrees >= max(found.values()) - _ABOUT_AS_GOOD)


def _ask(
    asked: Asked,
    network: nn.Module,
    pictures: Sequence[Rgb],
    note: Callable[[int], None],
    store: AnswerStore | None = None,
) -> tuple[list[Answer], list[tuple[Detection, ...]]]:
    """Return answers and detections, picture by picture."""
    answers: dict[int, Answer] = {}
    found: dict[int, tuple[Detection, ...]] = {}

    def look(number: int) -> None:
        pixels = asked.pixels(pictures[number])
        answer = store.get(pixels) if store else None
        if answer is None:
            answer = answer_of(asked.outputs(network, pixels))
            if store:
                store.put(pixels, answer)
        answers[number], found[number] = answer, asked.detections(pictures[number], answer)
        note(len(found))

    in_threads(len(pictures), look)
    return [answers[i] for i in range(len(pictures))], [found[i] for i in range(len(pictures))]


def _spread(pictures: Sequence[Rgb], count: int) -> list[Rgb]:
    count = min(count, len(pictures))
    return [pictures[position * len(pictures) // count] for position in range(count)]


def _points(detector: Compressible, found: Sequence[Detection]) -> Points:
    """Return the middles of what the full detector finds, or half believes that it finds."""
    threshold = {label.slug: label.threshold for label in detector.labels}
    boxes = [one.box for one in found if one.score >= threshold[one.label] / 2]
    return np.array([((x1 + x2) / 2, (y1 + y2) / 2) for x1, y1, x2, y2 in boxes], np.float64).reshape(-1, 2)


def _are_small(detector: Compressible, found: Sequence[Sequence[Detection]]) -> bool:
    """Tell whether most of what is found fits into quarters of the picture."""
    threshold = {label.slug: label.threshold for label in detector.labels}
    boxes = [one.box for picture in found for one in picture if one.score >= threshold[one.label]]
    sizes = sorted(max(x2 - x1, y2 - y1) for x1, y1, x2, y2 in boxes)
    return bool(sizes) and sizes[len(sizes) * 9 // 10] < _SMALL_SHARE


def _draw(
    pictures: Sequence[Rgb], points: Sequence[Points], count: int, random: np.random.Generator
) -> list[tuple[Rgb, Points]]:
    chosen = random.permutation(len(pictures))[:count].tolist()
    return [(pictures[number], points[number]) for number in chosen]
