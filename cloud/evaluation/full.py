"""Everything that can be said about one version on labelled frames, as one report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cloud.datasets.frames import LabelledFrame
from cloud.evaluation.alarms import Alarms, watch
from cloud.evaluation.answers import Answers, answer_frames, whole_frames
from cloud.evaluation.bootstrap import draw, estimated, mean_precision, stretches
from cloud.evaluation.coco import SIZES, CocoTable, Precision, as_coco, coco_table, overall
from cloud.evaluation.compare import alarm_finding, figure, missed_findings, thresholds_of
from cloud.evaluation.curves import (
    CALIBRATION_FLOOR,
    Working,
    expected_calibration_error,
    joined,
    matches_of,
    precision_recall,
    reliability,
    working_at,
)
from cloud.evaluation.findings import confusion, look
from cloud.evaluation.gallery import with_pictures
from cloud.evaluation.report import (
    AlarmCount,
    Calibration,
    CalibrationBin,
    ClassReport,
    ConditionFigures,
    ConfusionTable,
    EvaluationReport,
    Finding,
    SizeFigures,
    Source,
    WorkingPoint,
)
from cloud.evaluation.robustness import CONDITIONS
from cloud.evaluation.times import seconds_of
from cloud.training.evaluate import AnsweredFrame
from cloud.training.threshold import recommend_threshold
from edge_agent.clock import Clock

GALLERY = 24


@dataclass(frozen=True)
class Scope:
    """What to look at beside the frames as they are.

    Attributes:
        robustness: Whether to look at changed pictures too: nine times the work.
        footage: Videos that show nothing of what the detector was taught, for false alarms.
        pictures: How many mistakes are shown.
        seed: Of the changes and the bootstrap.
    """

    robustness: bool = True
    footage: tuple[Path, ...] = ()
    pictures: int = GALLERY
    seed: int = 0


def evaluate_fully(
    detector: Answers,
    frames: Sequence[LabelledFrame],
    scope: Scope,
    *,
    source: Source,
    clock: Clock,
    warnings: Sequence[str] = (),
) -> EvaluationReport:
    """Measure a version on frames that it has not learned from.

    Args:
        detector: What to measure.
        frames: Labelled frames; those that were looked at in part are left out.
        scope: What else to look at.
        source: Where the frames come from.
        clock: For the date and the duration.
        warnings: What should be known about the frames.

    Raises:
        InputError: No frame is left, or a picture or the footage cannot be read.
    """
    start_s = clock.monotonic_s()
    whole = whole_frames(frames)
    seconds = seconds_of(whole)
    classes = [label.name for label in detector.labels]
    changes = [partial(each.change, seed=scope.seed) for each in CONDITIONS] if scope.robustness else []
    ((answered, *changed),) = answer_frames((detector,), whole, [lambda frame, rgb: (frame, rgb), *changes])
    uncertain = estimated(draw(answered, classes, seconds, seed=scope.seed))
    table = coco_table(*as_coco(answered, classes))
    found = _mistakes(detector, answered, classes)
    return EvaluationReport(
        detector=detector.ref,
        created=clock.now_s(),
        source=source,
        images=len(whole),
        objects=sum(box.label in classes for frame in whole for box in frame.boxes),
        stretches=len(set(stretches(answered, seconds).tolist())),
        picture_sizes=tuple(sorted({f"{frame.width_px}x{frame.height_px}" for frame in whole})),
        ap50=figure(uncertain.ap50),
        ap=figure(uncertain.ap),
        sizes={size: _size(overall(table, size)) for size in SIZES},
        per_class=_classes(detector, answered, table),
        confusion=_confusion(detector, answered, classes),
        calibration=_calibration(answered, classes),
        alarms=tuple(
            _alarm(watch(detector, path, thresholds_of(detector, classes))) for path in scope.footage
        ),
        robustness=_robustness(changed, classes, uncertain.ap50.value),
        mistakes=with_pictures(found, whole, scope.pictures)[: scope.pictures],
        mistake_counts={kind: sum(one.kind == kind for one in found) for kind in ("missed", "false alarm")},
        warnings=tuple(warnings),
        seconds=clock.monotonic_s() - start_s,
    )


def _size(precision: Precision) -> SizeFigures:
    return SizeFigures(ap50=precision.ap50, ap=precision.ap, truth=precision.truth)


def _point(working: Working) -> WorkingPoint:
    return WorkingPoint(**asdict(working))


def _classes(
    detector: Answers, answered: Sequence[AnsweredFrame], table: CocoTable
) -> dict[str, ClassReport]:
    reports = {}
    for label in detector.labels:
        matches = matches_of(answered, label.name)
        sizes = {size: _size(precision) for size, precision in table[label.name].items()}
        reports[label.name] = ClassReport(
            ap50=sizes["all"].ap50,
            ap=sizes["all"].ap,
            truth=sizes["all"].truth,
            sizes=sizes,
            in_use=_point(working_at(matches, label.threshold)),
            best=_point(working_at(matches, recommend_threshold(matches))),
            curve=tuple(_point(one) for one in precision_recall(matches)),
        )
    return reports


def _confusion(
    detector: Answers, answered: Sequence[AnsweredFrame], classes: Sequence[str]
) -> ConfusionTable:
    counts = confusion(answered, thresholds_of(detector, classes))
    return ConfusionTable(classes=tuple(classes), counts=tuple(tuple(row) for row in counts.tolist()))


def _calibration(answered: Sequence[AnsweredFrame], classes: Sequence[str]) -> Calibration:
    bins = reliability(joined([matches_of(answered, name) for name in classes]))
    return Calibration(
        floor=CALIBRATION_FLOOR,
        error=expected_calibration_error(bins),
        bins=tuple(CalibrationBin(**asdict(one)) for one in bins),
    )


def _alarm(alarms: Alarms) -> AlarmCount:
    return AlarmCount(**asdict(alarms), per_hour=alarms.per_hour)


def _robustness(
    changed: Sequence[Sequence[AnsweredFrame]], classes: Sequence[str], ap50: float
) -> tuple[ConditionFigures, ...]:
    return tuple(
        ConditionFigures(name=each.name, words=each.words, ap50=now, drop=ap50 - now)
        for each, now in zip(CONDITIONS, (_ap50(part, classes) for part in changed), strict=False)
    )


def _ap50(answered: Sequence[AnsweredFrame], classes: Sequence[str]) -> float:
    return float(np.nan_to_num(mean_precision(answered, classes, np.ones((1, len(answered))))[0][0]))


def _mistakes(detector: Answers, answered: Sequence[AnsweredFrame], classes: Sequence[str]) -> list[Finding]:
    """Return all mistakes: the surest false alarms and the missed objects in turn, as both tell something."""
    looked = [look(one, thresholds_of(detector, classes)) for one in answered]
    alarms = [alarm_finding(one, alarm) for one in looked for alarm in one.false_alarms]
    alarms.sort(key=lambda one: -(one.score or 0.0))
    missed = [finding for one in looked for finding in missed_findings(one)]
    turns = max(len(alarms), len(missed))
    return [one for turn in range(turns) for one in (*missed[turn : turn + 1], *alarms[turn : turn + 1])]
