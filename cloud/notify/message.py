"""What an alert says: one event in a sentence, or several as a list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from edge_agent.wire.event import Event

_MOST_LINES = 20


def title_of(rule_name: str, events: Sequence[Event]) -> str:
    """Return the title of a message."""
    if len(events) == 1:
        return f"{rule_name}: {events[0].label} at {events[0].camera}"
    return f"{rule_name}: {len(events)} events"


def body_of(message_id: str, events: Sequence[Event]) -> str:
    """Return the text of a message; its id lets a receiver know one that came twice."""
    lines = [line_of(event) for event in events[:_MOST_LINES]]
    if len(events) > _MOST_LINES:
        lines.append(f"and {len(events) - _MOST_LINES} more")
    return "\n".join([*lines, f"({message_id})"])


def line_of(event: Event) -> str:
    """Return an event as one line."""
    at = datetime.fromtimestamp(event.start_time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    zones = f" in {', '.join(event.zones.current)}" if event.zones.current else ""
    told = "".join(f", {slug} {value.value}" for slug, value in sorted(event.attributes.items()))
    return (
        f"{at} {event.device}/{event.camera}: {event.label}{zones}{told} ({event.top_score:.0%}) {event.id}"
    )
