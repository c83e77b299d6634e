"""Versions: which one is in use, and from which score on each class counts; no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloud.actions.detectors import version_path
from cloud.errors import InputError, NotFoundError
from cloud.settings import Settings
from cloud.store.files import write_file

_SPEC_FILE = "spec.json"


def thresholds_of(settings: Settings, detector_id: str, version: int) -> dict[str, float]:
    """Return from which score on a version reports each class.

    Raises:
        NotFoundError: The files of the version are not here.
    """
    return {one["name"]: float(one["threshold"]) for one in _spec(settings, detector_id, version)["labels"]}


def set_thresholds(
    settings: Settings, detector_id: str, version: int, wanted: Mapping[str, float]
) -> dict[str, float]:
    """Let a version report classes from other scores on, and return all of its thresholds.

    Bundles that were made before keep theirs.

    Raises:
        NotFoundError: The files of the version are not here.
        InputError: It knows no such class.
        StorageError: The disk is full.
    """
    spec = _spec(settings, detector_id, version)
    labels = {one["name"]: one for one in spec["labels"]}
    if unknown := sorted(set(wanted) - set(labels)):
        message = f"version {version} knows {', '.join(labels)}, not {', '.join(unknown)}"
        raise InputError(message)
    for name, threshold in wanted.items():
        labels[name]["threshold"] = threshold
    write_file(_spec_path(settings, detector_id, version), json.dumps(spec, indent=1).encode())
    return {name: float(one["threshold"]) for name, one in labels.items()}


def _spec(settings: Settings, detector_id: str, version: int) -> dict[str, Any]:
    path = _spec_path(settings, detector_id, version)
    try:
        spec: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read; train the detector again, or copy the version back"
        raise NotFoundError(message) from error
    return spec


def _spec_path(settings: Settings, detector_id: str, version: int) -> Path:
    return version_path(settings, detector_id, version) / _SPEC_FILE
