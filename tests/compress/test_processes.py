"""Work in processes of its own."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from compress.errors import CancelledError, ExportError
from compress.processes import Child
from edge_agent.errors import ElfowlError, StorageError


def child(folder: Path, module: str = "tests.compress.sleepy") -> Child:
    return Child(module, folder / "log")


def test_run_returns_the_result_and_tells_steps(tmp_path: Path) -> None:
    steps: list[str] = []
    assert child(tmp_path).run({"say": "höhö"}, steps.append) == {"echo": "höhö"}
    assert steps == ["started"]


def test_run_keeps_the_noise_of_libraries_in_the_log(tmp_path: Path) -> None:
    child(tmp_path).run({})
    assert "noise of a library" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("job", "kind", "text"),
    [
        ({"fail": "an operation is unknown"}, ExportError, "an operation is unknown"),
        ({"full": "/some/file"}, StorageError, "/some/file cannot be written or read: No space left"),
        ({"die": "Segmentation fault"}, ExportError, "ended with code 9: Segmentation fault"),
    ],
)
def test_run_of_a_child_in_trouble_raises_what_happened(
    tmp_path: Path, job: dict[str, str], kind: type[ElfowlError], text: str
) -> None:
    with pytest.raises(kind, match=text):
        child(tmp_path).run(job)


def test_run_of_a_module_that_is_missing_tells_the_last_words(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="No module named"):
        child(tmp_path, "tests.compress.no_such_module").run({"say": "x" * 100_000})


def test_kill_while_it_works_raises_cancelled(tmp_path: Path) -> None:
    sleeper = child(tmp_path)
    with pytest.raises(CancelledError):
        sleeper.run({"seconds": 60}, lambda _: threading.Thread(target=sleeper.kill).start())
