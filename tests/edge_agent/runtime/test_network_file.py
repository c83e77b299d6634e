"""Networks on the disk: the same answers, no name, and memory where the disk is no help."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_agent.errors import BackendError
from edge_agent.runtime.bundle import open_bundle
from edge_agent.runtime.litert import LITERT_MODULE, LiteRtNetwork
from edge_agent.runtime.network_file import keep_networks_in, on_disk
from edge_agent.runtime.select import open_backend
from edge_agent.starter.location import starter_bundle_path


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    keep_networks_in(tmp_path)
    yield tmp_path
    keep_networks_in(None)


def mapped_kb(folder: Path) -> int:
    """Return how much is in memory of the files of a folder that are mapped and have no name any more.

    Of each address what was told last: while other threads map memory, the kernel may tell a part twice.
    """
    in_memory_kb: dict[str, int] = {}
    nameless = None
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if head := re.match(r"^([0-9a-f]+)-[0-9a-f]+ r", line):
            nameless = head[1] if f"{folder}/" in line and line.endswith("(deleted)") else None
        elif nameless is not None and line.startswith("Rss:"):
            in_memory_kb[nameless] = int(line.split()[1])
    assert in_memory_kb, "no file without a name is mapped"
    return sum(in_memory_kb.values())


def test_network_on_the_disk_answers_the_same_and_takes_no_memory(tmp_path: Path) -> None:
    bundle = open_bundle(starter_bundle_path())
    pixels = np.random.default_rng(1).integers(0, 256, (1, 288, 384, 3), np.uint8)
    in_memory = open_backend(bundle).infer(pixels)
    keep_networks_in(tmp_path)
    try:
        backend = open_backend(bundle)
    finally:
        keep_networks_in(None)
    assert list(tmp_path.iterdir()) == []
    answers = backend.infer(pixels)
    # All of its 4.6 MB, were it not left; some kernels map two at once for a touch of a page.
    assert mapped_kb(tmp_path) < 2500
    assert answers.keys() == in_memory.keys()
    assert all(np.array_equal(answers[name], in_memory[name]) for name in answers)


def test_network_on_the_disk_has_its_bytes_and_no_name(disk: Path) -> None:
    with on_disk(b"weights") as file:
        assert file is not None
        assert Path(file.path).read_bytes() == b"weights"
        assert list(disk.iterdir()) == []


@pytest.mark.parametrize("folder", [None, Path("/nowhere"), Path("/proc")])
def test_network_stays_in_memory_where_the_disk_is_no_help(folder: Path | None) -> None:
    keep_networks_in(folder)
    try:
        with on_disk(b"weights") as file:
            assert file is None
    finally:
        keep_networks_in(None)


@pytest.mark.usefixtures("disk")
def test_network_on_the_disk_that_is_none_is_refused() -> None:
    with pytest.raises(BackendError, match="cannot load the network"):
        LiteRtNetwork(b"no network" * 100, 1, LITERT_MODULE)
