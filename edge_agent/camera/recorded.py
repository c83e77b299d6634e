"""Recorded cases: the pictures of a camera without loss, with the exact moments of their capture.

A folder holds one PNG a picture and `case.jsonl`: a line that names the format, then a line a picture,
written when its picture is there. So a recording that was cut off is good up to its last line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_agent.camera.decoded import to_rgb
from edge_agent.camera.frame import Frame
from edge_agent.errors import CameraError, ConfigError, StorageError

CASE_FILE = "case.jsonl"


class _Head(BaseModel):
    """The first line."""

    model_config = ConfigDict(extra="ignore")
    schema_version: Literal[1] = Field(1, alias="schema")


class _Line(BaseModel):
    """One picture."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    file: Annotated[str, Field(pattern=r"^[0-9]{6,12}\.png$")]
    index: int = Field(ge=0)
    time_s: float
    monotonic_s: float


class CaseRecorder:
    """Writes a case, picture by picture."""

    def __init__(self, folder: Path) -> None:
        """Begin a case in a new or empty folder.

        Raises:
            StorageError: The folder holds something already, or cannot be written.
        """
        self._folder = folder
        self.pictures = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            occupied = any(folder.iterdir())
        except OSError as error:
            raise _cannot_write(folder, error) from error
        if occupied:
            message = f"{folder}: is not empty; name a new folder for each case"
            raise StorageError(message)
        self._append(json.dumps({"schema": 1}))

    def add(self, frame: Frame) -> None:
        """Keep a picture.

        Raises:
            StorageError: The disk is full or read-only; the case is good up to the picture before.
        """
        line = _Line(
            file=f"{self.pictures:06}.png",
            index=frame.index,
            time_s=frame.time_s,
            monotonic_s=frame.monotonic_s,
        )
        try:
            (self._folder / line.file).write_bytes(_png(frame.rgb))
        except OSError as error:
            raise _cannot_write(self._folder, error) from error
        self._append(line.model_dump_json())
        self.pictures += 1

    def _append(self, line: str) -> None:
        try:
            with (self._folder / CASE_FILE).open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise _cannot_write(self._folder, error) from error


class CaseSource:
    """Gives the pictures of a case, each with the moment of its capture; implements `FrameSource`."""

    def __init__(self, folder: Path) -> None:
        """Read what there is.

        Raises:
            ConfigError: The folder holds no case.
        """
        self._folder = folder
        self._lines = _read_lines(folder / CASE_FILE)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the pictures in their order.

        Raises:
            CameraError: A picture is missing or damaged.
        """
        for line in self._lines:
            rgb = _read_picture(self._folder / line.file)
            yield Frame(rgb, line.index, line.time_s, line.monotonic_s)

    def close(self) -> None:
        """Let go; there is nothing to let go of."""


def _read_lines(path: Path) -> tuple[_Line, ...]:
    try:
        head, *lines = path.read_text(encoding="utf-8").splitlines()
        _Head.model_validate_json(head)
        return tuple(_Line.model_validate_json(line) for line in _whole(lines))
    except FileNotFoundError:
        message = f"{path.parent}: holds no {CASE_FILE}; record a case with: elfowl-agent record"
        raise ConfigError(message) from None
    except OSError as error:
        message = f"{path}: {error.strerror}; name a folder that this user may read"
        raise ConfigError(message) from error
    except (ValueError, ValidationError) as error:
        message = f"{path}: is damaged, or from a newer version of elfowl; record the case again"
        raise ConfigError(message) from error


def _whole(lines: list[str]) -> list[str]:
    """Leave out a last line that a cut left half written."""
    return lines[:-1] if lines and not lines[-1].endswith("}") else lines


def _png(rgb: NDArray[np.uint8]) -> bytes:
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = rgb.shape[1], rgb.shape[0], "rgb24"
    packets = encoder.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24"))
    return b"".join(bytes(packet) for packet in [*packets, *encoder.encode(None)])


def _read_picture(path: Path) -> NDArray[np.uint8]:
    try:
        with av.open(str(path), mode="r", options={"protocol_whitelist": "file"}) as container:
            return to_rgb(next(container.decode(video=0)), None)
    except (FFmpegError, StopIteration, IndexError) as error:
        message = f"{path}: is missing or damaged; record the case again"
        raise CameraError(message) from error


def _cannot_write(folder: Path, error: OSError) -> StorageError:
    return StorageError(f"{folder}: {error.strerror}; name a folder with room that this user may write")
