"""Which engine runs workers."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from cloud.engine.engine import choose_engine
from cloud.engine.local import LocalEngine
from cloud.engine.ray_engine import RayEngine
from cloud.settings import Settings, settings_from
from edge_agent.errors import ConfigError


def test_engine_is_this_machine_unless_told_otherwise(tmp_path: Path) -> None:
    assert isinstance(choose_engine(Settings(home=tmp_path)), LocalEngine)


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs elfowl[cluster]")
def test_engine_of_a_cluster_is_chosen_without_loading_its_library() -> None:
    settings = settings_from({"HOME": "/", "ELFOWL_ENGINE": "ray", "ELFOWL_RAY_ADDRESS": "head:6379"})
    loaded_before = "ray" in sys.modules
    assert isinstance(choose_engine(settings), RayEngine)
    assert ("ray" in sys.modules) == loaded_before


def test_engine_that_is_not_installed_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'elfowl\[cluster\]'"):
        choose_engine(Settings(home=tmp_path, engine="ray"))
