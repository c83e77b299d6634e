"""What the full detector says, kept, and brought to a student's grid."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from compress.capture import decoder_outputs, normalised
from compress.protocol import Compressible, Rgb
from edge_agent.runtime.npy import read_arrays
from edge_agent.vision.decode import SCORE_FLOOR, decode_head, sigmoid
from edge_agent.vision.letterbox import letterbox
from edge_agent.vision.nms import nms
from edge_agent.wire.detection import Detection
from edge_agent.wire.manifest import Head, InputSpec

Half = npt.NDArray[np.float16]
Float32 = npt.NDArray[np.float32]

THREADS = 2
PAD_VALUE = 127

_LEAST_HEAT = 1e-6


@dataclass(frozen=True)
class LevelAnswer:
    """One level's `heat (h, w, classes)`, 0..1, and `distances (h, w, 4)` in strides, both float16."""

    heat: Half
    distances: Half


Answer = tuple[LevelAnswer, ...]


@dataclass(frozen=True)
class Asked:
    """How a detector is asked and read: what every network of its family shares.

    `input_size_px` is (width, height) of the network that answers.
    """

    detector: Compressible
    input_size_px: tuple[int, int]

    def pixels(self, picture: Rgb) -> Rgb:
        """Return a picture as the network takes it, `(h, w, 3) uint8`."""
        return letterbox(picture, *self.input_size_px, PAD_VALUE).pixels

    def outputs(self, network: nn.Module, pixels: Rgb) -> list[Float32]:
        """Return the raw outputs for pixels of the network's size."""
        with torch.inference_mode():
            batch = torch.from_numpy(normalised(pixels)).permute(2, 0, 1)[None].contiguous()
            return [np.asarray(output.numpy(), np.float32) for output in network(batch)]

    def detections(self, picture: Rgb, answer: Answer, nms_iou: float | None = None) -> tuple[Detection, ...]:
        """Return what an answer means for a picture, down to the lowest score; label names are slugs.

        Args:
            picture: The whole one.
            answer: To its pixels.
            nms_iou: Above it the weaker of two boxes is dropped; none: the detector's own.
        """
        detector = self.detector
        head = Head(
            detector=detector.ref, labels=detector.labels, decoder=detector.decoder, nms_iou=detector.nms_iou
        )
        width_px, height_px = self.input_size_px
        spec = InputSpec(name="image", width_px=width_px, height_px=height_px, dtype="float32")
        named = dict(zip(decoder_outputs(detector.decoder), raw_of(answer), strict=True))
        found = decode_head(head, named, spec, None, score_floor=SCORE_FLOOR)
        kept = nms(
            found.boxes_px, found.scores, found.labels, nms_iou or detector.nms_iou, head.max_detections
        )
        found = found.take(kept)
        placed = letterbox(picture, width_px, height_px, PAD_VALUE).to_source_norm(found.boxes_px)
        return tuple(
            Detection(label=detector.labels[label].slug, score=min(1.0, score), box=tuple(box))
            for box, score, label in zip(
                placed.astype(float).tolist(), found.scores.tolist(), found.labels.tolist(), strict=True
            )
        )


def answer_of(outputs: Sequence[Float32]) -> Answer:
    """Return raw outputs as they are kept."""
    return tuple(
        LevelAnswer(sigmoid(scores[0]).astype(np.float16), np.minimum(boxes[0], 6e4).astype(np.float16))
        for scores, boxes in zip(outputs[::2], outputs[1::2], strict=True)
    )


def raw_of(answer: Answer) -> list[Float32]:
    """Return an answer as a network gives it: logits and distances, `(1, h, w, …) float32`."""
    raw = []
    for level in answer:
        heat = np.clip(level.heat.astype(np.float32), _LEAST_HEAT, 1 - _LEAST_HEAT)
        raw += [np.log(heat / (1 - heat))[None], level.distances.astype(np.float32)[None]]
    return raw


