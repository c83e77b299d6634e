"""Which devices can share a compression."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress.limits import limits_for
from compress.targets import Target, check_targets
from edge_agent.errors import ConfigError
from edge_agent.wire.profile import DeviceProfile
from tests.compress.test_choose import profile


def target(name: str, folder: str, *classes: str) -> Target:
    device: DeviceProfile = profile("litert").model_copy(update={"name": name})
    return Target(device, limits_for(device, classes=classes), Path(folder))


def test_check_targets_lets_different_devices_pass() -> None:
    check_targets([target("a", "a"), target("b", "b")])


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ([], "name at least one profile"),
        ([target("a", "a"), target("a", "b")], "profile a is named twice"),
        ([target("a", "a"), target("b", "a")], "a folder of its own"),
        ([target("a", "a", "dog"), target("b", "b")], "the same classes"),
    ],
)
def test_check_targets_refuses_those_that_cannot_share_work(targets: list[Target], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check_targets(targets)
