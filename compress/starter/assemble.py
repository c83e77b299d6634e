"""Puts the starter bundle together: network, anchors, golden pictures, licences, manifest."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compress.starter.photos import read_photo
from compress.starter.source import NETWORK_SHA256, PACKAGE
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.runtime.bundle import MANIFEST_FILE, digest_files
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.vision.letterbox import letterbox
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.labels import slugify
from edge_agent.wire.manifest import (
    GoldenFrame,
    Head,
    InputSpec,
    LabelSpec,
    Manifest,
    MeasuredLimits,
    SsdDecoder,
    SubnetRef,
)

NAME = "starter"
VERSION = 1
KEPT_CLASSES = (
    *("Person", "Car", "Vehicle", "Bicycle", "Dog", "Cat", "Bottle", "Chair", "Laptop", "Book"),
    *("Mug", "Coffee cup", "Box"),
)
"""What homes and shops have; the others of the 23 go."""

INPUT = InputSpec(name="args_0", width_px=384, height_px=288, dtype="int8")
"""The aspect of many cameras; persons are found better than at 300 x 300, for 1.2 times its cost."""

_PERSON_THRESHOLD = 0.4
"""Best F1 for persons on frames 0 to 599 of vtest.avi; the later frames are for evaluation."""

_OTHER_THRESHOLD = 0.45
"""Not measured: there are no labels for the other classes. By eye, few false alarms above it."""

_GOLDEN_PX = (256, 192)
_NOTICE = f"""elfowl starter bundle
=====================

The network in this bundle was made from the object detector (SSD-MobileNetV2) inside the npm package
{PACKAGE}, "Mediapipe Objectron Solution", author mhays@google.com, licensed under the
Apache License 2.0 (the full text is in Apache-2.0.txt). SHA-256 of the original TFLite file:
{NETWORK_SHA256}

Changes made by elfowl: classes and the two coarsest levels removed; channels that never change removed;
input scaling folded into the first layer; anchors moved for an input of 384 x 288; weights and activations
quantized to 8 bit integers.

It was trained by its authors on Open Images v4 (annotations: Google LLC, CC BY 4.0).

The pictures in golden/ are small copies of pictures in the Python package scikit-image: a portrait of
Eileen Collins (NASA, public domain) and a cup of coffee (Rachel Michetti, CC0).
"""


@dataclass(frozen=True)
class Facts:
    """What the manifest needs to know beyond its files."""

    created: float
    golden: tuple[GoldenFrame, ...] = ()
    measured: MeasuredLimits | None = None


def write_files(
    folder: Path, network: bytes, anchors: Float32, golden: Sequence[Path], licence_text: str
) -> None:
    """Write all files of the bundle but its manifest; golden pictures are made small."""
    import cv2

    (folder / "golden").mkdir(parents=True)
    (folder / "licenses").mkdir()
    (folder / "model.tflite").write_bytes(network)
    array = io.BytesIO()
    np.save(array, anchors)
    (folder / "anchors.npy").write_bytes(array.getvalue())
    (folder / "licenses" / "Apache-2.0.txt").write_text(licence_text, "utf-8")
    (folder / "licenses" / "NOTICE.txt").write_text(_NOTICE, "utf-8")
    for index, path in enumerate(golden):
        small = cv2.cvtColor(_shrunk(read_photo(path)), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / "golden" / f"{index}.png"), small, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def write_manifest(folder: Path, facts: Facts) -> Manifest:
    """Write the manifest for what lies in the folder."""
    (folder / MANIFEST_FILE).unlink(missing_ok=True)
    manifest = Manifest(
        name=NAME,
        profile="any",
        runtime="litert",
        precision="int8",
        model_file="model.tflite",
        files=digest_files(folder),
        input=INPUT,
        heads=(_head(),),
        subnets=(
            SubnetRef(
                name="SSD-MobileNetV2 (Open Images v4)",
                source=f"npm {PACKAGE}",
                licence="Apache-2.0",
                sha256=NETWORK_SHA256,
            ),
        ),
        golden=facts.golden,
        measured=facts.measured,
        created=facts.created,
    )
    (folder / MANIFEST_FILE).write_text(manifest.to_json(), "utf-8")
    return manifest


def golden_answers(folder: Path) -> tuple[GoldenFrame, ...]:
    """Return what the bundle in the folder answers for its golden pictures."""
    detector = BundleDetector.open(folder)
    paths = sorted((folder / "golden").iterdir())
    return tuple(
        GoldenFrame(image_file=f"golden/{path.name}", detections=tuple(detector.detect(read_photo(path))))
        for path in paths
    )


def _head() -> Head:
    return Head(
        detector=DetectorRef(id=NAME, name=NAME, version=VERSION, precision="int8"),
        labels=tuple(
            LabelSpec(
                name=name,
                slug=slugify(name),
                threshold=_PERSON_THRESHOLD if name == "Person" else _OTHER_THRESHOLD,
            )
            for name in KEPT_CLASSES
        ),
        decoder=SsdDecoder(
            boxes_output="output_0",
            scores_output="output_1",
            anchors_file="anchors.npy",
            background_index=None,
        ),
    )


def _shrunk(rgb: Rgb) -> Rgb:
    boxed = letterbox(rgb, *_GOLDEN_PX, pad_value=INPUT.pad_value)
    rows = slice(boxed.top_px, boxed.top_px + boxed.content_height_px)
    columns = slice(boxed.left_px, boxed.left_px + boxed.content_width_px)
    return boxed.pixels[rows, columns]
