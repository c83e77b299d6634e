"""`agent`: the whole agent on a recorded 360p stream; baseline: a bare loop over the same pictures.

Every figure is of a process of its own with the agent's real parts: gate, cure, track, spool, key frames, and
MQTT to a real Mosquitto. The detector is the starter bundle (int8, 384 x 288, LiteRT). The stream is
`vtest.avi` at 480 x 360, where somebody always walks, as H.264 with ten pictures a second.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from bench.agenting.broker import HeardBroker
from bench.agenting.child import SMALL_PROFILE, WARM_PICTURES
from bench.agenting.day import EVENTS_A_DAY
from bench.agenting.memory import PeakMemory, own_packages
from bench.gate import (
    CAMERA_FPS,
    STRETCHES,
    missing,
    mixed_pictures,
    read_clip,
    still_pictures,
    watch,
    write_film,
)
from bench.result import Metric, Result, spread
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.report.keyframes import QUALITY, THRIFTY_QUALITY
from edge_agent.report.snapshots import encode_jpeg, make_snapshot
from edge_agent.starter.location import starter_bundle_path
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.event import Event

ROUNDS = 5
_LIVE_S = 60
_SATURATED_PICTURES = 150
_STILL_S = 120
_BETWEEN_S = 25
_CONFIG = """\
device: bench
profile: {profile}
bundle: starter
mqtt: {{host: 127.0.0.1, port: {port}}}
cameras: [{{name: front, source: {film}, fps: 5}}]
"""
_NOTES = (
    "detector: the starter bundle, int8, LiteRT, one thread; 480 x 360 H.264, ten pictures a second",
    "fps: pictures taken one by one, as fast as can be, decoding on both sides: by the agent in its capture,",
    "as always a thread of its own, by the bare loop in its only one; cpu: by processor time",
    "one core: the same where both have a single one",
    "bare share: of decoding and detector in the saturated agent itself, where others disturb both alike",
    "added: from a picture at the camera's thread to its event at an MQTT client, less the detector; its",
    "conversion to RGB is in it",
    "memory: peak PSS, with copies of the libraries that no other process maps; resident: shared pages too",
    "lean: profile arm64-128mb, no OpenCV, code without its docstrings, as its package says to start it",
    "still cpu: of the live agent, decoding included, from 15 s after its start",
    f"written: {EVENTS_A_DAY} events with the documents of the live run, in a simulated day, by /proc/PID/io",
)


@dataclass(frozen=True)
class Pace:
    """Pictures a second, processor time a picture, and the shares of both that a bare loop needs too.

    The shares are of one and the same run: what disturbs it disturbs both alike.
    """

    fps: float
    cpu_ms: float
    needed_share: float
    needed_cpu_share: float


@dataclass(frozen=True)
class Live:
    """What came of a live run."""

    peak: PeakMemory
    cpu_ms_a_second: float
    added_ms: Sequence[float]
    stories: Sequence[Sequence[Event]]
    written_bytes: int


def run(*, quick: bool = False) -> Result:
    """Measure; `quick` for a short time each."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        clip = read_clip()
        films = _write_films(folder, clip, quick=quick)
        own_packages(folder / "packages")
        rounds, on_one_core = [], []
        for _ in range(1 if quick else ROUNDS):
            rounds.append(_saturate(folder, films["short"]))
            with _one_core():
                on_one_core.append(_saturate(folder, films["short"]))
        live_s = 30 if quick else _LIVE_S
        busy = _live(folder, films["busy"], "x86-64", live_s)
        still = _live(folder, films["still"], "x86-64", live_s)
        lean = _live(folder, films["busy"], SMALL_PROFILE, 30)
        written, with_key_frame = _live_through_a_day(folder, busy.stories, clip[100])
        expected, gated = _look_at(films["mixed"])
    agent_fps, bare_fps = [agent.fps for agent, _ in rounds], [bare.fps for _, bare in rounds]
    p99, p50 = np.percentile(busy.added_ms, [99, 50])
    metrics: dict[str, Metric] = {
        "fps": spread(agent_fps),
        "bare_fps": spread(bare_fps),
        "added_p50_ms": float(p50),
        "added_p99_ms": float(p99),
        "events_timed": len(busy.added_ms),
        "peak_rss_bytes": busy.peak.pss_bytes,
        "lean_peak_rss_bytes": lean.peak.pss_bytes,
        "peak_resident_bytes": busy.peak.resident_bytes,
        "lean_peak_resident_bytes": lean.peak.resident_bytes,
        "cpu_ms_a_second": {"busy": busy.cpu_ms_a_second, "still": still.cpu_ms_a_second},
        "events": expected,
        "events_missed": expected - gated,
        "documents_an_event": len(busy.added_ms) and sum(map(len, busy.stories)) / len(busy.stories),
        "written_bytes_per_day": sum(written.values()),
        "events_with_key_frame": with_key_frame,
        "written_bytes_per_day_of": dict(written.items()),
    }
    ratios: dict[str, Metric] = {
        "fps_of_bare_loop": median(agent.fps / bare.fps for agent, bare in rounds),
        "fps_of_bare_loop_spread": spread([agent.fps / bare.fps for agent, bare in rounds]),
        "fps_of_bare_loop_by_cpu": spread([bare.cpu_ms / agent.cpu_ms for agent, bare in rounds]),
        "fps_of_bare_loop_on_one_core": spread([agent.fps / bare.fps for agent, bare in on_one_core]),
        "bare_share_of_time": spread([agent.needed_share for agent, _ in rounds]),
        "bare_share_of_cpu": spread([agent.needed_cpu_share for agent, _ in rounds]),
        "still_cpu_of_busy": still.cpu_ms_a_second / busy.cpu_ms_a_second,
    }
    return Result(
        "agent", "a bare loop: same pictures, runtime and network, nothing else", metrics, ratios, _NOTES
    )


