"""Work in processes of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from compress.errors import CancelledError, ExportError
from compress.processes import Child
from edge_agent.errors import ElfowlError, StorageError

Start = Callable[..., Child]


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Start]:
    started: list[Child] = []

    def start(module: str = "tests.compress.sleepy") -> Child:
        started.append(Child(module, tmp_path / "log"))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_ask_returns_the_result_and_tells_steps(child: Start) -> None:
    steps: list[str] = []
    assert child().ask({"say": "höhö"}, steps.append) == {"echo": "höhö"}
    assert steps == ["started"]


def test_ask_keeps_the_noise_of_libraries_in_the_log(tmp_path: Path, child: Start) -> None:
    child().ask({})
    assert "noise of a library" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("job", "kind", "text"),
    [
        ({"fail": "an operation is unknown"}, ExportError, "an operation is unknown"),
        ({"full": "/some/file"}, StorageError, "/some/file cannot be written or read: No space left"),
        ({"die": "Segmentation fault"}, ExportError, "ended with code 9: Segmentation fault"),
        ({"bug": "a mistake"}, ExportError, r"ended with code \d: RuntimeError: a mistake"),
    ],
)
def test_ask_of_a_child_in_trouble_raises_what_happened(
    child: Start, job: dict[str, str], kind: type[ElfowlError], text: str
) -> None:
    with pytest.raises(kind, match=text):
        child().ask(job)


def test_ask_of_a_module_that_is_missing_tells_the_last_words(child: Start) -> None:
    with pytest.raises(ExportError, match="No module named"):
        child("tests.compress.no_such_module").ask({"say": "x" * 100_000})


def test_kill_while_it_works_raises_cancelled(child: Start) -> None:
    sleeper = child()
    with pytest.raises(CancelledError):
        sleeper.ask({"seconds": 60}, lambda _: threading.Thread(target=sleeper.kill).start())


def test_ask_again_asks_the_same_process(child: Start) -> None:
    sleeper = child()
    first, second = (sleeper.ask({"say": "pid"}) for _ in range(2))
    assert first == second
