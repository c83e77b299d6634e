"""Getting ready to teach."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.subnets import features
from cloud.training.config import TrainConfig
from cloud.worker.warm_up import warm_up
from edge_agent.errors import ElfowlError


def test_warm_up_leaves_subnets_loaded_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = features.shared_extractor.cache_info().currsize

    warm_up(TrainConfig(cache_dir=tmp_path / "features"))

    assert features.shared_extractor.cache_info().currsize >= max(1, before)
    assert list(tmp_path.iterdir()) == []


def test_warm_up_with_an_unknown_subnet_says_so() -> None:
    with pytest.raises(ElfowlError, match="nix"):
        warm_up(TrainConfig(subnets=("nix",)))
