"""A detector to be taught by four drawn scenes, labelled over HTTP as people do."""

from __future__ import annotations

from pathlib import Path

from tests.cloud.training.scenes import draw_scene
from tests.system.portal_server import PortalServer


def add_drawn_lesson(server: PortalServer, folder: Path, name: str = "blocks") -> str:
    """Add a detector with its labelled pictures, which are drawn in `folder`; return its id."""
    made = server.add_detector(name, ["red"])
    for number in range(4):
        scene = draw_scene(folder, number)
        files = {"file": (scene.source.name, scene.source.path.read_bytes())}
        medium = server.http.post(f"/detectors/{made}/media", files=files).raise_for_status().json()["id"]
        boxes = [{"label": box.label, "box": box.box_xyxy_norm} for box in scene.boxes]
        said = {"revision": 0, "boxes": boxes}
        server.http.put(f"/media/{medium}/frames/0/labels", json=said).raise_for_status()
    return made
