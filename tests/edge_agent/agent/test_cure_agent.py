"""The one-tap cure through the whole agent: a word over MQTT, then silence, also after a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.wire.correction import Feedback
from edge_agent.wire.status import Stats
from tests.edge_agent.agent.test_runner import World, wait_up
from tests.fakes.frame_source import until


@pytest.mark.slow
def test_agent_told_that_an_event_is_wrong_ends_it_and_tells_no_more_of_its_kind(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.start(world.config())
    wait_up(world)
    try:
        assert until(lambda: any(event.event_type == "new" for event in world.events()))
        first = world.events()[0].id
        wrong = Feedback(verdict="wrong", event_id=first).to_json().encode()
        world.links[0].events.message("elfowl/porch/feedback/set", wrong, False)
        assert until(lambda: world.events()[-1].event_type == "end")
        # Numbers are told soon after a word, and then each minute.
        assert until(lambda: suppressed(world) >= 1, 180.0)
    finally:
        world.stop()
    assert {event.id for event in world.events()} == {first}
    again = World(tmp_path)
    again.start(again.config())
    wait_up(again)
    try:
        assert until(lambda: suppressed(again) >= 1, 180.0)
    finally:
        again.stop()
    assert {event.id for event in again.events()} <= {first}, "what no broker acknowledged is said again"


def suppressed(world: World) -> int:
    said = world.said("elfowl/porch/stats")
    return Stats.from_json(said[-1]).cameras["front"].suppressed if said else 0
