"""Two versions on the same frames: the difference, the verdict, what is fixed and what is broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cloud.datasets.frames import LabelledFrame
from cloud.errors import InputError
from cloud.evaluation.answers import Answers, answer_frames, whole_frames
from cloud.evaluation.bootstrap import (
    Drawn,
    Estimate,
    difference,
    draw,
    estimated,
    stretches,
)
from cloud.evaluation.findings import Looked, look
from cloud.evaluation.gallery import with_pictures
from cloud.evaluation.matching import iou_table
from cloud.evaluation.report import ComparisonReport, Figure, Finding, Side, Source
from cloud.evaluation.times import seconds_of
from cloud.evaluation.verdict import told, verdict_of
from cloud.training.evaluate import AnsweredFrame
from cloud.training.threshold import MATCH_IOU
from edge_agent.clock import Clock
from edge_agent.wire.detection import Detection

GALLERY = 24


@dataclass(frozen=True)
class Changes:
    """What a new version gets right that the old one did not, and the other way round."""

    fixed: tuple[Finding, ...]
    broken: tuple[Finding, ...]


def compare_versions(
    old: Answers,
    new: Answers,
    frames: Sequence[LabelledFrame],
    *,
    source: Source,
    clock: Clock,
    warnings: Sequence[str] = (),
    pictures: int = GALLERY,
) -> ComparisonReport:
    """Run two versions on the same frames and compare them.

    Args:
        old: The version in use.
        new: The one that might take its place.
        frames: Frames that neither has learned from; those that were looked at in part are left out.
        source: Where the frames come from.
        clock: For the date and the duration.
        warnings: What should be known about the frames.
        pictures: How many fixed and broken objects are shown, each.

    Raises:
        InputError: No frame is left, a picture cannot be read, or the versions share no class.
    """
    start_s = clock.monotonic_s()
    classes = _shared_classes(old, new)
    whole = whole_frames(frames)
    seconds = seconds_of(whole)
    (before,), (after,) = answer_frames((old, new), whole)
    drawn = [draw(answers, classes, seconds) for answers in (before, after)]
    grown = difference(*drawn)
    changes = changes_between(_looked(before, old, classes), _looked(after, new, classes))
    verdict = verdict_of(grown.ap50)
    return ComparisonReport(
        created=clock.now_s(),
        source=source,
        images=len(whole),
        objects=sum(box.label in classes for frame in whole for box in frame.boxes),
        stretches=len(set(stretches(before, seconds).tolist())),
        classes=tuple(classes),
        old=_side(old, before, classes, drawn[0]),
        new=_side(new, after, classes, drawn[1]),
        ap50=figure(grown.ap50),
        ap=figure(grown.ap),
        verdict=verdict,
        words=told(verdict, new.ref.version, old.ref.version, grown.ap50, len(whole)),
        fixed=with_pictures(changes.fixed, whole, pictures),
        broken=with_pictures(changes.broken, whole, pictures),
        warnings=(*warnings, *_class_warnings(old, new)),
        seconds=clock.monotonic_s() - start_s,
    )


def thresholds_of(detector: Answers, classes: Sequence[str]) -> dict[str, float]:
    """Return from which score on each class is reported."""
    return {label.name: label.threshold for label in detector.labels if label.name in classes}


def figure(estimate: Estimate) -> Figure:
    """Return an estimate as it is written down."""
    return Figure(value=estimate.value, low=estimate.low, high=estimate.high)


def changes_between(before: Sequence[Looked], after: Sequence[Looked]) -> Changes:
    """Return objects missed before and found now, false alarms that are gone, and the other way round."""
    fixed: list[Finding] = []
    broken: list[Finding] = []
    for old, new in zip(before, after, strict=True):
        fixed += _newly_found(old, new) + _gone(old, new)
        broken += _newly_found(new, old) + _gone(new, old)
    return Changes(tuple(fixed), tuple(broken))


def missed_findings(one: Looked) -> list[Finding]:
    """Return the objects of a frame that were missed."""
    return [
        Finding(kind="missed", frame=one.frame.source.name, label=box.label, box=box.box_xyxy_norm)
        for box in one.missed
    ]


def alarm_finding(one: Looked, alarm: Detection) -> Finding:
    """Return a false alarm of a frame."""
    return Finding(
        kind="false alarm", frame=one.frame.source.name, label=alarm.label, box=alarm.box, score=alarm.score
    )


def _newly_found(worse: Looked, better: Looked) -> list[Finding]:
    """Return the objects that one version missed and the other found, with the score of the find."""
    return [
        Finding(
            kind="missed",
            frame=worse.frame.source.name,
            label=box.label,
            box=box.box_xyxy_norm,
            score=found.score,
        )
        for box, nothing, found in zip(worse.frame.boxes, worse.found, better.found, strict=True)
        if nothing is None and found is not None
    ]


def _gone(worse: Looked, better: Looked) -> list[Finding]:
    """Return the false alarms of one version that the other does not give."""
    size = (worse.frame.width_px, worse.frame.height_px)

    def also_there(alarm: Detection) -> bool:
        others = [each.box for each in better.false_alarms if each.label == alarm.label]
        table = iou_table([alarm.box], others, size)
        return bool(table.size) and bool(table.max() >= MATCH_IOU)

    return [alarm_finding(worse, alarm) for alarm in worse.false_alarms if not also_there(alarm)]


def _looked(answered: Sequence[AnsweredFrame], detector: Answers, classes: Sequence[str]) -> list[Looked]:
    thresholds: Mapping[str, float] = thresholds_of(detector, classes)
    ordered = {name: thresholds[name] for name in classes}
    return [look(one, ordered) for one in answered]


def _side(
    detector: Answers,
    answered: Sequence[AnsweredFrame],
    classes: Sequence[str],
    drawn: Drawn,
) -> Side:
    measured = estimated(drawn)
    looked = _looked(answered, detector, classes)
    return Side(
        detector=detector.ref,
        ap50=figure(measured.ap50),
        ap=figure(measured.ap),
        missed=sum(len(one.missed) for one in looked),
        false_alarms=sum(len(one.false_alarms) for one in looked),
    )


def _shared_classes(old: Answers, new: Answers) -> list[str]:
    """Return the classes that both know.

    Raises:
        InputError: There is none.
    """
    known = {label.name for label in new.labels}
    shared = [label.name for label in old.labels if label.name in known]
    if not shared:
        message = (
            f"versions {old.ref.version} and {new.ref.version} know no class in common: nothing to compare"
        )
        raise InputError(message)
    return shared


def _class_warnings(old: Answers, new: Answers) -> list[str]:
    first, second = ({label.name for label in each.labels} for each in (old, new))
    told_of = [
        f"only version {new.ref.version} knows {name!r}: not compared" for name in sorted(second - first)
    ]
    return told_of + [
        f"only version {old.ref.version} knows {name!r}: not compared" for name in sorted(first - second)
    ]
