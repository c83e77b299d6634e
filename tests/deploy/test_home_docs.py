"""What `docs/home-assistant.md` shows is a sound config, and names what there is."""

from __future__ import annotations

import re
from pathlib import Path

from edge_agent.config import load_config
from edge_agent.wire.correction import Feedback

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "home-assistant.md").read_text()
REST = "device: porch\nprofile: pi-4\nbundle: starter\ncameras: [{name: front, source: '0'}]\n"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_yaml_in_the_docs_is_a_config(tmp_path: Path) -> None:
    shown = "".join(blocks("yaml"))
    # The commented keys are real ones too.
    every = re.sub(r"^  # (?=\w+:)", "  ", shown, flags=re.MULTILINE)
    file = tmp_path / "agent.yaml"
    for text, transport in ((shown, "tcp"), (every, "websockets")):
        file.write_text(REST + text)
        config = load_config(file)
        assert config.mqtt is not None
        assert config.mqtt.transport == transport
        assert config.webhooks[0].events == ("new", "end")


def test_feedback_in_the_docs_is_understood() -> None:
    messages = re.findall(r"feedback/set -m '(.*?)'", PAGE)
    assert [Feedback.from_json(message).verdict for message in messages] == ["wrong", "missed"]


def test_docs_name_every_blueprint_there_is() -> None:
    files = (ROOT / "deploy" / "home-assistant" / "blueprints" / "automation" / "elfowl").iterdir()
    for file in files:
        assert f"| `{file.stem}` |" in PAGE
        assert "domain: automation" in file.read_text()
