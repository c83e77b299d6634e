"""The shapes of the plots on a report's page: numbers for SVG, no drawing library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cloud.evaluation.report import (
    Calibration,
    ClassReport,
    ConditionFigures,
    ConfusionTable,
    Figure,
    WorkingPoint,
)

SIDE: Final = 220
"""Width and height of a square plot; 0 is at the left bottom."""


@dataclass(frozen=True)
class Curve:
    """Precision over recall of one class: points for SVG, and where the detector works."""

    name: str
    points: str
    in_use: tuple[float, float]
    best: tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle, with what it says."""

    x: float
    y: float
    width: float
    height: float
    words: str


@dataclass(frozen=True)
class Cell:
    """One count of the confusion table: `shade` is its share of the row, 0..1."""

    count: int
    shade: float
    right: bool


@dataclass(frozen=True)
class Bar:
    """One row of a bar chart: shares of the whole width."""

    name: str
    words: str
    value: float
    share: float
    drop: float | None


def curve_of(name: str, report: ClassReport) -> Curve:
    """Return the curve of a class, as steps: precision never rises with recall, as COCO counts it."""
    best, steps = 0.0, []
    for point in reversed(report.curve):
        best = max(best, point.precision)
        steps.append((point.recall, best))
    steps.reverse()
    places = [(0.0, steps[0][1]), *steps, (steps[-1][0], 0.0)] if steps else []
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (_place(*place) for place in places))
    return Curve(name, points, _at(report.in_use), _at(report.best))


def calibration_boxes(calibration: Calibration) -> list[Box]:
    """Return a bar for each tenth of the scores, as high as the share that is right."""
    width = SIDE / 10
    return [
        Box(
            one.low * SIDE + 1,
            SIDE * (1 - one.right_share),
            width - 2,
            SIDE * one.right_share,
            f"scores {one.low:.1f} to {one.low + 0.1:.1f}: {one.count} detections, "
            f"mean score {one.mean_score:.2f}, right {one.right_share:.0%}",
        )
        for one in calibration.bins
    ]


def confusion_rows(table: ConfusionTable) -> list[tuple[str, list[Cell]]]:
    """Return the rows of the table with their shades; the last cell of the last row has no meaning."""
    names = [*table.classes, "nothing there"]
    rows = []
    for number, (name, counts) in enumerate(zip(names, table.counts, strict=True)):
        total = max(1, sum(counts))
        rows.append((name, [Cell(n, n / total, place == number) for place, n in enumerate(counts)]))
    return rows


def robustness_bars(ap50: Figure, conditions: Sequence[ConditionFigures]) -> list[Bar]:
    """Return bars of AP50, that of the pictures as they are first."""
    plain = Bar("as they are", "", ap50.value, ap50.value, None)
    return [plain, *(Bar(one.name, one.words, one.ap50, one.ap50, one.drop) for one in conditions)]


def _at(point: WorkingPoint) -> tuple[float, float]:
    return _place(point.recall, point.precision)


def _place(x: float, y: float) -> tuple[float, float]:
    return x * SIDE, (1 - y) * SIDE
