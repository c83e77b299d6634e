"""Events for searches: made from few values, so that times, places and names often meet."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from cloud.search.judge import Seen
from cloud.store.sketch import lasts_class, sketch_of
from cloud.store.tables import EventState

ZONES, COATS = ("yard", "street"), ("red", "blue")
PLACES = ((0.0, 0.0, 0.1, 0.2), (0.3, 0.1, 0.4, 0.3), (0.7, 0.7, 0.9, 0.9))
START_S = 1_800_000_000.0


def seen(**changes: Any) -> Seen:  # noqa: ANN401 - fields of Seen
    usual = {
        "device": "porch", "event_id": "event-000", "camera": "front", "label": "person",
        "start_s": START_S, "until_s": START_S + 4, "top_score": 0.8, "box": PLACES[0], "aspect": 0.5,
    }  # fmt: skip
    return Seen(**{**usual, **changes})


def several() -> st.SearchStrategy[list[Seen]]:
    """Return lists of events, some longer than those with an index of their own."""
    one = st.tuples(
        st.sampled_from(("porch", "gate")),
        st.sampled_from(("front", "back")),
        st.sampled_from(("person", "dog")),
        st.integers(0, 60) | st.integers(0, 4).map(lambda many: many * 300),
        st.sampled_from((0, 2, 7, 120, 121, 400, 5000)),
        st.sampled_from((0.5, 0.9)),
        st.sampled_from(PLACES),
        st.sets(st.sampled_from(ZONES)),
        st.sampled_from(COATS),
    )
    return st.lists(one, max_size=14).map(lambda rows: [_numbered(i, row) for i, row in enumerate(rows)])


def _numbered(number: int, row: tuple[Any, ...]) -> Seen:
    device, camera, label, begin_s, length_s, score, box, zones, coat = row
    return Seen(
        device=device,
        event_id=f"event-{number:03}",
        camera=camera,
        label=label,
        start_s=START_S + begin_s,
        until_s=START_S + begin_s + length_s,
        top_score=score,
        box=box,
        aspect=0.5,
        zones=frozenset(zones),
        attributes=frozenset({("coat", coat)}),
    )


def row_of(event: Seen) -> EventState:
    """Return the event as it is stored."""
    document = {
        "id": event.event_id,
        "device": event.device,
        "camera": event.camera,
        "label": event.label,
        "start_time": event.start_s,
        "frame_time": event.until_s,
        "top_score": event.top_score,
        "box": event.box,
        "frame_size": {"width_px": 1000, "height_px": round(1000 * event.aspect)},
        "zones": {"entered": sorted(event.zones)},
        "attributes": {slug: {"value": value, "score": 1.0} for slug, value in event.attributes},
    }
    return EventState(
        device=event.device,
        event_id=event.event_id,
        camera=event.camera,
        label=event.label,
        detector_id="d1",
        detector_version=1,
        answered_by="local",
        start_time=event.start_s,
        end_time=None,
        frame_time=event.until_s,
        lasts=lasts_class(event.until_s - event.start_s),
        sketch=sketch_of(event.box, event.aspect, event.top_score) if event.key[2] != "event-003" else None,
        body=json.dumps(document),
        received=event.until_s,
    )
