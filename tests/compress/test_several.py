"""Several detectors in one bundle: who may share a trunk, what the bundle holds, which limits stand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compress.effort import QUICK
from compress.errors import BudgetError, CancelledError
from compress.limits import limits_for
from compress.protocol import Compressible
from compress.refit import Refit
from compress.run import Budget
from compress.several import check_alike, check_limits, compress_together
from edge_agent.errors import ConfigError
from edge_agent.runtime.bundle import open_bundle
from edge_agent.runtime.profiles import load_profile
from edge_agent.starter.location import starter_bundle_path
from tests.compress.test_refit import NEIGHBOUR, NEWER
from tests.compress.tiny import TinyDetector


class _Wider(TinyDetector):
    @property
    def input_size_px(self) -> tuple[int, int]:
        return (640, 480)


@pytest.mark.parametrize(
    ("detectors", "words"),
    [
        ([NEWER, NEWER], "named twice"),
        ([NEIGHBOUR, _Wider()], "cannot share a trunk"),
    ],
)
def test_check_alike_with_detectors_that_cannot_share_names_them(
    detectors: list[Compressible], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        check_alike(detectors)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"max_bytes": 1000}, "MB of 0.00 MB allowed"),
        ({"max_ms": 0.0001}, "ms of 0.0001 ms allowed"),
        ({"min_ap50": 0.9}, "AP50 0.500 of the worst head"),
    ],
)
def test_check_limits_with_a_broken_limit_names_it(change: dict[str, Any], words: str) -> None:
    profile = load_profile("pi-4")
    starter = starter_bundle_path()
    made = Refit(starter, starter, open_bundle(starter).manifest, 0.9, None, 0.5, 0.6)
    budget = Budget(replace(limits_for(profile), **change))
    with pytest.raises(BudgetError, match=words):
        check_limits(made, profile, budget)
    check_limits(made, profile, Budget())


@pytest.mark.slow
def test_compress_together_that_is_cancelled_keeps_the_first_alone_and_leaves_nothing_else(
    tmp_path: Path,
) -> None:
    profile, out = load_profile("pi-4"), tmp_path / "out"
    done: list[float] = []

    def is_time_to_stop() -> bool:
        return bool(done) and done[-1] >= 0.8

    with pytest.raises(CancelledError, match="first detector alone stays"):
        compress_together(
            [NEWER, NEIGHBOUR],
            profile,
            out,
            progress=lambda one: done.append(one.fraction),
            cancelled=is_time_to_stop,
        )
    assert sorted(path.name for path in out.glob("*.zip")) == ["litert_int8.zip", "onnx_int8.zip"]
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


@pytest.mark.slow
def test_compress_together_writes_one_bundle_with_a_head_for_each(tmp_path: Path) -> None:
    seen: list[float] = []
    result = compress_together(
        [NEWER, NEIGHBOUR],
        load_profile("pi-4"),
        tmp_path / "out",
        Budget(effort=QUICK),
        progress=lambda one: seen.append(one.fraction),
    )
    assert [head.detector.id for head in open_bundle(result.chosen).manifest.heads] == ["tiny", "other"]
    assert sorted(path.name for path in (tmp_path / "out").glob("*.zip")) == sorted(
        {result.chosen.name, "heads.zip"}
    )
    assert seen == sorted(seen)
    assert "tiny@4 other@1" in result.receipt.reproduce
