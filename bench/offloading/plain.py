"""The endpoints of comparison: `python -m bench.offloading.plain KIND HOME PORT`.

What one writes in ten lines: one request, one inference; no tokens, queue, batches or limits. `plain` answers
in FastAPI's pool of threads, `plain_one_by_one` in the event loop; both run the detector as elfowl does.
`plain_int8` is `plain` with the int8 numbers that elfowl looks with, `plain_torch` with the detector as one
torch network, as one does without ONNX Runtime.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Annotated

import torch
import uvicorn
from fastapi import FastAPI, File, Form
from torch import nn

from cloud.detector.files import load_detector
from cloud.detector.full import FullDetector, decode_detections
from cloud.offload.gathered import OnnxTrunks, Question, detect_each
from cloud.offload.pictures import decoded
from cloud.offload.protocol import version_folder
from cloud.offload.quick import QuickDetect
from cloud.processes import exit_with_parent
from edge_agent.errors import ElfowlError
from edge_agent.vision.arrays import Rgb
from edge_agent.vision.letterbox import letterbox
from edge_agent.wire.detection import Detection

Request = Annotated[str, Form()]
Picture = Annotated[bytes, File()]
See = Callable[[str, Rgb], list[Detection]]


def make_app(see: See, *, one_by_one: bool) -> FastAPI:
    """Return the endpoint."""
    app = FastAPI()

    def look(request: Request, image: Picture) -> dict[str, object]:
        found = see(json.loads(request)["detector_id"], decoded(image))
        return {"detections": [one.model_dump(mode="json") for one in found]}

    async def look_in_the_loop(request: Request, image: Picture) -> dict[str, object]:
        return look(request, image)

    app.post("/api/v1/offload")(look_in_the_loop if one_by_one else look)
    return app


def as_elfowl_does(home: Path) -> See:
    """Return what runs the detectors of a home folder one picture at a time."""
    load = cache(lambda name: _load(home, name))
    return lambda name, rgb: load(name).detect(rgb)


def as_elfowl_does_quickly(home: Path) -> See:
    """Return what does it with int8 numbers, where elfowl has them."""
    load = cache(lambda name: _load(home, name))
    quick = QuickDetect(partial(detect_each, trunks=OnnxTrunks()))

    def see(name: str, rgb: Rgb) -> list[Detection]:
        (found,) = quick([Question(load(name), rgb)])
        if isinstance(found, ElfowlError):
            raise found
        return found

    return see


def as_torch_network(home: Path) -> See:
    """Return what runs each detector of a home folder as one network."""

    @cache
    def load(name: str) -> tuple[FullDetector, nn.Module]:
        detector = _load(home, name)
        return detector, detector.network()

    def see(name: str, rgb: Rgb) -> list[Detection]:
        detector, network = load(name)
        width_px, height_px = detector.input_size_px
        boxed = letterbox(rgb, width_px, height_px, detector.spec.input.pad_value)
        with torch.inference_mode():
            image = (torch.from_numpy(boxed.pixels).permute(2, 0, 1)[None].float() - 127) / 128
            scores, boxes = network(image)
        return decode_detections(detector.spec, scores.numpy(), boxes.numpy(), boxed.to_source_norm, None)

    return see


def _load(home: Path, name: str) -> FullDetector:
    return load_detector(version_folder(home / "detectors", name, None))


def main(kind: str, home: Path, port: int) -> None:
    """Serve until the parent ends."""
    import cv2

    exit_with_parent()
    cv2.setNumThreads(1)
    others = {"plain_torch": as_torch_network, "plain_int8": as_elfowl_does_quickly}
    see = others.get(kind, as_elfowl_does)(home)
    app = make_app(see, one_by_one=kind == "plain_one_by_one")
    uvicorn.run(app, port=port, log_level="error")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
