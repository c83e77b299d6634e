"""What an evaluation says, as documents: JSON with a version, from which the page is made."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cloud.evaluation.verdict import Verdict
from edge_agent.wire.base import Document, XyxyNorm
from edge_agent.wire.detection import DetectorRef

Source = Literal["test", "files"]
"""`test`: the detector's frozen test split. `files`: frames that were named for this evaluation."""


class Figure(Document):
    """A figure with its 95 % interval; no interval where there are too few separate stretches of time."""

    value: float
    low: float | None = None
    high: float | None = None


class SizeFigures(Document):
    """Objects of one size."""

    ap50: float | None
    ap: float | None
    truth: int = Field(ge=0)


class WorkingPoint(Document):
    """What is reported from one score on."""

    threshold: float
    precision: float
    recall: float
    f1: float


class ClassReport(Document):
    """One class; `in_use` is at the detector's own threshold, `best` where F1 is best on these frames."""

    ap50: float | None
    ap: float | None
    truth: int = Field(ge=0)
    sizes: dict[str, SizeFigures]
    in_use: WorkingPoint
    best: WorkingPoint
    curve: tuple[WorkingPoint, ...]


class ConfusionTable(Document):
    """Rows: what it was, last none of them. Columns: what the detector said, last nothing."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class CalibrationBin(Document):
    """Scores of one tenth."""

    low: float
    count: int
    mean_score: float
    right_share: float


class Calibration(Document):
    """Whether scores mean what they say, of detections from `floor` on."""

    floor: float
    error: float | None
    bins: tuple[CalibrationBin, ...]


class AlarmCount(Document):
    """False alarms on footage without objects; `episodes` are separate times."""

    footage: str
    seconds: float
    looked: int
    frames: int
    episodes: int
    per_hour: float


class ConditionFigures(Document):
    """AP50 under one condition, and how much less that is than on the pictures as they are."""

    name: str
    words: str
    ap50: float
    drop: float


class Finding(Document):
    """One mistake, or one that is gone; `picture` is a cut-out as a data URI."""

    kind: Literal["missed", "false alarm"]
    frame: str
    label: str
    box: XyxyNorm
    score: float | None = None
    picture: str | None = None


class EvaluationReport(Document):
    """How good one version is on one set of frames."""

    schema_version: Literal[1] = Field(1, alias="schema")
    detector: DetectorRef
    created: float
    source: Source
    images: int
    objects: int
    stretches: int
    picture_sizes: tuple[str, ...]
    ap50: Figure
    ap: Figure
    sizes: dict[str, SizeFigures]
    per_class: dict[str, ClassReport]
    confusion: ConfusionTable
    calibration: Calibration
    alarms: tuple[AlarmCount, ...] = ()
    robustness: tuple[ConditionFigures, ...] = ()
    mistakes: tuple[Finding, ...] = ()
    mistake_counts: dict[str, int] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0


class Side(Document):
    """One of two versions."""

    detector: DetectorRef
    ap50: Figure
    ap: Figure
    missed: int
    false_alarms: int


class ComparisonReport(Document):
    """Two versions on the same frames: what the new one fixes, what it breaks."""

    schema_version: Literal[1] = Field(1, alias="schema")
    created: float
    source: Source
    images: int
    objects: int
    stretches: int
    classes: tuple[str, ...]
    old: Side
    new: Side
    ap50: Figure
    ap: Figure
    verdict: Verdict
    words: str
    fixed: tuple[Finding, ...]
    broken: tuple[Finding, ...]
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
