"""The topic map and the names built from it."""

from __future__ import annotations

import pytest

from edge_agent.wire.event import Event
from edge_agent.wire.status import Stats
from edge_agent.wire.topics import TOPICS, Topics, match_topic

T = Topics(device="porch", prefix="owl", discovery_prefix="ha")
BUILT = {
    "<p>/<device>/available": T.available,
    "<p>/<device>/stats": T.stats,
    "<p>/<device>/detector/state": T.detector_state,
    "<p>/<device>/detector/set": T.detector_set,
    "<p>/<device>/feedback/set": T.feedback,
    "<p>/<device>/cure/set": T.cure_set,
    "<p>/<device>/cam/<camera>/status": T.camera("door", "status"),
    "<p>/<device>/cam/<camera>/detail": T.camera("door", "detail"),
    "<p>/<device>/cam/<camera>/event": T.camera("door", "event"),
    "<p>/<device>/cam/<camera>/label/<slug>": T.label("door", "person"),
    "<p>/<device>/cam/<camera>/label/<slug>/attributes": T.label("door", "person", "attributes"),
    "<p>/<device>/cam/<camera>/label/<slug>/snapshot": T.label("door", "person", "snapshot"),
    "<p>/<device>/cam/<camera>/switch/<feature>/state": T.switch("door", "detect", "state"),
    "<p>/<device>/cam/<camera>/switch/<feature>/set": T.switch("door", "detect", "set"),
    "<p>/<device>/up/events": T.up_events,
    "<p>/<device>/down/ack": T.down_ack,
    "<p>/<device>/down/desired": T.down_desired,
    "<p>/<device>/down/look": T.down_look,
    "<p>/<device>/up/look": T.up_look,
    "<h>/device_automation/<node>/<object>/config": T.discovery("device_automation", "door-seen-person"),
    "<h>/<component>/<node>/<object>/config": T.discovery("sensor", "door_person"),
    "<h>/device/<id>/config": T.discovery_device,
    "<h>/status": T.homeassistant_status,
}


def test_topics_build_every_row_of_the_map() -> None:
    assert BUILT.keys() == {spec.pattern for spec in TOPICS}


@pytest.mark.parametrize("pattern", BUILT)
def test_topic_built_is_matched_by_its_own_row(pattern: str) -> None:
    spec = match_topic(BUILT[pattern], prefix="owl", discovery="ha")
    assert spec is not None
    assert spec.pattern == pattern


@pytest.mark.parametrize("topic", ["owl/porch", "other/porch/stats", "owl/porch/cam/door/unknown", ""])
def test_topic_of_others_is_not_matched(topic: str) -> None:
    assert match_topic(topic, prefix="owl", discovery="ha") is None


def test_state_topics_are_retained_and_events_are_not() -> None:
    retained = {spec.payload: spec.retained for spec in TOPICS if not isinstance(spec.payload, str)}
    assert retained[Event] is False
    assert retained[Stats] is False
    assert all(
        spec.retained
        for spec in TOPICS
        if spec.pattern.endswith(("/state", "/status", "/available")) and spec.direction == "from agent"
    )
