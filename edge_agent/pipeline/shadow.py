"""A candidate beside the detector that runs: the same pictures, the same rules, only the detector differs.

The candidate has time for some of the pictures only. So that the comparison is fair, what the running
detector saw in these very pictures goes through a pipeline of its own as well; nobody is told of the events
of either.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edge_agent.camera.frame import Frame
from edge_agent.pipeline.camera_pipeline import CameraPipeline
from edge_agent.pipeline.detector import Detector, LabelRule
from edge_agent.pipeline.events import CameraIdentity
from edge_agent.pipeline.gate import GateSettings
from edge_agent.pipeline.result import PipelineSettings
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection
from edge_agent.wire.event import Event
from edge_agent.wire.rules import CameraRules

_SLACK_S = 3.0
_ALERTS_OPEN = 200
_TIMES_KEPT = 20


@dataclass(frozen=True)
class Alert:
    """One event, from its beginning to its end; UTC seconds. What did not end yet goes on for ever."""

    label: str
    start_s: float
    end_s: float = float("inf")


@dataclass(frozen=True)
class Comparison:
    """Alerts of two detectors in the same pictures.

    `only_now` and `only_candidate` are UTC seconds, oldest first; after many alerts those of the last ones.
    """

    now: int
    candidate: int
    both: int
    only_now: tuple[float, ...]
    only_candidate: tuple[float, ...]


def compare(now: Sequence[Alert], candidate: Sequence[Alert], *, slack_s: float = _SLACK_S) -> Comparison:
    """Pair the alerts of two detectors: same label, at the same time, each at most once.

    Args:
        now: Of the detector that runs.
        candidate: Of the other one.
        slack_s: Two alerts may be apart by so much and still be about the same thing.
    """
    pairs = sorted(
        (
            (abs(a.start_s - b.start_s), i, j)
            for i, a in enumerate(now)
            for j, b in enumerate(candidate)
            if a.label == b.label and _meet(a, b, slack_s)
        ),
    )
    mine: set[int] = set()
    theirs: set[int] = set()
    for _, i, j in pairs:
        if i not in mine and j not in theirs:
            mine.add(i)
            theirs.add(j)
    return Comparison(
        now=len(now),
        candidate=len(candidate),
        both=len(mine),
        only_now=tuple(sorted(a.start_s for i, a in enumerate(now) if i not in mine)),
        only_candidate=tuple(sorted(b.start_s for j, b in enumerate(candidate) if j not in theirs)),
    )


def _meet(first: Alert, second: Alert, slack_s: float) -> bool:
    return max(first.start_s, second.start_s) <= min(first.end_s, second.end_s) + slack_s


def summarize(comparison: Comparison) -> str:
    """Return the comparison in one line for people."""
    line = f"{_alerts(comparison.candidate)} instead of {comparison.now}"
    fewer, more = comparison.now - comparison.both, comparison.candidate - comparison.both
    parts = [f"{fewer} fewer"] * bool(fewer) + [f"{more} new"] * bool(more)
    return f"{line} ({', '.join(parts)})" if parts else line


def _alerts(count: int) -> str:
    return f"{count} alert" if count == 1 else f"{count} alerts"


def together(comparisons: Sequence[Comparison]) -> Comparison:
    """Return several comparisons as one."""
    return Comparison(
        now=sum(one.now for one in comparisons),
        candidate=sum(one.candidate for one in comparisons),
        both=sum(one.both for one in comparisons),
        only_now=tuple(sorted(at_s for one in comparisons for at_s in one.only_now)),
        only_candidate=tuple(sorted(at_s for one in comparisons for at_s in one.only_candidate)),
    )


class _Heard:
    """Says what somebody else saw; implements `Detector`."""

    def __init__(self) -> None:
        self.seen: Sequence[Detection] = ()

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
        """Return what was seen in `rgb`."""
        del rgb
        return [one for one in self.seen if min_score is None or one.score >= min_score]


class AlertBook:
    """The alerts of one pipeline that were not settled yet."""

    def __init__(self) -> None:
        """Begin with none."""
        self._alerts: dict[str, Alert] = {}

    def hear(self, events: Sequence[Event]) -> None:
        """Take the events that one picture brought."""
        for event in events:
            known = self._alerts.get(event.id)
            if known is not None and event.event_type == "end":
                self._alerts[event.id] = replace(known, end_s=event.frame_time)
            elif event.event_type == "new":
                self._alerts[event.id] = Alert(event.label, event.start_time)

    def take(self, before_s: float) -> list[Alert]:
        """Return and forget the alerts that ended before then, oldest first."""
        over = [event_id for event_id, alert in self._alerts.items() if alert.end_s < before_s]
        return [self._alerts.pop(event_id) for event_id in over]

    def alerts(self) -> list[Alert]:
        """Return the alerts, oldest first."""
        return list(self._alerts.values())


class ShadowScene:
    """One camera of a shadow trial."""

    def __init__(
        self,
        camera: str,
        now_labels: Mapping[str, LabelRule],
        candidate: Detector,
        labels: Mapping[str, LabelRule],
        settings: PipelineSettings | None = None,
    ) -> None:
        """Begin with an empty scene.

        Args:
            camera: Its name.
            now_labels: What the running detector watches for.
            candidate: The other detector.
            labels: What that one watches for.
            settings: Of the camera's pipeline; there is no gate here, as only pictures worth a look come.
        """
        settings = replace(settings or PipelineSettings(), gate=GateSettings(enabled=False))
        self._heard = _Heard()
        rng = random.Random(0)  # noqa: S311 - ids of events that nobody sees
        identity = CameraIdentity("shadow", camera, "shadow")
        self._now = CameraPipeline(identity, self._heard, now_labels, rng=rng, settings=settings)
        self._candidate = CameraPipeline(identity, candidate, labels, rng=rng, settings=settings)
        self._books = AlertBook(), AlertBook()
        self._settled = compare((), ())
        self._followed: tuple[CameraRules, float | None] | None = None
        self.pictures = 0

    def follow(self, rules: CameraRules, threshold: float | None) -> None:
        """Go by the camera's rules and threshold, for both alike."""
        if (rules, threshold) == self._followed:
            return
        self._followed = rules, threshold
        for pipeline in (self._now, self._candidate):
            pipeline.set_threshold(threshold)
            pipeline.set_rules(rules)

    def look(self, frame: Frame, seen: Sequence[Detection]) -> None:
        """Take a picture, and what the running detector saw in it.

        Raises:
            BackendError: The candidate failed; the picture counts for neither.
        """
        events = self._candidate.process(frame).events
        self._heard.seen = seen
        self._books[0].hear(self._now.process(frame).events)
        self._books[1].hear(events)
        self.pictures += 1
        self._settle(frame.time_s)

    def comparison(self) -> Comparison:
        """Return how the two compare so far."""
        now, candidate = self._books
        return together([self._settled, compare(now.alerts(), candidate.alerts())])

    def _settle(self, now_s: float) -> None:
        """Keep of old alerts what they come to, so that a trial may last for weeks."""
        now, candidate = self._books
        if len(now.alerts()) + len(candidate.alerts()) > _ALERTS_OPEN:
            before_s = now_s - 2.0 * _SLACK_S
            found = together([self._settled, compare(now.take(before_s), candidate.take(before_s))])
            self._settled = replace(
                found,
                only_now=found.only_now[-_TIMES_KEPT:],
                only_candidate=found.only_candidate[-_TIMES_KEPT:],
            )
