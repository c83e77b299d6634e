"""What service and worker say to each other over the socket, and where trained detectors lie; no torch."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from cloud.errors import NotFoundError
from edge_agent.wire.detection import Detection, DetectorRef

INFER_PATH = "/infer"
LOAD_PATH = "/load"
_ID = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
_VERSION = re.compile(r"^v([1-9][0-9]{0,8})$")


class Inferred(BaseModel):
    """The worker's answer; `waited_ms` is how long the picture stood in its queue."""

    model_config = ConfigDict(frozen=True)

    detector: DetectorRef
    detections: tuple[Detection, ...]
    inference_ms: float
    waited_ms: float


def version_folder(detectors_path: Path, detector_id: str, version: int | None) -> Path:
    """Return the folder of a trained version; the newest when `version` is none.

    Raises:
        NotFoundError: There is no such detector or version.
    """
    folder = detectors_path / detector_id
    known = _versions(folder) if _ID.match(detector_id) else []
    wanted = max(known, default=None) if version is None else version
    if wanted is None or wanted not in known:
        which = "" if version is None else f" version {version}"
        message = f"this cloud has no trained detector {detector_id!r}{which}"
        raise NotFoundError(message)
    return folder / f"v{wanted}"


def newest_folders(detectors_path: Path, limit: int) -> list[Path]:
    """Return the newest version of each detector, the most recently trained detectors first."""
    if not detectors_path.is_dir():
        return []
    known = {folder: _versions(folder) for folder in detectors_path.iterdir()}
    newest = [folder / f"v{max(versions)}" for folder, versions in known.items() if versions]
    return sorted(newest, key=lambda path: path.stat().st_mtime, reverse=True)[:limit]


def any_trained(detectors_path: Path) -> bool:
    """Return whether there is any detector to answer with."""
    return detectors_path.is_dir() and any(_versions(folder) for folder in detectors_path.iterdir())


def _versions(folder: Path) -> list[int]:
    if not folder.is_dir():
        return []
    matches = (_VERSION.match(path.name) for path in folder.iterdir() if (path / "spec.json").is_file())
    return [int(match[1]) for match in matches if match]
