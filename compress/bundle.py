"""A bundle's folder: manifest, network, golden frames, licence notices, receipt."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compress.capture import INPUT_NAME
from compress.forms import Form
from compress.parts import head_files, read_map
from compress.protocol import Compressible, LicenceNotice, Rgb
from compress.second_stage import StageFiles
from edge_agent.runtime.bundle import MANIFEST_FILE, digest_files
from edge_agent.wire.detection import Detection
from edge_agent.wire.manifest import GoldenFrame, Head, InputSpec, Manifest, MeasuredLimits, TrunkMap
from edge_agent.wire.profile import DeviceProfile
from edge_agent.wire.receipt import Receipt

_MAX_NAME_CHARS = 64
GOLDEN_FOLDER = "golden"
LICENCE_FOLDER = "licenses"


@dataclass(frozen=True)
class BundleSpec:
    """What the manifest says of one form of one detector; the rest comes from the files in the folder."""

    detector: Compressible
    form: Form
    profile: DeviceProfile
    release: int
    created: float
    thresholds: Mapping[str, float] | None = None
    golden: tuple[tuple[Detection, ...], ...] = ()
    measured: MeasuredLimits | None = None
    stage: StageFiles | None = None


def bundle_name(detector_name: str, version: int, profile: str, form: str) -> str:
    """Return a name that is safe as a topic segment and no longer than 64 characters.

    A long one is cut and ends in a digest, so that two do not become the same.
    """
    full = f"{detector_name}-v{version}-{profile}-{form}"
    name = re.sub(r"[^a-zA-Z0-9_-]+", "-", full).strip("-")
    if name == full and len(name) <= _MAX_NAME_CHARS:
        return name
    digest = hashlib.sha256(full.encode()).hexdigest()[:8]
    return f"{name[: _MAX_NAME_CHARS - 9].rstrip('-')}-{digest}"


def write_bundle(
    folder: Path,
    spec: BundleSpec,
    model: Path,
    golden: Iterable[Rgb] = (),
    receipt: Receipt | None = None,
) -> Manifest:
    """Fill a folder with a complete bundle.

    Args:
        folder: An empty or missing folder.
        spec: What the manifest says.
        model: The network's file, or its trunk's with the heads beside it (`compress.parts`); copied.
        golden: Pictures `(h, w, 3) uint8` at the network's size; `spec.golden` are their expected detections.
        receipt: What compression removed, and what it cost.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _copy_network(folder, spec, model)
    if spec.stage is not None:
        shutil.copyfile(spec.stage.model, folder / spec.stage.manifest.model_file)
        (folder / spec.stage.manifest.rules_file).write_text(spec.stage.rules.to_json(), "utf-8")
    _write_licences(folder, spec.detector.licences)
    for index, picture in enumerate(golden):
        _write_png(folder / _golden_file(index), picture)
    if receipt is not None:
        (folder / "receipt.json").write_text(receipt.to_json(), "utf-8")
    manifest = make_manifest(spec, digest_files(folder), read_map(model))
    (folder / MANIFEST_FILE).write_text(manifest.to_json(), "utf-8")
    return manifest


def make_manifest(spec: BundleSpec, files: Mapping[str, str], between: TrunkMap | None = None) -> Manifest:
    """Return the manifest for files with these SHA-256 digests; pure.

    Args:
        spec: What it says.
        files: Digests of all files but the manifest.
        between: What lies between trunk and heads; none: the network is in one piece.
    """
    detector, form = spec.detector, spec.form
    width_px, height_px = detector.input_size_px
    return Manifest(
        name=bundle_name(detector.ref.name, detector.ref.version, spec.profile.name, form.name),
        profile=spec.profile.name,
        release=spec.release,
        runtime=form.runtime,
        precision=form.precision,
        model_file=form.model_file if between is None else trunk_name(form),
        trunk_map=between,
        files=dict(files),
        input=InputSpec(name=INPUT_NAME, width_px=width_px, height_px=height_px, dtype=form.input_dtype),
        heads=(_head(spec, None if between is None else head_name(form, 0)),),
        subnets=detector.subnets,
        golden=tuple(
            GoldenFrame(image_file=_golden_file(index), detections=detections)
            for index, detections in enumerate(spec.golden)
        ),
        measured=spec.measured,
        attributes=spec.stage.manifest if spec.stage else None,
        created=spec.created,
    )


def trunk_name(form: Form) -> str:
    """Return how a trunk's file is called in a bundle."""
    return f"trunk{Path(form.model_file).suffix}"


def head_name(form: Form, index: int) -> str:
    """Return how a head's file is called in a bundle."""
    return f"head_{index}{Path(form.model_file).suffix}"


def _copy_network(folder: Path, spec: BundleSpec, model: Path) -> None:
    heads = head_files(model)
    shutil.copyfile(model, folder / (trunk_name(spec.form) if heads else spec.form.model_file))
    for index, head in enumerate(heads):
        shutil.copyfile(head, folder / head_name(spec.form, index))


def _head(spec: BundleSpec, model_file: str | None) -> Head:
    thresholds = spec.thresholds or {}
    labels = tuple(
        label.model_copy(update={"threshold": thresholds.get(label.slug, label.threshold)})
        for label in spec.detector.labels
    )
    return Head(
        detector=spec.detector.ref.model_copy(update={"precision": spec.form.precision}),
        labels=labels,
        decoder=spec.detector.decoder,
        nms_iou=spec.detector.nms_iou,
        model_file=model_file,
    )


def _golden_file(index: int) -> str:
    return f"{GOLDEN_FOLDER}/{index}.png"


def _write_licences(folder: Path, notices: Sequence[LicenceNotice]) -> None:
    for notice in notices:
        name = re.sub(r"[^a-zA-Z0-9_-]+", "-", notice.subnet).strip("-") or "subnet"
        path = folder / LICENCE_FOLDER / f"{name}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(notice.text, "utf-8")


def _write_png(path: Path, picture: Rgb) -> None:
    import cv2

    path.parent.mkdir(exist_ok=True)
    # Written once, fetched by every camera.
    smallest = [cv2.IMWRITE_PNG_COMPRESSION, 9]
    _, png = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]), smallest)
    path.write_bytes(png.tobytes())
