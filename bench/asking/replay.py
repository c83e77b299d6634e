"""A film through a camera's whole pipeline, with a cloud that answers or without one."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bench.asking.compare import Course, Replay
from cloud.detector.full import FullDetector
from cloud.offload.gathered import OnnxTrunks, Question, detect_each
from cloud.offload.pictures import decoded
from cloud.offload.quick import QuickDetect
from edge_agent.camera.frame import Brightness, Frame
from edge_agent.camera.open_source import open_source
from edge_agent.errors import ElfowlError
from edge_agent.offload.client import cut
from edge_agent.pipeline.camera_pipeline import CameraPipeline
from edge_agent.pipeline.decide import OffloadPermit
from edge_agent.pipeline.detector import Detector, LabelRule
from edge_agent.pipeline.events import CameraIdentity
from edge_agent.pipeline.result import Conditions, OffloadWanted
from edge_agent.report.snapshots import encode_jpeg, shrink
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection
from edge_agent.wire.offload import OffloadReply

SENT_PX, JPEG_QUALITY = 320, 80
_ANSWER_FRAMES = 2
_UNSTEADY_S = 0.01
_LEAST_SCORE: Final = 0.05

Cloud = Callable[[OffloadWanted, bytes], OffloadReply]
"""Answers a question and the picture that was sent with it."""


class Remembering:
    """A detector that looks at each picture once: what it sees does not depend on who asks."""

    def __init__(self, detector: Detector) -> None:
        """Remember nothing yet."""
        self._detector = detector
        self._seen: dict[bytes, list[Detection]] = {}

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
        """Return what is seen in `(h, w, 3) uint8 RGB` from a score on; see `Detector.detect`."""
        key = hashlib.blake2b(rgb.tobytes(), digest_size=16).digest()
        if key not in self._seen:
            self._seen[key] = self._detector.detect(rgb, min_score=_LEAST_SCORE)
        least = _LEAST_SCORE if min_score is None else min_score
        return [one for one in self._seen[key] if one.score >= least]


class FullEyes:
    """The full detector in a camera's place."""

    def __init__(self, detector: FullDetector) -> None:
        self._detector = detector

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
        """Return what is seen in `(h, w, 3) uint8 RGB`."""
        return self._detector.detect_many([rgb], score_floor=min_score)[0]


class _Late(Frame):
    """A picture that came a little later than it did."""

    __slots__ = ("_in_step",)
    _in_step: Frame

    def __init__(self, in_step: Frame, late_s: float) -> None:
        for name, value in (
            ("index", in_step.index), ("time_s", in_step.time_s + late_s),
            ("monotonic_s", in_step.monotonic_s + late_s), ("_in_step", in_step),
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    @property
    def rgb(self) -> Rgb:
        """Return it as (h, w, 3) uint8 RGB."""
        return self._in_step.rgb

    @property
    def brightness(self) -> Brightness:
        """Return how bright it is."""
        return self._in_step.brightness


@dataclass
class _Waiting:
    """A question on its way."""

    wanted: OffloadWanted
    jpeg: bytes
    frames_left: int


def replay(
    clip: Path,
    detector: Detector,
    rules: Mapping[str, LabelRule],
    cloud: Cloud | None = None,
    *,
    seed: int = 0,
) -> Replay:
    """Return what a camera's pipeline, as it is set by default, tells of a clip.

    A camera's pictures come some milliseconds early or late, `seed` says which. Were they in step, what
    happens 0.6 s after a thing came would happen in this picture or the next as sums of floats are rounded.
    """
    identity = CameraIdentity("bench", "clip", "boot")
    rng = random.Random(seed)  # noqa: S311 - ids of events, and moments
    pipeline = CameraPipeline(identity, detector, rules, rng=rng)
    courses: dict[str, Course] = defaultdict(dict)
    waiting: _Waiting | None = None
    frames = sent = sent_bytes = 0
    with closing(open_source(str(clip), real_time=False)) as source:
        for in_step in source:
            frame = _Late(in_step, rng.uniform(-_UNSTEADY_S, _UNSTEADY_S))
            frames += 1
            if waiting is not None and waiting.frames_left == 0 and cloud is not None:
                reply = cloud(waiting.wanted, waiting.jpeg)
                pipeline.apply_offload(
                    waiting.wanted, reply, time_s=frame.time_s, monotonic_s=frame.monotonic_s
                )
                waiting = None
            permit = OffloadPermit(allowed=cloud is not None, in_flight=waiting is not None)
            result = pipeline.process(frame, Conditions(permit=permit))
            if waiting is not None:
                waiting.frames_left -= 1
            if result.offload_wanted is not None:
                waiting = _Waiting(result.offload_wanted, _sent(result.offload_wanted), _ANSWER_FRAMES)
                sent, sent_bytes = sent + 1, sent_bytes + len(waiting.jpeg)
            for seen in result.in_view:
                if seen.event_id is not None:
                    courses[seen.event_id][frame.index] = seen.box
    return Replay(tuple(courses.values()), sent, sent_bytes, frames)


def cloud_of(detector: FullDetector) -> Cloud:
    """Return a cloud that answers with one detector."""
    look = QuickDetect(partial(detect_each, trunks=OnnxTrunks()))

    def answer(wanted: OffloadWanted, jpeg: bytes) -> OffloadReply:
        (found,) = look([Question(detector, decoded(jpeg), part=wanted.crop)])
        if isinstance(found, ElfowlError):
            raise found
        return OffloadReply(
            request_id="benchmark", detector=detector.ref, detections=tuple(found), inference_ms=0.0
        )

    return answer


def _sent(wanted: OffloadWanted) -> bytes:
    """Return the picture as the camera sends it."""
    return encode_jpeg(shrink(cut(wanted.frame.rgb, wanted.crop), SENT_PX), JPEG_QUALITY)
