"""A camera's rules as sentences, so that a person sees what the agent understood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_agent.config import AgentConfig
from edge_agent.errors import ConfigError
from edge_agent.pipeline.zones import area_of
from edge_agent.wire.manifest import Manifest
from edge_agent.wire.rules import (
    EVERY_DAY,
    CameraRules,
    LabelLimits,
    LineRule,
    MotionMask,
    Schedule,
    ZoneRule,
)


def rules_in_words(rules: CameraRules) -> list[str]:
    """Return what rules mean, a line each."""
    return [
        f"looks when something moves, and at least every {rules.look_every_s:g} s",
        *(f"movement in {_outline(mask)} counts for nothing" for mask in rules.motion_masks),
        *(_zone(zone) for zone in rules.zones),
        *(_line(line) for line in rules.lines),
        *(_limits(limits) for limits in rules.labels),
        *_required(rules),
        *(_schedule(schedule, rules.time_zone) for schedule in rules.schedules),
    ]


def check_labels(config: AgentConfig, where: str, bundle: str, manifest: Manifest) -> None:
    """Check that a bundle has all labels that the cameras of a config file name.

    Args:
        config: The config file's content.
        where: Its path, for the error.
        bundle: How the bundle is called there.
        manifest: What is in it.

    Raises:
        ConfigError: It lacks one; the text names those that it has.
    """
    labels = [label for head in manifest.heads for label in head.labels]
    known = {label.name for label in labels} | {label.slug for label in labels}
    for camera in config.cameras:
        lost = [name for name in (*camera.labels, *camera.rules.named_labels()) if name not in known]
        if lost:
            there = ", ".join(dict.fromkeys(label.name for label in labels))
            message = (
                f"{where}: camera {camera.name}: bundle {bundle} has no label {lost[0]!r}; it has: {there}"
            )
            raise ConfigError(message)


def _outline(shape: ZoneRule | MotionMask) -> str:
    return f"{shape.name} ({len(shape.corners)} corners, {_percent(area_of(shape.corners))} of the picture)"


def _zone(zone: ZoneRule) -> str:
    loiter = f"; tells when one stays {zone.loiter_s:g} s" if zone.loiter_s is not None else ""
    return f"zone {_outline(zone)}: {_names(zone.labels, 'all labels')}{loiter}"


def _line(line: LineRule) -> str:
    counted = "both ways" if line.towards == "both" else f"towards its {line.towards}"
    way_x, way_y = line.end[0] - line.start[0], line.end[1] - line.start[1]
    if abs(way_y) >= abs(way_x):
        right = "left edge" if way_y > 0 else "right edge"
    else:
        right = "lower edge" if way_x > 0 else "upper edge"
    ends = f"from {_place(line.start)} to {_place(line.end)}, its right towards the picture's {right}"
    return (
        f"line {line.name} {ends}: tells when one crosses it {counted}: {_names(line.labels, 'all labels')}"
    )


def _limits(limits: LabelLimits) -> str:
    parts = []
    if limits.threshold is not None:
        parts.append(f"from a score of {limits.threshold:g}")
    if limits.min_area > 0.0 or limits.max_area < 1.0:
        parts.append(f"boxes of {_percent(limits.min_area)} to {_percent(limits.max_area)} of the picture")
    return f"{limits.label}: {', '.join(parts) or 'as the detector recommends'}"


def _required(rules: CameraRules) -> Iterator[str]:
    if rules.required_zones:
        yield f"events begin only in {_names(rules.required_zones, '')}"
    for limits in rules.labels:
        if limits.required_zones is not None:
            yield f"events of {limits.label} begin {_only_in(limits.required_zones)}"


def _only_in(zones: Sequence[str]) -> str:
    return f"only in {', '.join(zones)}" if zones else "everywhere"


def _schedule(schedule: Schedule, time_zone: str | None) -> str:
    days = "every day" if set(schedule.days) == set(EVERY_DAY) else ", ".join(schedule.days)
    off = (
        "nothing is looked at" if schedule.pause == "detection" else "things are counted, but no event begins"
    )
    return f"{days} {schedule.begin} to {schedule.end} ({time_zone or 'the time of the device'}): {off}"


def _names(names: Sequence[str], otherwise: str) -> str:
    return ", ".join(names) or otherwise


def _place(point: tuple[float, float]) -> str:
    return f"({point[0]:g}, {point[1]:g})"


def _percent(share: float) -> str:
    return f"{100.0 * share:.3g} %"
