"""A camera's rules as the pipeline uses them: labels by their slugs, ready to be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from edge_agent.pipeline.detector import LabelRule
from edge_agent.pipeline.zones import Line, Zone
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection
from edge_agent.wire.rules import CameraRules, LabelLimits


@dataclass(frozen=True)
class Scene:
    """What the rules say about things that are seen.

    Attributes:
        zones: Named parts of the picture.
        lines: Lines in it.
        limits: What counts as seen, by slug.
        required: A thing must be in one of these zones before an event tells of it; empty: it need not.
        still_again_s: What stood still and was lost is known again at its place for so long.
    """

    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    limits: Mapping[str, LabelLimits] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    still_again_s: float = 60.0

    def admits(self, detection: Detection) -> bool:
        """Return whether a box has a size that its label may have."""
        limits = self.limits.get(detection.label)
        return limits is None or limits.min_area <= _area(detection.box) <= limits.max_area

    def is_where_it_counts(self, label: str, zones: Sequence[str]) -> bool:
        """Return whether an event may begin about a thing that is in `zones`."""
        limits = self.limits.get(label)
        own = limits.required_zones if limits is not None else None
        required = self.required if own is None else own
        return not required or any(name in required for name in zones)

    def with_thresholds(
        self, labels: Mapping[str, LabelRule], threshold: float | None
    ) -> dict[str, LabelRule]:
        """Return labels with the thresholds in force: their own, else the camera's, else the detector's."""
        changed = {}
        for slug, rule in labels.items():
            limits = self.limits.get(slug)
            own = limits.threshold if limits is not None else None
            chosen = threshold if own is None else own
            changed[slug] = rule if chosen is None else replace(rule, threshold=chosen)
        return changed


def scene_of(rules: CameraRules, labels: Mapping[str, LabelRule]) -> Scene:
    """Return the rules for a detector's labels, which may be named as people call them or by slug."""
    slugs = _slugs(labels)

    def known(named: Sequence[str]) -> frozenset[str]:
        return frozenset(slugs.get(name, name) for name in named)

    return Scene(
        zones=tuple(Zone(z.name, z.corners, known(z.labels), z.loiter_s) for z in rules.zones),
        lines=tuple(Line(li.name, li.start, li.end, known(li.labels), li.towards) for li in rules.lines),
        limits={slugs.get(limits.label, limits.label): limits for limits in rules.labels},
        required=frozenset(rules.required_zones),
        still_again_s=rules.still_again_s,
    )


def unknown_labels(rules: CameraRules, labels: Mapping[str, LabelRule]) -> tuple[str, ...]:
    """Return the labels that rules name and a detector does not know."""
    slugs = _slugs(labels)
    return tuple(name for name in rules.named_labels() if name not in slugs)


def _slugs(labels: Mapping[str, LabelRule]) -> dict[str, str]:
    # A slug is unique, a name need not be; so slugs come last and win.
    return {rule.name: slug for slug, rule in labels.items()} | {slug: slug for slug in labels}


def _area(box: XyxyNorm) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
