"""What streams told, as it stands in the tables: nothing missing, nothing doubled, never by two at a time."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import create_engine, text

from edge_agent.wire.event import Event

Told = dict[str, list[tuple[int, Event]]]
"""All event documents with their numbers, by epoch."""


def told(url: str) -> Told:
    """Read what stands in a database."""
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT epoch, seq, body FROM events ORDER BY epoch, seq")).all()
    engine.dispose()
    found: Told = {}
    for epoch, seq, body in rows:
        found.setdefault(epoch, []).append((seq, Event.from_json(body)))
    return found


def begun_only(found: Told) -> set[str]:
    """Return the events that did not end."""
    events = [event for some in found.values() for _, event in some]
    return {event.id for event in events} - {event.id for event in events if event.event_type == "end"}


def check_told(found: Told) -> None:
    """Check that nothing is missing, doubled or told by two at a time."""
    for epoch, some in found.items():
        assert [seq for seq, _ in some] == list(range(1, len(some) + 1)), epoch
    events = [event for some in found.values() for _, event in some]
    times = Counter((event.id, event.event_type) for event in events if event.event_type != "update")
    assert [once for once, count in times.items() if count > 1] == []
    assert events, "something was seen"
    spans: dict[str, list[tuple[int, float, float]]] = {}
    for epoch, some in found.items():
        stream, token, *ends = epoch.split("-")
        seen_s = [event.frame_time for _, event in some]
        if not ends:
            spans.setdefault(stream, []).append((int(token), min(seen_s), max(seen_s)))
    for some_spans in spans.values():
        for before, after in zip(sorted(some_spans), sorted(some_spans)[1:], strict=False):
            assert before[2] <= after[1], "two watched it at once"