class AnswerStore:
    """Answers in files of their own, by the pixels that were looked at."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def get(self, pixels: Rgb) -> Answer | None:
        """Return the answer to these pixels; none when it is not there, or was not written to its end."""
        try:
            arrays = list(read_arrays(self._file(pixels)).values())
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None
        return tuple(LevelAnswer(*pair) for pair in zip(arrays[::2], arrays[1::2], strict=True))

    def put(self, pixels: Rgb, answer: Answer) -> None:
        """Keep an answer."""
        arrays = [array for level in answer for array in (level.heat, level.distances)]
        np.savez(self._file(pixels), *arrays)

    def _file(self, pixels: Rgb) -> Path:
        return self._folder / f"{hashlib.sha256(pixels.tobytes()).hexdigest()[:32]}.npz"


class Regrid:
    """Brings answers from the grids of one input size to those of another, for pictures of one shape."""

    def __init__(
        self,
        picture_px: tuple[int, int],
        teacher_px: tuple[int, int],
        student_px: tuple[int, int],
        strides: Sequence[int],
    ) -> None:
        """Work out which cell lies where.

        Args:
            picture_px: (width, height) of the pictures.
            teacher_px: Input of the network that answered.
            student_px: Input of the one that is to learn it.
            strides: Of the levels.
        """
        self._is_same = teacher_px == student_px
        old_zoom, old_left = _placed(picture_px, teacher_px)
        new_zoom, new_left = _placed(picture_px, student_px)
        self._zoom = new_zoom / old_zoom
        self._shift = new_left - old_left * self._zoom
        self._student_px, self._strides = student_px, strides

    def __call__(self, answer: Answer) -> Answer:
        """Return the answer on the student's grids."""
        if self._is_same:
            return answer
        return tuple(self._level(level, stride) for level, stride in zip(answer, self._strides, strict=True))

    def _level(self, level: LevelAnswer, stride_px: int) -> LevelAnswer:
        import cv2

        columns, rows = (side // stride_px for side in self._student_px)
        across, down = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
        shift = np.asarray(self._shift / stride_px, np.float32)
        # Where the middles of the student's cells lie in the teacher's grid, x before y.
        old = ((np.stack([across, down], axis=-1) - shift) / self._zoom).astype(np.float32)
        at = old - np.float32(0.5)
        warm = level.heat.astype(np.float32)
        drawn = cv2.remap(warm, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        heat = np.asarray(drawn, np.float32).reshape(rows, columns, -1)
        _stamp_peaks(warm, heat, self._zoom, shift)
        height, width = level.heat.shape[:2]
        nearest = np.clip(np.floor(old), 0, [width - 1, height - 1]).astype(int)
        sides = level.distances.astype(np.float32)[nearest[..., 1], nearest[..., 0]]
        moved = old - (nearest + 0.5)  # from the teacher's cell to the student's
        sides = sides + np.concatenate([moved, -moved], axis=-1)
        distances = np.maximum(sides * np.tile(self._zoom, 2), 0.0)
        return LevelAnswer(heat.astype(np.float16), distances.astype(np.float16))


def _placed(picture_px: tuple[int, int], input_px: tuple[int, int]) -> tuple[Float32, Float32]:
    """Return zoom and offset `(2,)`, x before y, with which a picture lies in an input."""
    boxed = letterbox(np.zeros((picture_px[1], picture_px[0], 3), np.uint8), *input_px, PAD_VALUE)
    content = np.array([boxed.content_width_px, boxed.content_height_px], np.float32)
    zoom = np.asarray(content / np.array(picture_px, np.float32), np.float32)
    return zoom, np.array([boxed.left_px, boxed.top_px], np.float32)


def _stamp_peaks(old: Float32, new: Float32, zoom: Float32, shift: Float32) -> None:
    """Give each peak of the old heat its full height in the new one: interpolation wears peaks down."""
    import cv2

    highest = cv2.dilate(old, np.ones((3, 3), np.uint8)).reshape(old.shape)
    rows, columns, classes = np.nonzero((old >= highest) & (old > 0.05))
    places = np.stack([columns, rows], axis=1) + 0.5
    cells = np.floor(places * zoom + shift).astype(int)
    inside = ((cells >= 0) & (cells < [new.shape[1], new.shape[0]])).all(axis=1)
    at = (cells[inside, 1], cells[inside, 0], classes[inside])
    np.maximum.at(new, at, old[rows[inside], columns[inside], classes[inside]])


def in_threads(count: int, work: Callable[[int], None], threads: int = THREADS) -> None:
    """Do `work` for each number below `count`, some at once; torch lets others run while it computes."""
    with ThreadPoolExecutor(threads) as pool:
        try:
            for _ in pool.map(work, range(count)):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
