"""The MQTT reference in the docs: made from the models, and complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.wire.base import Document
from edge_agent.wire.reference import main, render
from edge_agent.wire.topics import TOPICS, TopicSpec

GOLDEN = Path(__file__).parent / "golden" / "v1"
PAGE = Path(__file__).parents[3] / "docs" / "mqtt.md"


def test_page_in_the_docs_is_current() -> None:
    assert main(["--check", str(PAGE), str(GOLDEN)]) == 0


def test_stale_page_fails_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "mqtt.md"
    assert main([str(page), str(GOLDEN)]) == 0
    page.write_text(page.read_text() + "\nmore")
    assert main(["--check", str(page), str(GOLDEN)]) == 1
    assert "make docs" in capsys.readouterr().err


@pytest.mark.parametrize("spec", TOPICS, ids=lambda spec: spec.pattern)
def test_topic_is_told_with_all_its_fields_and_an_example(spec: TopicSpec) -> None:
    section = render(GOLDEN).split(f"\n## `{spec.pattern}`\n")[1].split("\n## ")[0]
    assert f"QoS {spec.qos}, {'retained' if spec.retained else 'not retained'}" in section
    if isinstance(spec.payload, type) and issubclass(spec.payload, Document):
        fields = {field.alias or name for name, field in spec.payload.model_fields.items()}
        assert all(f"| `{name}` |" in section for name in fields)
        assert "```json" in section


def test_fields_inside_others_have_their_units() -> None:
    page = render(GOLDEN)
    assert "| `cameras.<name>.inference_ms_p50` | number or null, may be missing | ms |" in page
    assert "| `frame_size.width_px` | integer | px |" in page
    assert "| `start_time` | number | s since 1970, UTC |" in page
