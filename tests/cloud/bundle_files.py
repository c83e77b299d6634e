"""Small bundle files of detectors in a home folder, with the receipts that lie beside them."""

from __future__ import annotations

import random
from pathlib import Path

from cloud.actions.open_home import Home
from cloud.store import detectors
from edge_agent.runtime.bundle import write_bundle_zip
from edge_agent.wire.detection import DetectorRef
from tests.edge_agent.runtime.tiny_bundle import write_tiny_bundle
from tests.edge_agent.update.publisher import PROFILE

__all__ = ["PROFILE", "note_version", "write_bundle_file"]


def note_version(home: Home, detector_id: str, version: int) -> None:
    """Note a trained version without files."""
    with home.database.write() as session:
        detectors.add_version(session, detector_id=detector_id, version=version, metrics={}, now_s=1.0)


def write_bundle_file(folder: Path, detector_id: str, version: int = 1) -> Path:
    """Write a bundle for `PROFILE` with its receipt; return the bundle."""
    ref = DetectorRef(id=detector_id, name="persons", version=version)
    content = folder / f"v{version}" / "bundle"
    manifest = write_tiny_bundle(content, random.Random(version).randbytes(5_000))
    heads = tuple(head.model_copy(update={"detector": ref}) for head in manifest.heads)
    (content / "manifest.json").write_text(manifest.model_copy(update={"heads": heads}).to_json())
    for suffix in ("json", "html"):
        content.with_name(f"receipt.{suffix}").write_text("{}")
    write_bundle_zip(content, content.with_suffix(".zip"))
    return content.with_suffix(".zip")
