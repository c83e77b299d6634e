"""A full detector on disk: `detector.safetensors` (the taught part only) and `spec.json`; no pickles."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
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
    spec = _read_spec(folder / SPEC_FILE)
    tensors = _read_weights(folder / WEIGHTS_FILE, spec)
    head = new_head(spec)
    try:
        _fill(head, tensors)
    except RuntimeError as error:
        message = f"{folder / WEIGHTS_FILE}: the weights do not fit the spec beside them; copy both again"
        raise InputError(message) from error
    return FullDetector(spec, head.eval(), tuple(examples), tuple(test_frames))


def _own_tensors(head: TaughtHead) -> dict[str, torch.Tensor]:
    """Return what is kept of a head: all of it, but of the light form nothing of the neck."""
    if isinstance(head, LightNetwork):
        return stored(head.head)
    return {name: value.contiguous() for name, value in head.state_dict().items()}


def _fill(head: TaughtHead, tensors: Mapping[str, torch.Tensor]) -> None:
    own = head.head if isinstance(head, LightNetwork) else head
    own.load_state_dict(dict(tensors))


def _read_spec(path: Path) -> DetectorSpec:
    try:
        spec = DetectorSpec.from_json(path.read_bytes())
    except OSError as error:
        message = f"{path}: cannot be read ({error.strerror}); is this the folder of a detector?"
        raise InputError(message) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "document"
        message = f"{path}: {place}: {first['msg']}; copy the detector again"
        raise InputError(message) from error
    manifests_of(spec)
    return spec


def _digests(spec: DetectorSpec) -> str:
    """Return what the weights build on: the subnets, and the neck where there is one."""
    digests = [use.ref.sha256 or "" for use in spec.subnets]
    if spec.architecture == "light_stride8":
        digests += [light_neck_sha256(subnet) for subnet in manifests_of(spec)]
    return " ".join(digests)


def _read_weights(path: Path, spec: DetectorSpec) -> dict[str, torch.Tensor]:
    try:
        if path.stat().st_size > _MAX_WEIGHTS_BYTES:
            message = f"{path}: larger than any head ({_MAX_WEIGHTS_BYTES} bytes)"
            raise InputError(message)
        weights = path.read_bytes()
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
        tensors: dict[str, torch.Tensor] = load_tensors(weights)
    except (OSError, SafetensorError) as error:
        message = f"{path}: cannot be read as weights ({error}); copy the detector again"
        raise InputError(message) from error
    if spec.weights_sha256 not in {None, hashlib.sha256(weights).hexdigest()}:
        message = f"{path}: not the weights that spec.json names; copy the detector again"
        raise InputError(message)
    if facts.get("format") != _FORMAT or facts.get("subnet") != _digests(spec):
        message = f"{path}: made for another subnet or by another version; train the detector again"
        raise InputError(message)
    return tensors


def _write(path: Path, data: bytes) -> None:
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(data)
    partial.replace(path)
