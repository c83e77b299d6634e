"""Letters to the cloud: kept until its broker took them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.report.letters import Letters
from edge_agent.report.link import Message
from tests.fakes.link import FakeLink

WRONG = Message("elfowl/porch/feedback/set", b'{"verdict": "wrong", "event_id": "abc"}')
RIGHT = Message("elfowl/porch/feedback/set", b'{"verdict": "right", "event_id": "def"}')


def letters(folder: Path, link: FakeLink) -> Letters:
    def at_once(work: Callable[[], None]) -> None:
        work()

    return Letters(folder / "letters.jsonl", link, at_once)


def test_letter_of_an_offline_agent_goes_out_after_a_restart(tmp_path: Path) -> None:
    letters(tmp_path, FakeLink(connected=False)).add(WRONG)
    link = FakeLink()
    letters(tmp_path, link).reconnected()
    assert link.sent == [WRONG]
    link.acknowledge()
    later = FakeLink()
    letters(tmp_path, later).reconnected()
    assert later.sent == []


def test_letter_not_acknowledged_goes_out_again_and_others_once(tmp_path: Path) -> None:
    link = FakeLink()
    box = letters(tmp_path, link)
    box.add(WRONG)
    box.add(RIGHT)
    assert link.sent == [WRONG, RIGHT]
    link.acknowledge(0)
    link.connected = False
    box.pump()
    link.connected = True
    box.reconnected()
    assert link.sent == [WRONG, RIGHT, RIGHT]


def test_answer_of_an_old_connection_settles_nothing(tmp_path: Path) -> None:
    link = FakeLink()
    box = letters(tmp_path, link)
    box.add(WRONG)
    box.reconnected()
    link.acknowledge(0)
    assert (tmp_path / "letters.jsonl").read_text() != ""
    link.acknowledge(1)
    assert (tmp_path / "letters.jsonl").read_text() == ""


@pytest.mark.parametrize("text", ["{", "[1]\n", '["a", "b", "c"]\n', "\x00"])
def test_damaged_file_of_letters_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "letters.jsonl").write_text(text)
    link = FakeLink()
    letters(tmp_path, link).reconnected()
    assert link.sent == []


def test_of_too_many_letters_the_oldest_go(tmp_path: Path) -> None:
    box = letters(tmp_path, FakeLink(connected=False))
    for _ in range(100):
        box.add(WRONG)
    box.add(RIGHT)
    lines = (tmp_path / "letters.jsonl").read_text().splitlines()
    assert len(lines) == 100
    assert "right" in lines[-1]
