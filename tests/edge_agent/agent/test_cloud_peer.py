"""When an assigned bundle is installed without anybody asking."""

from __future__ import annotations

from typing import Literal

import pytest

from edge_agent.agent.cloud_peer import installs_now
from tests.edge_agent.wire.examples import TARGET


@pytest.mark.parametrize(
    ("updates", "approved", "has_one", "expected"),
    [
        ("automatic", None, True, True),
        ("when_asked", None, True, False),
        ("when_asked", TARGET.sha256, True, True),
        ("when_asked", "b" * 64, True, False),
        ("when_asked", None, False, True),
    ],
)
def test_assigned_bundle_waits_only_where_its_owner_wants_to_be_asked(
    updates: Literal["automatic", "when_asked"], approved: str | None, has_one: bool, expected: bool
) -> None:
    assert installs_now(updates, TARGET, approved, has_one=has_one) is expected
