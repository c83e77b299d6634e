"""kill -9 of a scan: it goes on where it was, finds the same, and looks at nothing twice."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import pytest

from cloud.datasets.video import to_rgb
from edge_agent.vision.arrays import Rgb
from tests.system.loop import wait_until

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]

CLIP = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
_FRAMES, _FPS = 120, 10
_LIMIT_S = 240.0


@dataclass(frozen=True)
class Scan:
    """How far a scan is: its key frames were looked at, so many seconds were, at so many pictures."""

    glanced: bool
    until_s: float
    looks: int


Told = list[tuple[str, float, float, float]]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Return 15 seconds in which people walk."""
    if not CLIP.exists():
        pytest.skip("opencv-doc is not installed")
    with av.open(str(CLIP)) as clip:
        pictures = [to_rgb(frame, CLIP) for frame in islice(clip.decode(video=0), _FRAMES)]
    return _written(tmp_path / "yard.mp4", pictures)


def _written(path: Path, pictures: Sequence[Rgb]) -> Path:
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=_FPS, options={"g": "40", "preset": "ultrafast"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, _FPS)
        for rgb in pictures:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        output.mux(stream.encode())
    return path


def begin(home: Path, film: Path) -> subprocess.Popen[str]:
    """Start the command that scans."""
    program = str(Path(sys.executable).with_name("elfowl-cloud"))
    options = ["--detector", "starter", "--began", "2026-11-28T10:30", "--home", str(home), "--json"]
    command = [program, "scan", str(film), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def ended(process: subprocess.Popen[str]) -> int:
    """Let a scan come to its end; return at how many pictures it looked."""
    output, _ = process.communicate(timeout=_LIMIT_S)
    assert process.returncode == 0
    return int(json.loads(output)["looks"])


def killed_when(home: Path, film: Path, so_far: Callable[[Scan], bool]) -> int:
    """Kill a scan as soon as it is that far; return how many looks are kept."""
    process = begin(home, film)
    try:
        wait_until(lambda: any(map(so_far, scans_of(home))), _LIMIT_S, process.poll)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    (scan,) = scans_of(home)
    return scan.looks


def scans_of(home: Path) -> list[Scan]:
    """Read how far scans are, of a database that another process may only be making."""
    try:
        rows = asked(home, "SELECT glanced, until, looks FROM scans")
    except sqlite3.OperationalError:
        return []
    return [Scan(bool(glanced), until, looks) for glanced, until, looks in rows]


def asked(home: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{home}/elfowl.sqlite?mode=ro", uri=True, timeout=60.0)) as database:
        return database.execute(query).fetchall()


def told(home: Path) -> Told:
    """Return what is known: label, begin, end and best score of each event."""
    bodies = [json.loads(body) for (body,) in asked(home, "SELECT body FROM event_states")]
    return sorted((one["label"], one["start_time"], one["end_time"], one["top_score"]) for one in bodies)


def test_scan_killed_twice_ends_as_one_that_was_left_alone(tmp_path: Path, film: Path) -> None:
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    whole = ended(begin(alone, film))
    assert len(told(alone)) > 0

    killed_when(killed, film, lambda scan: scan.glanced)
    kept = killed_when(killed, film, lambda scan: scan.until_s > 0.0)
    last = ended(begin(killed, film))

    assert told(killed) == told(alone)
    assert 0 < kept <= whole
    assert last <= whole - kept
    assert ended(begin(killed, film)) == 0