def _write_films(folder: Path, clip: Sequence[Rgb], *, quick: bool) -> dict[str, Path]:
    films = {name: folder / f"{name}.mp4" for name in ("busy", "short", "still", "mixed")}
    write_film(films["busy"], clip)
    write_film(films["short"], clip[: 80 if quick else _SATURATED_PICTURES])
    write_film(films["still"], still_pictures(clip, _STILL_S * CAMERA_FPS))
    stretches = STRETCHES[:1] if quick else STRETCHES
    write_film(films["mixed"], mixed_pictures(clip, stretches, _BETWEEN_S * CAMERA_FPS))
    return films


def _start(
    folder: Path, mode: str, film: Path, profile: str, port: int
) -> tuple[subprocess.Popen[bytes], Path]:
    home = folder / f"{mode}-{time.monotonic_ns()}"
    home.mkdir()
    (home / "agent.yaml").write_text(_CONFIG.format(profile=profile, port=port, film=film))
    out = home / "out.json"
    words = [
        sys.executable,
        "-m",
        "bench.agenting.child",
        mode,
        str(film),
        str(home / "agent.yaml"),
        str(out),
    ]
    environment = os.environ | {
        "PYTHONPATH": f"{folder / 'packages'}{os.pathsep}{Path.cwd()}",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "1",
        "PYTHONOPTIMIZE": "2" if profile == SMALL_PROFILE else "0",
    }
    return subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL), out


@contextmanager
def _one_core() -> Iterator[None]:
    """Let processes that are started meanwhile share one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _saturate(folder: Path, film: Path) -> tuple[Pace, Pace]:
    """Return the pace of the agent and of the bare loop, one after the other."""
    with HeardBroker(folder) as broker:
        agent, agent_out = _start(folder, "saturated", film, "x86-64", broker.port)
        agent.wait(300)
    bare, bare_out = _start(folder, "bare", film, "x86-64", 1)
    bare.wait(300)
    return _pace(agent_out), _pace(bare_out)


def _pace(out: Path) -> Pace:
    """Return the pace once it is warm; pictures that the gate passed over do not count."""
    told = json.loads(out.read_text())
    looks = told["looks"][WARM_PICTURES:]
    passed_over = sum(1 for look in looks[:-1] if look[2] == 0.0)
    count = len(looks) - 1 - passed_over
    took_s, cpu_s, needed_s, needed_cpu_s = (looks[-1][at] - looks[0][at] for at in (1, 3, 4, 5))
    return Pace(count / took_s, 1000.0 * cpu_s / count, needed_s / took_s, needed_cpu_s / cpu_s)


def _live(folder: Path, film: Path, profile: str, seconds: float) -> Live:
    with HeardBroker(folder) as broker:
        process, out = _start(folder, "live", film, profile, broker.port)
        peak = PeakMemory(process.pid)
        time.sleep(seconds)
        peak.stop()
        process.terminate()
        process.wait(60)
    told = json.loads(out.read_text())
    stories: dict[str, list[Event]] = defaultdict(list)
    for _, event in broker.heard:
        stories[event.id].append(event)
    whole = [story for story in stories.values() if story[-1].event_type == "end"]
    cpu_ms = 1000.0 * told["cpu_s"] / told["wall_s"] if told["wall_s"] > 1.0 else float("nan")
    return Live(peak, cpu_ms, _added_ms(told["looks"], broker.heard), whole, told["written_bytes"])


def _added_ms(looks: Sequence[Sequence[float]], heard: Sequence[tuple[float, Event]]) -> list[float]:
    moments = {time_s: (handed_s, took_s) for time_s, handed_s, took_s, *_ in looks}
    timed = []
    for heard_s, event in heard:
        if event.event_type != "end" and event.frame_time in moments:
            handed_s, took_s = moments[event.frame_time]
            timed.append(1000.0 * (heard_s - handed_s - took_s))
    return timed


def _live_through_a_day(
    folder: Path, stories: Sequence[Sequence[Event]], picture: Rgb
) -> tuple[dict[str, int], float]:
    """Return the bytes written a day by part, and the share of events that have a key frame."""
    (folder / "stories.json").write_text(
        json.dumps([[json.loads(event.to_json()) for event in story] for story in stories])
    )
    (folder / "thumbnail.jpg").write_bytes(
        make_snapshot(picture, np.array([[0.2, 0.2, 0.4, 0.8]], np.float32))
    )
    for quality in (QUALITY, THRIFTY_QUALITY):
        (folder / f"picture-{quality}.jpg").write_bytes(encode_jpeg(picture, quality))
    written, kept = {}, 0
    disk = Path.cwd() / "build"
    disk.mkdir(exist_ok=True)
    for part in ("spool", "all"):
        # On the disk that this runs from: memory disks write nothing.
        with TemporaryDirectory(dir=disk) as home:
            words = [
                sys.executable,
                "-m",
                "bench.agenting.day",
                str(folder / "stories.json"),
                str(folder),
                home,
                part,
            ]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            told = json.loads(done.stdout)
            written[part], kept = told["written_bytes"], told["key_frames"]
    parts = {"spool": written["spool"], "key_frames": written["all"] - written["spool"]}
    return parts, kept / EVENTS_A_DAY


def _look_at(film: Path) -> tuple[int, int]:
    """Return how many events there are without the gate, and how many of them with it."""
    with closing(BundleDetector.open(starter_bundle_path())) as detector:
        every, gated = watch(film, detector, gated=False), watch(film, detector)
    return len(every.told), len(every.told) - len(missing(every.told, gated.told))
