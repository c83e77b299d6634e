"""What service and workers say to each other over the socket, and where trained detectors lie; no torch.

A message is two lengths (4 bytes each, big-endian), a JSON document and a payload: the picture, or nothing.
Many questions are under way on one connection; answers come in any order and name their question.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import re
import struct
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from cloud.cache.figures import TierFigures
from cloud.errors import BusyError, InputError, NotFoundError
from edge_agent.errors import BackendError, ElfowlError
from edge_agent.wire.base import WHOLE, XyxyNorm
from edge_agent.wire.detection import Detection, DetectorRef

_ID = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
_VERSION = re.compile(r"^v([1-9][0-9]{0,8})$")
_LENGTHS = struct.Struct("!II")
_MOST_DOCUMENT_BYTES = 4_000_000
_MOST_PAYLOAD_BYTES = 16_000_000
_BUSY_S = 1.0
_LOOKED_INTO = 16


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class Ask(_Message):
    """A question: look at the payload with the detector of `folder`, or (`load`) only get it ready.

    `figures` asks what happened in the worker's model cache; then the folder means nothing. `left_ms` is how
    long an answer is of use. A picture that is `alone` shares no batch: workers ended while they had it. It
    shows `part` of a frame.
    """

    number: int
    kind: Literal["look", "load", "figures"] = "look"
    folder: Path = Path()
    left_ms: float = 0.0
    alone: bool = False
    part: XyxyNorm = WHOLE


class Inferred(_Message):
    """What a worker saw.

    `inference_ms` is how long its batch of `batch` pictures took, `waited_ms` how long it stood in the queue.
    """

    detector: DetectorRef
    detections: tuple[Detection, ...]
    inference_ms: float
    waited_ms: float
    batch: int = 1


class Failed(_Message):
    """Why there is no answer."""

    kind: Literal["not_found", "input", "busy", "backend"]
    text: str

    @classmethod
    def of(cls, error: ElfowlError) -> Failed:
        """Return what is told of an error."""
        if isinstance(error, NotFoundError):
            return cls(kind="not_found", text=str(error))
        if isinstance(error, InputError):
            return cls(kind="input", text=str(error))
        return cls(kind="busy" if isinstance(error, BusyError) else "backend", text=str(error))

    def error(self) -> ElfowlError:
        """Return it as the error that it was."""
        if self.kind == "busy":
            return BusyError(self.text, retry_after_s=_BUSY_S)
        kinds = {"not_found": NotFoundError, "input": InputError, "backend": BackendError}
        return kinds[self.kind](self.text)


class Answer(_Message):
    """The answer to the question of the same number."""

    number: int
    inferred: Inferred | None = None
    failed: Failed | None = None
    tiers: tuple[TierFigures, ...] | None = None


GREETING = Answer(number=0)
"""The first message of a worker; the sockets of a process that is being ended still take connections."""


def packed(document: BaseModel, payload: bytes = b"") -> bytes:
    """Return a message as bytes."""
    text = document.model_dump_json().encode()
    return b"".join((_LENGTHS.pack(len(text), len(payload)), text, payload))


async def read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Return document and payload of the next message.

    Raises:
        asyncio.IncompleteReadError: The other side went away.
        ValueError: A length is beyond all bounds.
    """
    document_bytes, payload_bytes = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
    if document_bytes > _MOST_DOCUMENT_BYTES or payload_bytes > _MOST_PAYLOAD_BYTES:
        message = f"a message of {document_bytes} + {payload_bytes} bytes on the socket of the offload worker"
        raise ValueError(message)
    return await reader.readexactly(document_bytes), await reader.readexactly(payload_bytes)


def version_folder(detectors_path: Path, detector_id: str, version: int | None) -> Path:
    """Return the folder of a trained version; the newest when `version` is none.

    Raises:
        NotFoundError: There is no such detector or version.
    """
    if _ID.match(detector_id):
        folder = detectors_path / detector_id
        # Each request asks this: the newest is looked at first, and as a rule alone.
        tried = sorted(_numbers(folder), reverse=True) if version is None else [version]
        for number in tried:
            if os.path.isfile(f"{folder}/v{number}/spec.json"):  # noqa: PTH113 - takes a third of the time
                return folder / f"v{number}"
    which = "" if version is None else f" version {version}"
    message = f"this cloud has no trained detector {detector_id!r}{which}"
    raise NotFoundError(message)


def newest_folders(detectors_path: Path, limit: int) -> list[Path]:
    """Return the newest version of each detector, the most recently trained detectors first."""
    if not detectors_path.is_dir():
        return []
    # A folder is written to when a version comes into it; among very many only the latest are looked into.
    latest = heapq.nlargest(
        _LOOKED_INTO * limit, os.scandir(detectors_path), lambda entry: entry.stat().st_mtime
    )
    known = {Path(entry): _versions(Path(entry)) for entry in latest}
    newest = [folder / f"v{max(versions)}" for folder, versions in known.items() if versions]
    return sorted(newest, key=lambda path: path.stat().st_mtime, reverse=True)[:limit]


def any_trained(detectors_path: Path) -> bool:
    """Return whether there is any detector to answer with."""
    return detectors_path.is_dir() and any(_versions(folder) for folder in detectors_path.iterdir())


def _versions(folder: Path) -> list[int]:
    return [number for number in _numbers(folder) if (folder / f"v{number}" / "spec.json").is_file()]


def _numbers(folder: Path) -> list[int]:
    """Return the numbers of all versions, also of those that are not whole."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - takes a third of the time
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [int(match[1]) for name in names if (match := _VERSION.match(name))]
