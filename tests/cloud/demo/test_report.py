"""The report is written whole, with each duration under its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloud.demo.report import DemoReport
from tests.fakes.clock import FakeClock


def test_report_written_has_every_part_and_no_leftover(tmp_path: Path) -> None:
    clock = FakeClock()
    report = DemoReport(portal="http://127.0.0.1:1", ap50={"full": 0.9, "onnx_int8": None})
    with report.timed("create", clock):
        clock.advance(12.5)
    report.write(tmp_path / "new folder" / "demo.json")

    written = json.loads((tmp_path / "new folder" / "demo.json").read_text())
    assert written["seconds"] == {"create": 12.5}
    assert written["ap50"] == {"full": 0.9, "onnx_int8": None}
    assert written["events"] == {"published": 0, "stored": 0}
    assert {"seconds", "ap50", "bundle_bytes", "events", "offloads", "portal"} <= set(written)
    assert [path.name for path in (tmp_path / "new folder").iterdir()] == ["demo.json"]


def test_step_that_fails_has_no_duration() -> None:
    report = DemoReport()
    with pytest.raises(ZeroDivisionError), report.timed("create", FakeClock()):
        _ = 1 / 0
    assert report.seconds == {}
