"""The example of the docs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_agent.pipeline.detect import BundleDetector

PAGE = Path(__file__).parents[2] / "docs" / "compressing.md"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_example_of_the_docs_compresses_a_network_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks[0], str(PAGE), "exec"), {"__name__": "example"})
    assert "litert_int8.zip" in capsys.readouterr().out
    detector = BundleDetector.open(tmp_path / "out" / "litert_int8.zip")
    assert detector.bundle.manifest.heads[0].labels[0].slug == "box"
    detector.close()
