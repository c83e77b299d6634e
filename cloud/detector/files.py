"""A full detector on disk: `detector.safetensors` (the taught part only) and `spec.json`; no pickles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from cloud.datasets.frames import LabelledFrame
from cloud.detector.full import FullDetector, TaughtHead, manifests_of, new_head
from cloud.detector.light import LightNetwork, light_neck_sha256, stored
from cloud.detector.spec import DetectorSpec
from cloud.errors import InputError

WEIGHTS_FILE = "detector.safetensors"
SPEC_FILE = "spec.json"

_FORMAT = "elfowl-head-1"
_MAX_WEIGHTS_BYTES = 64_000_000


def save_detector(detector: FullDetector, folder: Path) -> DetectorSpec:
    """Write a detector; return its spec with the digest of the weights.

    Each file appears whole or not at all, the spec last: a folder with a spec is complete.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = save_tensors(
        _own_tensors(detector.taught_head), {"format": _FORMAT, "subnet": _digests(detector.spec)}
    )
    spec = detector.spec.model_copy(update={"weights_sha256": hashlib.sha256(weights).hexdigest()})
    _write(folder / WEIGHTS_FILE, weights)
    _write(folder / SPEC_FILE, spec.model_dump_json(indent=1).encode())
    return spec


def load_detector(
    folder: Path,
    *,
    examples: Sequence[LabelledFrame] = (),
    test_frames: Sequence[LabelledFrame] = (),
) -> FullDetector:
    """Read a detector that `save_detector` wrote.

    Args:
        folder: Holds `detector.safetensors` and `spec.json`.
        examples: Frames of its camera, for calibration.
        test_frames: Frames that its training never saw.

    Raises:
        InputError: A file is missing, damaged or of another detector, or this elfowl lacks the subnet.
    """
    spec = spec_of(_read(folder / SPEC_FILE), folder / SPEC_FILE)
    weights = _read(folder / WEIGHTS_FILE)
    detector = detector_of(spec, weights, folder / WEIGHTS_FILE)
    return replace(detector, examples=tuple(examples), test_frames=tuple(test_frames))


def detector_of(spec: DetectorSpec, weights: bytes, source: Path) -> FullDetector:
    """Return the detector that a spec and the file beside it make.

    Args:
        spec: What `spec_of` read.
        weights: The whole file.
        source: Where it came from, for messages.

    Raises:
        InputError: The weights are damaged, or another detector's.
    """
    tensors = _tensors_of(weights, spec, source)
    head = new_head(spec)
    try:
        _fill(head, tensors)
    except RuntimeError as error:
        message = f"{source}: the weights do not fit the spec beside them; copy both again"
        raise InputError(message) from error
    return FullDetector(spec, head.eval())


def spec_of(document: bytes, source: Path) -> DetectorSpec:
    """Return a spec read from its JSON document.

    Raises:
        InputError: It is damaged, or this elfowl lacks the subnet.
    """
    try:
        spec = DetectorSpec.from_json(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "document"
        message = f"{source}: {place}: {first['msg']}; copy the detector again"
        raise InputError(message) from error
    manifests_of(spec)
    return spec


def _own_tensors(head: TaughtHead) -> dict[str, torch.Tensor]:
    """Return what is kept of a head: all of it, but of the light form nothing of the neck."""
    if isinstance(head, LightNetwork):
        return stored(head.head)
    return {name: value.contiguous() for name, value in head.state_dict().items()}


def _fill(head: TaughtHead, tensors: Mapping[str, torch.Tensor]) -> None:
    own = head.head if isinstance(head, LightNetwork) else head
    own.load_state_dict(dict(tensors))


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_WEIGHTS_BYTES:
            message = f"{path}: larger than any head ({_MAX_WEIGHTS_BYTES} bytes)"
            raise InputError(message)
        return path.read_bytes()
    except OSError as error:
        message = f"{path}: cannot be read ({error.strerror}); is this the folder of a detector?"
        raise InputError(message) from error


def _digests(spec: DetectorSpec) -> str:
    """Return what the weights build on: the subnets, and the neck where there is one."""
    digests = [use.ref.sha256 or "" for use in spec.subnets]
    if spec.architecture == "light_stride8":
        digests += [light_neck_sha256(subnet) for subnet in manifests_of(spec)]
    return " ".join(digests)


def _tensors_of(weights: bytes, spec: DetectorSpec, source: Path) -> dict[str, torch.Tensor]:
    try:
        tensors: dict[str, torch.Tensor] = load_tensors(weights)
    except SafetensorError as error:
        message = f"{source}: cannot be read as weights ({error}); copy the detector again"
        raise InputError(message) from error
    facts = _facts_of(weights)
    if spec.weights_sha256 not in {None, hashlib.sha256(weights).hexdigest()}:
        message = f"{source}: not the weights that spec.json names; copy the detector again"
        raise InputError(message)
    if facts.get("format") != _FORMAT or facts.get("subnet") != _digests(spec):
        message = f"{source}: made for another subnet or by another version; train the detector again"
        raise InputError(message)
    return tensors


def _facts_of(weights: bytes) -> dict[str, str]:
    """Return what is written in the head of a file that was read as weights before."""
    length_bytes = int.from_bytes(weights[:8], "little")
    facts: dict[str, str] = json.loads(weights[8 : 8 + length_bytes]).get("__metadata__", {})
    return facts


def _write(path: Path, data: bytes) -> None:
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(data)
    partial.replace(path)
