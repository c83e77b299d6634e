"""A full disk: one clear line, and what was trained before is still there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud.homes import jpeg

DISK = "12m"
_MAIN = "from {}.cli import main; main()"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Return a disk of 12 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def run(home: Path, package: str, *arguments: str) -> tuple[int, str, str]:
    """Run a command as a person without a terminal does; return code, stdout and the last line of stderr."""
    done = subprocess.run(
        [sys.executable, "-c", _MAIN.format(package), *arguments],
        env={**os.environ, "ELFOWL_HOME": str(home), "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, (done.stderr.splitlines() or [""])[-1]


def write_pictures(folder: Path, count: int = 4) -> Path:
    """Write pictures with one box each; return their COCO file."""
    folder.mkdir()
    numbers = range(count)
    for number in numbers:
        (folder / f"{number}.jpg").write_bytes(jpeg(160, 96, grey=40 + 40 * number))
    document = {
        "images": [{"id": n, "file_name": f"{n}.jpg", "width": 160, "height": 96} for n in numbers],
        "categories": [{"id": 1, "name": "thing"}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "bbox": [20, 20, 50, 50]} for n in numbers
        ],
    }
    (folder / "labels.json").write_text(json.dumps(document))
    return folder / "labels.json"


def fill(disk: Path, left_bytes: int) -> None:
    """Leave only so much of the disk."""
    state = os.statvfs(disk)
    (disk / "filler").write_bytes(b"\0" * (state.f_bavail * state.f_frsize - left_bytes))


@pytest.mark.slow  # trains a real detector, twice
def test_full_disk_is_one_line_and_loses_nothing(disk: Path, tmp_path: Path) -> None:
    labels = write_pictures(tmp_path / "pictures")
    home, pictures = disk / "home", str(labels.parent)
    create = ("detector", "create", "--images", pictures, "--labels", str(labels))
    assert run(home, "cloud", *create, "things")[0] == 0
    assert run(home, "cloud", "detector", "train", "things", "--budget", "1s")[0] == 0
    before = run(home, "cloud", "detector", "list", "--json")[1]
    version = sorted(path.name for path in (home / "detectors").glob("*/*/*"))
    fill(disk, 120_000)
    (tmp_path / "pictures" / "0.jpg").write_bytes(
        (tmp_path / "pictures" / "0.jpg").read_bytes() + bytes(300_000)
    )
    for package, *line in (
        ("cloud", *create, "more"),
        ("cloud", "detector", "train", "things", "--budget", "1s"),
        ("cloud", "detector", "compress", "things", "--profile", "pi-4"),
        ("compress", "run", "things", "--profile", "pi-4", "--out", str(disk / "out")),
    ):
        code, out, last = run(home, package, *line)
        assert (code, out) == (1, ""), (line, last)
        assert last.startswith(f"elfowl-{package}: "), (line, last)
        assert "space" in last, (line, last)
    assert run(home, "cloud", "detector", "list", "--json")[1] == before
    assert sorted(path.name for path in (home / "detectors").glob("*/*/*")) == version
    assert not (disk / "out").exists()
