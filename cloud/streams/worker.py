"""A process that watches streams: `python -m cloud.streams.worker SEAT`.

Events that were stored are told to the server by the seat's pipe, one JSON document a line. When the server
dies this process watches on for a while, and the next server takes it over.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import simplejpeg

from cloud.accounts.workspaces import HOME
from cloud.cache.plan import CachePlan
from cloud.errors import AwayError
from cloud.settings import Settings, settings_from
from cloud.store.database import Database
from cloud.streams.address import AddressRules, recordings_of
from cloud.streams.alone import leave_when_alone
from cloud.streams.book import Book, DetectorKey, Held, Told, Wanted
from cloud.streams.keeper import STOPPED, Goodbye, Keeper
from cloud.streams.seats import Sitting
from cloud.streams.shared_clock import clock_of
from cloud.streams.turns import Turns
from cloud.streams.watcher import StreamDetector, StreamWatch, WatchPorts
from cloud.subnets.registry import look_in
from edge_agent.camera.frame import FrameSource
from edge_agent.camera.open_source import open_source
from edge_agent.clock import Clock, SystemClock
from edge_agent.errors import ElfowlError
from edge_agent.vision.arrays import Rgb
from edge_agent.vision.resize import resize
from edge_agent.wire.event import Event

_TURN_S = 0.2
_AGAIN_S = 0.5
_MAX_WIDTH_PX = 1280
_SMALL_PX = 320
_JPEG_QUALITY = 80
_WARMED = 8
_NOTHING = np.zeros((64, 64, 3), np.uint8)
_LOG = logging.getLogger(__name__)


def address_rules(settings: Settings, workspace_id: str = HOME) -> AddressRules:
    """Return which addresses this cloud watches for a workspace."""
    return AddressRules(recordings_of(settings, workspace_id), settings.stream_hosts)


def open_frames(rules: AddressRules, wanted: Wanted, clock: Clock) -> FrameSource:
    """Open a stream's address, if it may be opened now.

    Raises:
        InputError: It may not.
        CameraError: It cannot be opened; why, in words.
    """
    return open_source(
        rules.check(wanted.address).location,
        clock=clock,
        loop=True,
        max_width_px=_MAX_WIDTH_PX,
        max_fps=wanted.settings.fps,
        rtsp_transport=wanted.settings.rtsp_transport,
    )


def small_jpeg(rgb: Rgb) -> bytes:
    """Return the small picture of an event for `(h, w, 3) uint8 RGB`."""
    height_px, width_px = rgb.shape[:2]
    scale = min(1.0, _SMALL_PX / max(height_px, width_px))
    small = _shrunk(rgb, max(1, round(width_px * scale)), max(1, round(height_px * scale)))
    return bytes(simplejpeg.encode_jpeg(small, _JPEG_QUALITY, "RGB", colorsubsampling="420"))


def _shrunk(rgb: Rgb, width_px: int, height_px: int) -> Rgb:
    """Return a smaller picture: by whole pixels as far as they go, and the rest between pixels.

    By areas alone it takes four times as long where the old size is no multiple of the new one.
    """
    import cv2

    cells = max(1, rgb.shape[1] // width_px)
    near = resize(rgb, max(width_px, rgb.shape[1] // cells), max(height_px, rgb.shape[0] // cells))
    return np.asarray(cv2.resize(near, (width_px, height_px), interpolation=cv2.INTER_LINEAR), np.uint8)


def serve(
    slot: str,
    settings: Settings,
    database: Database,
    stopping: threading.Event,
    news: Callable[[Sequence[Event]], None],
    goodbye: Callable[[], Goodbye] = lambda: STOPPED,
) -> None:
    """Watch streams until told to stop.

    Args:
        slot: The worker's place: whoever had it before is dead.
        settings: Where things are.
        database: Where streams are.
        stopping: Set when it shall stop.
        news: Hears of events that were stored.
        goodbye: Says, when it is told to stop, why its streams are let go.
    """
    clock = SystemClock()
    worker_id, book = f"{slot}.{os.getpid()}", Book(database, clock_of(database, clock))
    # Whoever had this place before is dead, or this process would not have been started.
    is_away = not _answers(lambda: book.bury(slot))
    # Also when the database is away: by the time it is back this is done.
    from cloud.streams.eyes import SharedDetector, StreamEyes  # noqa: PLC0415 - torch, seconds

    eyes = StreamEyes.of_this_machine(CachePlan.of(settings))
    turns = Turns(eyes.see, clock, most=eyes.most_at_once)
    back_s = _patiently(lambda: book.bury(slot), stopping, clock) if is_away else None

    def open_detector(keys: Sequence[DetectorKey]) -> StreamDetector:
        return SharedDetector(eyes.open(keys), turns.ask)

    def told(held: Held, one: Told) -> None:
        keeper.tell(held, one)

    ports = WatchPorts(
        open_frames=lambda wanted: open_frames(address_rules(settings, wanted.workspace_id), wanted, clock),
        open_detector=open_detector,
        small_jpeg=small_jpeg,
        told=told,
        clock=clock,
        rng=random.Random(),  # noqa: S311 - spreads waits, makes ids; keeps no secret
    )
    back_s = _patiently(lambda: _warm(book, open_detector), stopping, clock) or back_s
    keeper = Keeper(
        worker_id, book, clock, lambda held: StreamWatch(held, ports), news=news, work=turns, back_s=back_s
    )
    while not stopping.is_set():
        keeper.turn()
        stopping.wait(_TURN_S)
    keeper.stop(goodbye())
    turns.close()


def _patiently(work: Callable[[], object], stopping: threading.Event, clock: Clock) -> float | None:
    """Do it, once the database answers; return since when it does, on the monotonic clock, if it was away.

    A new start would take far longer.
    """
    back_s = None
    while not stopping.is_set() and not _answers(work):
        stopping.wait(_AGAIN_S)
        back_s = clock.monotonic_s()
    return back_s


def _answers(work: Callable[[], object]) -> bool:
    """Do it, if the database answers; return whether it does."""
    try:
        work()
    except AwayError as error:
        _LOG.warning("waiting for the database: %s", error)
        return False
    return True


def _warm(book: Book, open_detector: Callable[[Sequence[DetectorKey]], StreamDetector]) -> None:
    """Look once with some detectors of the streams before taking any: the first look takes seconds."""
    # Nobody is buried yet: who could not beat, as the database was away, lives all the same.
    wanted = book.look(bury=False).wanted.values()
    for key in list(dict.fromkeys(key for one in wanted for key in one.detectors))[:_WARMED]:
        try:
            open_detector([key]).detect(_NOTHING)
        except ElfowlError as error:
            _LOG.warning("detector %s, version %d: %s", *key, error)


def say(sitting: Sitting, events: Sequence[Event]) -> None:
    """Tell the server of events, if there is one."""
    for event in events:
        sitting.say(json.dumps({"event": json.loads(event.to_json())}))


def main(seat: Path) -> None:
    """Watch streams until a server says so, or there was none for long."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    sitting = Sitting(seat, SystemClock())
    leave_when_alone(sitting, SystemClock(), stopping.set)
    settings = settings_from()
    look_in(settings.home)
    database = Database(settings.database_url)
    serve(seat.name, settings, database, stopping, lambda events: say(sitting, events))
    database.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
