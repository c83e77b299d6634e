"""The process that answers offloaded pictures: `python -m cloud.offload.worker SOCKET DETECTORS`.

One thread runs networks, for more would only slow each other down; detectors stay loaded while they are used.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import simplejpeg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from cloud.errors import BusyError, InputError, NotFoundError
from cloud.offload.protocol import INFER_PATH, LOAD_PATH, Inferred, newest_folders
from cloud.processes import exit_with_parent
from edge_agent.clock import Clock, SystemClock
from edge_agent.errors import ElfowlError
from edge_agent.wire.detection import Detection, DetectorRef

_LOG = logging.getLogger(__name__)
_KEPT = 8
_STATUS: tuple[tuple[type[ElfowlError], int], ...] = (
    (NotFoundError, 404),
    (InputError, 422),
    (BusyError, 503),
)


class Answering(Protocol):
    """A loaded detector."""

    @property
    def ref(self) -> DetectorRef:
        """Return which detector and version this is."""
        ...

    def detect(self, rgb: npt.NDArray[np.uint8]) -> list[Detection]:
        """Return what is seen in `(h, w, 3) uint8 RGB`."""
        ...


Load = Callable[[Path], Answering]


class LoadedDetectors:
    """The last few detectors that were asked; the one unused for longest goes first."""

    def __init__(self, load: Load, kept: int = _KEPT) -> None:
        self._load = load
        self._kept = kept
        self._detectors: OrderedDict[Path, Answering] = OrderedDict()

    def get(self, folder: Path) -> Answering:
        """Return the detector of a folder, loading it when needed.

        Raises:
            ElfowlError: It cannot be loaded.
        """
        if folder not in self._detectors:
            if not folder.is_dir():
                message = f"this cloud has no trained detector in {folder.parent.name}/{folder.name}"
                raise NotFoundError(message)
            self._detectors[folder] = self._load(folder)
            while len(self._detectors) > self._kept:
                self._detectors.popitem(last=False)
        self._detectors.move_to_end(folder)
        return self._detectors[folder]


def make_app(load: Load, clock: Clock, first: Sequence[Path] = ()) -> Starlette:
    """Return the worker's application; it loads the detectors of the folders in `first` at once."""
    loaded = LoadedDetectors(load)
    executor = ThreadPoolExecutor(1, thread_name_prefix="infer")

    def infer(folder: Path, jpeg: bytes, asked_s: float, deadline_ms: float) -> Inferred:
        started_s = clock.monotonic_s()
        waited_ms = (started_s - asked_s) * 1000
        if waited_ms > deadline_ms:
            message = f"the picture waited {waited_ms:.0f} ms, longer than its deadline"
            raise BusyError(message, retry_after_s=1.0)
        detector = loaded.get(folder)
        detections = detector.detect(_decode(jpeg))
        return Inferred(
            detector=detector.ref,
            detections=tuple(detections),
            inference_ms=(clock.monotonic_s() - started_s) * 1000,
            waited_ms=waited_ms,
        )

    async def answer(request: Request) -> Response:
        asked_s = clock.monotonic_s()
        jpeg = await request.body()
        query = request.query_params
        arguments = Path(query["folder"]), jpeg, asked_s, float(query["deadline_ms"])
        try:
            result = await asyncio.get_running_loop().run_in_executor(executor, infer, *arguments)
        except ElfowlError as error:
            status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
            return PlainTextResponse(str(error), status)
        return Response(result.model_dump_json(), media_type="application/json")

    async def get_ready(request: Request) -> Response:
        executor.submit(_load_quietly, loaded, Path(request.query_params["folder"]))
        return Response(status_code=202)

    for folder in first:
        executor.submit(_load_quietly, loaded, folder)
    routes = [
        Route(INFER_PATH, answer, methods=["POST"]),
        Route(LOAD_PATH, get_ready, methods=["POST"]),
    ]
    return Starlette(routes=routes)


def _load_quietly(loaded: LoadedDetectors, folder: Path) -> None:
    """Load a detector and run it once, for the first run is slow; whoever asks later hears what is wrong."""
    try:
        loaded.get(folder).detect(np.zeros((64, 64, 3), np.uint8))
    except ElfowlError as error:
        _LOG.warning("%s: %s", folder, error)


def _decode(jpeg: bytes) -> npt.NDArray[np.uint8]:
    try:
        return np.asarray(simplejpeg.decode_jpeg(jpeg, colorspace="RGB"), np.uint8)
    except ValueError as error:
        message = "the picture is damaged"
        raise InputError(message) from error


def _load_full(folder: Path) -> Answering:
    import torch  # noqa: PLC0415 - seconds; the socket shall answer before

    from cloud.detector.files import load_detector  # noqa: PLC0415

    torch.set_num_threads(1)
    detector: Answering = load_detector(folder)
    return detector


def main(socket_path: str, detectors_path: str) -> None:
    """Serve on a socket until the parent ends."""
    exit_with_parent()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    first = newest_folders(Path(detectors_path), _KEPT)
    uvicorn.run(make_app(_load_full, SystemClock(), first), uds=socket_path, log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
