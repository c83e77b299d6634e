"""From a script to a video file, as a camera would have written it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import av
import cv2  # noqa: TID253 - benchmarks start at leisure
import numpy as np
from numpy.typing import NDArray

from bench.composing.cuttings import Cuttings
from bench.composing.script import FPS, Script
from edge_agent.vision.arrays import Rgb

_CLOUD_S = 600.0
_CLOUD_GAIN = 0.12
_DIM_GAIN = 0.85
_DIM_S = 60.0
_CODEC = {"preset": "ultrafast", "crf": "20"}


def write_film(script: Script, cuttings: Cuttings, path: Path) -> None:
    """Write H.264 at the agent's pictures a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=_CODEC)
        stream.pix_fmt = "yuv420p"
        stream.height, stream.width = cuttings.picture(cuttings.frames[0]).shape[:2]
        stream.codec_context.thread_count = 1
        for rgb in pictures(script, cuttings):
            for packet in stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def pictures(script: Script, cuttings: Cuttings) -> Iterator[Rgb]:
    """Yield the film's pictures.

    While nobody is there, the empty scenes follow each other to and fro, so that the camera's noise never
    stands still nor jumps. The light drifts as under clouds, and becomes dimmer for a minute amid the longest
    time without anybody.
    """
    empty = cuttings.frames
    there_and_back = [*empty, *empty[-2:0:-1]]
    for index in range(round(script.duration_s * FPS)):
        at_s = index / FPS
        shown = [(one, box) for one in script.appearances if (box := one.box(at_s)) is not None]
        frame = shown[0][0].frame(at_s) if shown else there_and_back[index % len(there_and_back)]
        rgb = cuttings.picture(frame, [box for _, box in shown])
        yield np.asarray(cv2.LUT(rgb, _tones(light(script, at_s))), np.uint8)


def light(script: Script, at_s: float) -> float:
    """Return how bright it is, 1 as usual."""
    drift = 1.0 - _CLOUD_GAIN * (1.0 - math.cos(2.0 * math.pi * at_s / _CLOUD_S)) / 2.0
    since_s = at_s - sum(script.still) / 2.0
    return drift * (_DIM_GAIN if 0.0 <= since_s < _DIM_S else 1.0)


def _tones(gain: float) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.arange(256) * gain, 0, 255).round(), np.uint8)
