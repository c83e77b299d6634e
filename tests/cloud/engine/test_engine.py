"""Where workers run, and what they take of a machine."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from cloud.engine.engine import choose_engine
from cloud.engine.local import LocalEngine
from cloud.engine.placement import Share, share_of_worker
from cloud.settings import Settings
from edge_agent.errors import ConfigError


def test_engine_is_this_machine_unless_told_otherwise(tmp_path: Path) -> None:
    assert isinstance(choose_engine(Settings(home=tmp_path)), LocalEngine)


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_engine_that_is_not_installed_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"elfowl\[cluster\]"):
        choose_engine(Settings(home=tmp_path, engine="ray"))


@pytest.mark.parametrize(
    ("budget_gb", "memory_gb", "share"),
    [
        (4.0, None, Share(1.0, 0.0)),
        (4.0, 80.0, Share(1.0, 0.069)),
        (0.1, 80.0, Share(1.0, 0.05)),
        (4.0, 16.0, Share(1.0, 0.344)),
        (8.0, 16.0, Share(1.0, 1.0)),
        (40.0, 16.0, Share(1.0, 1.0)),
    ],
)
def test_worker_takes_a_core_and_its_share_of_a_graphics_processor(
    budget_gb: float, memory_gb: float | None, share: Share
) -> None:
    memory = None if memory_gb is None else round(memory_gb * 1e9)
    assert share_of_worker(round(budget_gb * 1e9), memory) == share
