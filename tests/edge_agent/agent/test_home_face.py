"""What Home Assistant is told of the detector: an update is offered when there is one, and never else."""

from __future__ import annotations

import pytest

from edge_agent.agent.home_face import update_state
from edge_agent.wire.manifest import Manifest
from edge_agent.wire.sync import BundleTarget
from tests.fakes.squares import square_manifest

STARTER = square_manifest()


def target(release: int, sha256: str = "a" * 64) -> BundleTarget:
    return BundleTarget(
        path=f"bundles/{release}.zip",
        sha256=sha256,
        length_bytes=1,
        release=release,
        detector_id="d",
        detector_name="cups",
        detector_version=2,
    )


@pytest.mark.parametrize(
    ("manifest", "installed", "latest", "shown"),
    [
        (None, None, None, ("none", "none")),
        (STARTER, None, None, ("squares 1 (release 1)", "squares 1 (release 1)")),
        (STARTER, None, target(7), ("squares 1 (release 1)", "cups 2 (release 7)")),
        (STARTER, target(7), target(7), ("cups 2 (release 7)", "cups 2 (release 7)")),
        (STARTER, target(7), target(9), ("cups 2 (release 9)", "cups 2 (release 9)")),
        (STARTER, target(7), target(9, "b" * 64), ("cups 2 (release 7)", "cups 2 (release 9)")),
        (STARTER, target(7), None, ("cups 2 (release 7)", "cups 2 (release 7)")),
    ],
    ids=["nothing", "starter", "first one", "installed", "published again", "newer", "nothing wanted"],
)
def test_update_is_offered_only_for_another_bundle(
    manifest: Manifest | None,
    installed: BundleTarget | None,
    latest: BundleTarget | None,
    shown: tuple[str, str],
) -> None:
    state = update_state(manifest, installed, latest)
    assert (state.installed_version, state.latest_version) == shown
