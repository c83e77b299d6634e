"""A shadow trial through the whole agent: asked for by the desired state, told in what is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.wire.shadow import ShadowReport
from edge_agent.wire.status import Stats
from edge_agent.wire.sync import Desired
from tests.edge_agent.agent.test_runner import CLOUD, TARGET, World, wait_up
from tests.fakes.frame_source import until


@pytest.mark.slow
def test_agent_that_cannot_fetch_a_candidate_says_so_and_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.enrol()
    world.cloud.desired = Desired(device="porch", version=2, shadow=TARGET)
    world.start(world.config(cloud=CLOUD))
    wait_up(world, 2)
    try:
        assert until(lambda: reported(world) is not None, 180.0)
        told = reported(world)
        assert told is not None
        assert told.bundle_sha256 == TARGET.sha256
        assert told.problem
        assert until(lambda: told == in_stats(world), 180.0)
        assert until(lambda: any(event.event_type == "new" for event in world.events()))
        world.cloud.desired = Desired(device="porch", version=3)
        assert until(lambda: world.cloud.reports[-1].desired_version == 3 and reported(world) is None, 180.0)
    finally:
        world.stop()


def reported(world: World) -> ShadowReport | None:
    reports = list(world.cloud.reports)
    return reports[-1].shadow if reports else None


def in_stats(world: World) -> ShadowReport | None:
    said = world.said("elfowl/porch/stats")
    return Stats.from_json(said[-1]).shadow if said else None
