"""The process that teaches while somebody draws: `python -m cloud.worker.teach SOCKET`.

One thread learns, one answers what the live detector sees: two cores, one thread of a network each.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import simplejpeg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from cloud.errors import InputError, NotFoundError
from cloud.ingest.live import LiveFeed
from cloud.jobs.teaching_protocol import (
    CANCEL_PATH,
    DETECT_PATH,
    STATES_PATH,
    TEACH_PATH,
    LiveDetections,
    LiveState,
)
from cloud.processes import exit_with_parent
from cloud.worker.teacher import Teacher
from edge_agent.errors import ElfowlError
from edge_agent.vision.arrays import Rgb

_LOG = logging.getLogger(__name__)
_MOST_BYTES = 1_500_000_000
"""Beyond this a session that nobody uses is given up after each update; one alone stays."""

_STATUS: tuple[tuple[type[ElfowlError], int], ...] = ((NotFoundError, 404), (InputError, 422))


class States:
    """News of states, from the teaching thread to whoever listens."""

    def __init__(self) -> None:
        self._feed = LiveFeed()

    def publish(self, state: LiveState) -> None:
        """Tell a new state; called from any thread."""
        self._feed.publish({"state": state.model_dump_json()})

    async def lines(self, teacher: Teacher) -> AsyncIterator[str]:
        """Yield each state as a line of JSON, those that hold now first."""
        with self._feed.listen() as news:
            for state in teacher.states():
                yield state.model_dump_json() + "\n"
            while True:
                yield (await news.get())["state"] + "\n"


def make_app(teacher: Teacher, states: States) -> Starlette:
    """Return the worker's application around a teacher that runs in a thread of its own."""
    executor = ThreadPoolExecutor(1, thread_name_prefix="look")

    async def teach(request: Request) -> Response:
        teacher.teach(request.query_params["detector"])
        return Response(status_code=202)

    async def cancel(request: Request) -> Response:
        teacher.cancel(request.query_params["detector"])
        return Response(status_code=202)

    def look(detector_id: str, jpeg: bytes) -> LiveDetections:
        learned, learned_s = teacher.learned(detector_id)
        seen = learned.detector.detect(_decode(jpeg))
        return LiveDetections(learned=learned_s, frames=learned.frames, detections=tuple(seen))

    async def detect(request: Request) -> Response:
        jpeg = await request.body()
        detector_id = request.query_params["detector"]
        try:
            seen = await asyncio.get_running_loop().run_in_executor(executor, look, detector_id, jpeg)
        except ElfowlError as error:
            status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
            return PlainTextResponse(str(error), status)
        return Response(seen.model_dump_json(), media_type="application/json")

    async def follow(_request: Request) -> Response:
        return StreamingResponse(states.lines(teacher), media_type="application/x-ndjson")

    return Starlette(
        routes=[
            Route(TEACH_PATH, teach, methods=["POST"]),
            Route(CANCEL_PATH, cancel, methods=["POST"]),
            Route(DETECT_PATH, detect, methods=["POST"]),
            Route(STATES_PATH, follow, methods=["GET"]),
        ]
    )


def _decode(jpeg: bytes) -> Rgb:
    try:
        return np.asarray(simplejpeg.decode_jpeg(jpeg, colorspace="RGB"), np.uint8)
    except ValueError as error:
        message = "the picture is damaged"
        raise InputError(message) from error


def _teach(teacher: Teacher) -> None:
    """Load everything, then teach."""
    from cloud.training.config import TrainConfig  # noqa: PLC0415 - below torch: seconds
    from cloud.worker.warm_up import warm_up  # noqa: PLC0415

    try:
        warm_up(TrainConfig())
    except Exception:  # noqa: BLE001 - the thread must live on: the first lesson says what is wrong
        _LOG.exception("cannot get ready to teach")
    teacher.run()


def main(socket_path: str) -> None:
    """Serve on a socket until the parent ends."""
    exit_with_parent()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    from cloud.actions.open_home import open_home  # noqa: PLC0415 - the database, and below torch: seconds
    from cloud.settings import settings_from  # noqa: PLC0415
    from cloud.worker.live_session import StoreSession  # noqa: PLC0415

    home = open_home(settings_from())
    states = States()
    process = psutil.Process()
    teacher = Teacher(
        lambda detector_id: StoreSession(home, detector_id),
        states.publish,
        home.clock,
        is_full=lambda: process.memory_info().rss > _MOST_BYTES,
    )
    thread = threading.Thread(target=_teach, args=(teacher,), name="teach", daemon=True)
    thread.start()
    app = make_app(teacher, states)
    uvicorn.run(app, uds=socket_path, log_level="warning", timeout_graceful_shutdown=1)
    teacher.close()


if __name__ == "__main__":
    main(sys.argv[1])
