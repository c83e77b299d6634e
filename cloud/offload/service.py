"""The web side of offload: admits what can be answered in time, and keeps the worker process alive.

Invariants:
- A picture that cannot be answered is refused with an error, never answered with an empty list.
- At most `_ROOM` pictures wait; who would wait beyond its deadline is refused at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import simplejpeg

from cloud.errors import BusyError, InputError, NotFoundError
from cloud.offload.protocol import INFER_PATH, LOAD_PATH, Inferred, any_trained, version_folder
from cloud.processes import ONE_THREAD, Supervisor, start_child
from cloud.settings import Settings
from edge_agent.clock import Clock
from edge_agent.errors import BackendError
from edge_agent.wire.offload import OffloadReply, OffloadRequest

_ROOM = 16
_MAX_JPEG_BYTES = 8_000_000
_MAX_PIXELS = 16_000_000
_FIRST_GUESS_MS = 80.0
_STARTING_S = 3.0
_SMOOTHING = 0.2


class OffloadService:
    """Answers pictures with the full detector, through one worker process."""

    def __init__(self, settings: Settings, clock: Clock, *, socket_path: Path | None = None) -> None:
        """Make the service; with `socket_path` an existing worker is used instead of one of our own."""
        self._settings = settings
        self._clock = clock
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if socket_path is None:
            # A folder of our own: paths of sockets are short (108 bytes), and nobody else may connect.
            self._folder = tempfile.TemporaryDirectory(prefix="elfowl-")
            socket_path = Path(self._folder.name) / "offload.sock"
        self._socket_path = socket_path
        self._supervisor: Supervisor | None = None
        self._waiting = 0
        self._usual_ms = _FIRST_GUESS_MS
        self._http = httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(socket_path)))
        self.answered = 0

    @property
    def process_id(self) -> int | None:
        """Return the worker's process id while it runs."""
        return None if self._supervisor is None else self._supervisor.process_id

    def warm(self) -> None:
        """Start the worker when there is any detector to answer with."""
        if self._folder is None or self._supervisor is not None:
            return
        if any_trained(self._settings.detectors_path):
            self._supervisor = Supervisor("offload worker", self._start_worker, self._clock)
            self._supervisor.start()

    async def get_ready(self, detector_id: str) -> None:
        """Load the newest version of a detector before the first camera asks for it."""
        self.warm()
        folder = version_folder(self._settings.detectors_path, detector_id, None)
        with contextlib.suppress(httpx.HTTPError):
            # A worker that is only starting loads it by itself.
            await self._http.post(f"http://worker{LOAD_PATH}", params={"folder": str(folder)})

    async def stop(self) -> None:
        """End the worker."""
        await self._http.aclose()
        if self._supervisor is not None:
            await asyncio.to_thread(self._supervisor.stop)
        if self._folder is not None:
            self._folder.cleanup()

    async def answer(self, request: OffloadRequest, jpeg: bytes) -> OffloadReply:
        """Answer one picture.

        Raises:
            InputError: It is not a JPEG, or too large.
            NotFoundError: This cloud has no such detector.
            BusyError: It would take longer than the deadline.
            BackendError: The detector could not be run.
        """
        check_picture(jpeg)
        folder = version_folder(self._settings.detectors_path, request.detector_id, request.detector_version)
        expected_ms = (self._waiting + 1) * self._usual_ms
        if self._waiting >= _ROOM or expected_ms > request.deadline_ms:
            message = f"{self._waiting} pictures wait already; an answer would take {expected_ms:.0f} ms"
            raise BusyError(message, retry_after_s=max(1.0, expected_ms / 1000))
        self._waiting += 1
        try:
            inferred = await self._ask(folder, jpeg, request.deadline_ms)
        finally:
            self._waiting -= 1
        self._usual_ms += _SMOOTHING * (inferred.inference_ms - self._usual_ms)
        self.answered += 1
        return OffloadReply(
            request_id=request.request_id,
            detector=inferred.detector,
            detections=inferred.detections,
            inference_ms=inferred.inference_ms,
            queued_ms=inferred.waited_ms,
        )

    async def _ask(self, folder: Path, jpeg: bytes, deadline_ms: float) -> Inferred:
        self.warm()
        query: dict[str, str | float] = {"folder": str(folder), "deadline_ms": deadline_ms}
        try:
            answer = await self._http.post(
                f"http://worker{INFER_PATH}", params=query, content=jpeg, timeout=deadline_ms / 1000
            )
        except httpx.TimeoutException as error:
            message = f"no answer within {deadline_ms:.0f} ms"
            raise BusyError(message, retry_after_s=1.0) from error
        except httpx.TransportError as error:
            message = "the offload worker is starting"
            raise BusyError(message, retry_after_s=_STARTING_S) from error
        if answer.status_code == httpx.codes.OK:
            return Inferred.model_validate_json(answer.content)
        detail = answer.text
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFoundError(detail)
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            raise InputError(detail)
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            raise BusyError(detail, retry_after_s=1.0)
        raise BackendError(detail)

    def _start_worker(self) -> subprocess.Popen[str]:
        self._socket_path.unlink(missing_ok=True)
        paths = (str(self._socket_path), str(self._settings.detectors_path))
        command = [sys.executable, "-m", "cloud.offload.worker", *paths]
        return start_child(command, environment=ONE_THREAD)


def check_picture(jpeg: bytes) -> None:
    """Check what can be checked without decoding.

    Raises:
        InputError: It is not a JPEG, or too large.
    """
    if len(jpeg) > _MAX_JPEG_BYTES:
        message = f"the picture has {len(jpeg)} bytes; at most {_MAX_JPEG_BYTES} are taken"
        raise InputError(message)
    try:
        height_px, width_px, _, _ = simplejpeg.decode_jpeg_header(jpeg)
    except ValueError as error:
        message = "the picture is not a JPEG"
        raise InputError(message) from error
    if height_px * width_px > _MAX_PIXELS:
        message = f"the picture is {width_px}x{height_px} px; at most {_MAX_PIXELS} pixels are taken"
        raise InputError(message)
