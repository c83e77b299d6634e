"""`unit_costs`: what one stream and one event cost beside looking; the capacity planner reckons with it.

All is processor time of one thread, so that others on the machine matter less. Streams: reading a file as a
camera's, decoding, scaling, and the motion gate. Events: storing batches as those of cameras are. Streams in
the database: what a worker reads and writes of each of them every second.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import psutil
from sqlalchemy import update

from bench.gate import read_clip
from bench.ingesting.crowd import batches_of
from bench.result import Metric, Result, spread
from cloud.ingest.batches import parse_batch, store_batch
from cloud.settings import Settings
from cloud.store import detectors, streams
from cloud.store.database import Database, open_database
from cloud.store.stream_tables import StreamLeaseRow, StreamRow
from cloud.streams.book import Book
from cloud.streams.gaps import Sight, SightLog
from cloud.streams.settings import StreamSettings
from cloud.streams.worker import small_jpeg
from edge_agent.camera.open_source import open_source
from edge_agent.clock import SystemClock
from edge_agent.pipeline.gate import MotionGate
from edge_agent.vision.arrays import Rgb
from edge_agent.vision.resize import resize

SIZES = {"360p": (480, 360), "720p": (1280, 720), "1080p": (1920, 1080)}
CAMERA_FPS, FPS, MOST_PX = 15, 5.0, 1280
TAKEN_FPS = (FPS, float(CAMERA_FPS))
FILM_S, QUICK_FILM_S = 20, 4
EVENTS, QUICK_EVENTS = 5_000, 200
STREAMS, QUICK_STREAMS = 1_000, 50
HELD = 20
"""Streams of one worker."""

_REPEATS = 3
_OPENED = 8
_CODEC = {"preset": "veryfast", "crf": "23", "g": "30", "tune": "zerolatency"}
_NOTES = (
    f"files of {CAMERA_FPS} pictures a second, five or all of which are taken; scaled to {MOST_PX} px",
    "bits: of H.264 by x264 (veryfast, crf 23) of a street where somebody always walks; cameras differ",
    "a stream's memory: unique memory of a process with nine open streams, less that with one, by eight",
    "events: batches of ten, each event a thing of its own, without pictures, into SQLite, not durable",
    f"a worker's look: all streams are read; its beat: {HELD} of its own are written",
)


@dataclass(frozen=True)
class _Sizes:
    """What many events, and one small picture, take in the database."""

    event_bytes: float
    picture_bytes: float


def run(*, quick: bool = False) -> Result:
    """Measure; `quick` takes little of each, once."""
    repeats = 1 if quick else _REPEATS
    clip = read_clip()[: 10 * CAMERA_FPS]
    with TemporaryDirectory() as name:
        folder = Path(name)
        films = {
            size: _write_film(folder / f"{size}.mp4", clip, size, QUICK_FILM_S if quick else FILM_S)
            for size in SIZES
        }
        metrics: dict[str, Metric] = {
            "bring_cpu_ms_a_second": {
                size: {
                    f"{fps:g}_fps": spread([_bring_ms(film, fps) for _ in range(repeats)])
                    for fps in TAKEN_FPS
                }
                for size, film in films.items()
            },
            "stream_bits_per_s": {size: _bits_per_s(film) for size, film in films.items()},
            "stream_bytes": {size: _open_bytes(film) for size, film in films.items()},
            **_event_costs(folder / "events", QUICK_EVENTS if quick else EVENTS, clip[0]),
            **_book_costs(folder / "book", QUICK_STREAMS if quick else STREAMS, repeats),
        }
    load = f"load of the machine (mean of a minute) {os.getloadavg()[0]:.1f} at the end"
    return Result("unit_costs", "none: these are costs, not comparisons", metrics, notes=(*_NOTES, load))


def _write_film(path: Path, clip: Sequence[Rgb], size: str, seconds: int) -> Path:
    width_px, height_px = SIZES[size]
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=CAMERA_FPS, options=_CODEC)
        stream.pix_fmt, stream.width, stream.height = "yuv420p", width_px, height_px
        for number in range(seconds * CAMERA_FPS):
            rgb = resize(clip[_there_and_back(number, len(clip))], width_px, height_px)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")))
        output.mux(stream.encode())
    return path


def _there_and_back(number: int, count: int) -> int:
    """Return which picture comes at a place of a film that never jumps."""
    turn, place = divmod(number, count - 1)
    return place if turn % 2 == 0 else count - 1 - place


def _length_s(film: Path) -> float:
    with av.open(str(film)) as container:
        return float((container.duration or 0) / av.time_base)


def _bits_per_s(film: Path) -> float:
    return 8.0 * film.stat().st_size / _length_s(film)


def _bring_ms(film: Path, fps: float) -> float:
    """Return milliseconds of processor time for each second of a film until it is known what to look at."""
    gate = MotionGate()
    began_s = time.process_time()
    with closing(open_source(str(film), real_time=False, max_fps=fps, max_width_px=MOST_PX)) as source:
        for frame in source:
            gate.decide(frame.rgb, frame.monotonic_s)
    return 1000.0 * (time.process_time() - began_s) / _length_s(film)


def _open_bytes(film: Path) -> float:
    """Return the memory of one open stream, measured in a process that did nothing else."""
    command = [sys.executable, "-m", "bench.unit_costs", str(film)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _grown_bytes(film: str) -> float:
    """Return how much unique memory grows with each open stream that has given a second of pictures."""
    counts, held = [], []
    for number in range(1 + _OPENED):
        held.append(iter(open_source(film, real_time=False, max_fps=FPS, max_width_px=MOST_PX)))
        for _ in range(round(FPS)):
            next(held[-1])
        if number in {0, _OPENED}:
            counts.append(psutil.Process().memory_full_info().uss)
    return float(counts[1] - counts[0]) / _OPENED


def _event_costs(folder: Path, count: int, rgb: Rgb) -> dict[str, Metric]:
    database = open_database(Settings(home=folder).database_path)
    before = _database_bytes(database)
    batches = batches_of("sim-00000", count // 10, 10)
    clock = SystemClock()
    began_s = time.process_time()
    for payload in batches:
        parsed = parse_batch(payload, "sim-00000")
        with database.write() as session:
            store_batch(session, parsed.batch, now_s=clock.now_s())
    cpu_s = time.process_time() - began_s
    sizes = _Sizes((_database_bytes(database) - before) / count, float(len(small_jpeg(rgb))))
    database.close()
    return {
        "store_cpu_ms_an_event": 1000.0 * cpu_s / count,
        "database_bytes_an_event": sizes.event_bytes,
        "picture_bytes_an_event": sizes.picture_bytes,
        "message_bytes_an_event": sum(map(len, batches)) / count,
    }


def _database_bytes(database: Database) -> int:
    with database.read() as session:
        session.connection().exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        pages = session.connection().exec_driver_sql("PRAGMA page_count").scalar_one()
        return int(pages) * int(session.connection().exec_driver_sql("PRAGMA page_size").scalar_one())


def _book_costs(folder: Path, count: int, repeats: int) -> dict[str, Metric]:
    database, clock = open_database(Settings(home=folder).database_path), SystemClock()
    with database.write() as session:
        detector = detectors.create(session, name="persons", labels=["person"], now_s=clock.now_s())
        detectors.add_version(session, detector_id=detector.id, version=1, metrics={}, now_s=clock.now_s())
        for row in _rows(detector.id, count, clock.now_s()):
            streams.add(session, row)
    book = Book(database, clock)
    overview = book.look()
    mine = list(overview.wanted)[:HELD]
    tokens = {one: book.take("w1", overview.wanted[one], overview.leases[one]) for one in mine}
    log = SightLog(clock.now_s())
    log.looked(clock.now_s(), "pictures are coming")
    sights: dict[str, tuple[int, Sight, dict[str, float]]] = {
        one: (held.token, log.take(), {}) for one, held in tokens.items() if held is not None
    }

    def beat() -> None:
        book.beat("w1", sights)

    looks = spread([1e6 * _cpu_s(book.look) / count for _ in range(repeats)])
    beats = spread([1e6 * _cpu_s(beat) / HELD for _ in range(repeats)])
    with database.write() as session:
        # All are held: then each one is looked at before it is known that none is free.
        session.execute(update(StreamLeaseRow).values(holder="w1", beat=clock.now_s()))
    free = spread([1e6 * _cpu_s(book.any_free) / count for _ in range(repeats)])
    database.close()
    return {"look_cpu_us_a_stream": looks, "beat_cpu_us_a_stream": beats, "free_cpu_us_a_stream": free}


def _rows(detector_id: str, count: int, now_s: float) -> Iterator[StreamRow]:
    for number in range(count):
        yield StreamRow(
            id=f"str_{number}",
            name=f"yard-{number}",
            address=f"rtsp://192.0.2.1/{number}",
            detectors=[[detector_id, None]],
            settings=StreamSettings().model_dump_json(),
            paused=False,
            created=now_s,
        )


def _cpu_s(work: Callable[[], object]) -> float:
    began_s = time.process_time()
    work()
    return time.process_time() - began_s


if __name__ == "__main__":
    print(_grown_bytes(sys.argv[1]))
