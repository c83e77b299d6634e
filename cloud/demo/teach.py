"""Teaching through the HTTP API, as the portal does it: detector, clip, labels, training, bundle."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud.datasets.coco import CocoImage, parse_coco
from cloud.demo.patience import PatientCloud
from cloud.demo.screen import Step
from cloud.errors import ConflictError
from cloud.samples.catalog import SampleTask
from edge_agent.errors import ElfowlError

_COPY_S = 300.0


@dataclass(frozen=True)
class Lessons:
    """The hand-checked frames of a sample task, by what the demo uses them for."""

    teach: tuple[CocoImage, ...]
    correct: tuple[CocoImage, ...]
    test: tuple[CocoImage, ...]


def read_lessons(task: SampleTask) -> Lessons:
    """Return the labelled frames that ship with elfowl."""
    data = task.train_labels.read_bytes()
    splits = {image["id"]: image.get("split") for image in json.loads(data)["images"]}
    train = parse_coco(data, f"{task.name} training labels").images
    return Lessons(
        teach=tuple(image for image in train if splits[image.id] == "teach"),
        correct=tuple(image for image in train if splits[image.id] == "correct"),
        test=parse_coco(task.test_labels.read_bytes(), f"{task.name} test labels").images,
    )


def a_few_of(images: Sequence[CocoImage], count: int) -> tuple[CocoImage, ...]:
    """Return at most so many frames, evenly spaced, the first one among them."""
    return tuple(images[:: max(1, -(-len(images) // count))])


@dataclass(frozen=True)
class Student:
    """One detector in the cloud and the clip that it is taught on."""

    cloud: PatientCloud
    detector_id: str
    media_id: str

    def label(self, images: Iterable[CocoImage]) -> None:
        """Draw boxes: what a person does with the mouse."""
        put_labels(self.cloud, self.media_id, images)

    def train(self, step: Step) -> dict[str, Any]:
        """Train the next version; return its metrics."""
        return self.cloud.run_job(f"/detectors/{self.detector_id}/train", None, step)

    def compress(self, profile: str, step: Step) -> dict[str, Any]:
        """Compress the newest version; return what was measured, and the bundle's id as `bundle`."""
        return self.cloud.run_job(f"/detectors/{self.detector_id}/compress", {"profile": profile}, step)

    def send(self, bundle_id: str, device: str) -> str:
        """Sign a bundle and want it on a camera; return its digest."""
        published = self.cloud.post(f"/detectors/{self.detector_id}/publish", {"bundle": bundle_id})
        self.cloud.post(f"/devices/{device}/assign", {"bundle_id": bundle_id})
        return str(published["sha256"])


def enrol_student(cloud: PatientCloud, title: str, clip: Path, lessons: Lessons, step: Step) -> Student:
    """Make a detector with its clip; nothing is learned from the medium with the test frames."""
    detector = cloud.post("/detectors", {"name": title})["id"]
    test = _upload(cloud, f"/detectors/{detector}/media?role=test", clip, step)
    put_labels(cloud, test, lessons.test)
    return Student(cloud, detector, _upload(cloud, f"/detectors/{detector}/media", clip, step))


def _upload(cloud: PatientCloud, path: str, clip: Path, step: Step) -> str:
    """Send a clip and return its id once its playback copy is made."""
    medium = cloud.upload(path, clip)

    def look() -> dict[str, Any] | None:
        step.update(0.0, "the clip is made ready for playing")
        now: dict[str, Any] = cloud.get(f"/media/{medium['id']}")
        return None if now["state"] == "preparing" else now

    ready = cloud.wait_for("the playback copy of the clip", look, _COPY_S)
    if ready["state"] != "ready":
        raise ElfowlError(str(ready["reason"]))
    return str(ready["id"])


def find_student(cloud: PatientCloud, title: str) -> tuple[Student, dict[str, Any]] | None:
    """Return the detector of an earlier run, or none when there is none that was trained.

    What an interrupted run left half done goes: jobs under way, and a detector without any version.
    """
    for known in cloud.get("/detectors"):
        if known["name"] != title:
            continue
        path = f"/detectors/{known['id']}"
        _cancel_jobs(cloud, path)
        detector = cloud.get(path)
        if detector["versions"]:
            teach = next(row["id"] for row in cloud.get(f"{path}/media") if row["role"] == "teach")
            return Student(cloud, detector["id"], teach), detector
        cloud.delete(path)
    return None


def _cancel_jobs(cloud: PatientCloud, detector_path: str) -> None:
    for job in cloud.get(f"{detector_path}/jobs"):
        if job["state"] in {"queued", "running"}:
            # It may have come to its end meanwhile.
            with contextlib.suppress(ConflictError):
                cloud.post(f"/jobs/{job['id']}/cancel")


def put_labels(cloud: PatientCloud, media_id: str, images: Iterable[CocoImage]) -> None:
    """Replace the labels of frames with all that is on them."""
    for image in images:
        path = f"/media/{media_id}/frames/{image.frame_index}/labels"
        boxes = [{"label": box.label, "box": box.box_xyxy_norm} for box in image.boxes]
        revision = cloud.get(path)["revision"]
        cloud.put(path, {"revision": revision, "boxes": boxes, "nothing_here": not boxes})
