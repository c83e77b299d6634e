"""Commands on a running cloud, over its HTTP API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from cloud.actions.media import Role
from cloud.client import CloudClient
from cloud.commands.backend import Examples, Json, Show, Stopped
from cloud.datasets.coco import in_folder, read_coco
from cloud.errors import InputError, TrainingError
from cloud.jobs.progress import ProgressLine
from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError

_LOOK_S = 0.5
_ENDED = frozenset({"done", "failed", "cancelled"})


class RemoteCloud:
    """A running cloud."""

    def __init__(self, client: CloudClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def detectors(self) -> list[Json]:
        """Return all detectors."""
        return cast("list[Json]", self._client.get("/detectors"))

    def create(self, name: str, examples: Examples, tests: Examples | None = None) -> Json:
        """Make a detector with examples; nothing is left of it when these are wrong."""
        detector = self._client.post("/detectors", {"name": name})
        try:
            imported = self._take_in(detector["id"], examples, "teach")
            if tests is not None:
                imported["test_frames"] = self._take_in(detector["id"], tests, "test")["frames"]
        except BaseException:
            self.delete(detector["id"])
            raise
        return {**self._client.get(f"/detectors/{detector['id']}"), **imported}

    def add(self, reference: str, examples: Examples, role: Role) -> Json:
        """Add examples to learn from, or to test on."""
        detector_id = self._client.get(f"/detectors/{reference}")["id"]
        return {**self._take_in(detector_id, examples, role), "id": detector_id, "role": role}

    def train(self, reference: str, budget_s: float | None, show: Show, stopped: Stopped) -> Json:
        """Train the next version."""
        body = {} if budget_s is None else {"budget_s": budget_s}
        return self._follow(self._client.post(f"/detectors/{reference}/train", body), show, stopped)

    def compress(self, reference: str, profile: str, show: Show, stopped: Stopped) -> Json:
        """Compress a version for a kind of device."""
        name, _, version = reference.partition("@")
        body: Json = {"profile": profile} | ({"version": int(version)} if version.isdecimal() else {})
        return self._follow(self._client.post(f"/detectors/{name}/compress", body), show, stopped)

    def delete(self, reference: str) -> None:
        """Remove a detector."""
        self._client.delete(f"/detectors/{reference}")

    def bundles(self) -> list[Json]:
        """Return all bundles."""
        return cast("list[Json]", self._client.get("/bundles"))

    def publish(self, bundle: str) -> Json:
        """Sign a bundle."""
        detector_id = self._client.get(f"/bundles/{bundle}")["detector_id"]
        return cast("Json", self._client.post(f"/detectors/{detector_id}/publish", {"bundle": bundle}))

    def devices(self) -> list[Json]:
        """Return all devices."""
        return cast("list[Json]", self._client.get("/devices"))

    def token(self) -> Json:
        """Make a one-time enrolment token."""
        return cast("Json", self._client.post("/enrolment-tokens"))

    def assign(self, device: str, bundle: str | None) -> Json:
        """Want a bundle on a device."""
        return cast("Json", self._client.post(f"/devices/{device}/assign", {"bundle_id": bundle}))

    def suggest(self, reference: str, media: str | None, count: int, show: Show, stopped: Stopped) -> Json:
        """Return which frames to label next."""
        body: Json = {"count": count} | ({} if media is None else {"media_id": media})
        return self._follow(self._client.post(f"/detectors/{reference}/suggest", body), show, stopped)

    def _follow(self, job: Json, show: Show, stopped: Stopped) -> Json:
        cancelled = False
        while job["state"] not in _ENDED:
            if stopped() and not cancelled:
                cancelled = True
                job = self._client.post(f"/jobs/{job['id']}/cancel")
                continue
            show(
                ProgressLine.model_validate(
                    {key: job[key] for key in ("progress", "stage", "message", "seconds_left")}
                )
            )
            self._clock.sleep(_LOOK_S)
            job = self._client.get(f"/jobs/{job['id']}")
        if job["state"] == "done":
            return cast("Json", job["result"])
        message = job["error"] or f"{job['kind']} was cancelled"
        raise TrainingError(message) if job["kind"] == "train" else ElfowlError(message)

    def _take_in(self, detector_id: str, examples: Examples, role: Role) -> Json:
        documents = _documents(examples)
        counts = {"media": 0, "frames": 0, "boxes": 0}
        for file, document in documents:
            medium = self._client.upload(f"/detectors/{detector_id}/media?role={role}", file)
            counts["media"] += 1
            if document is not None:
                path = f"/detectors/{detector_id}/labels?media={medium['id']}"
                done = self._client.post(path, document)
                counts["frames"] += done["frames"]
                counts["boxes"] += done["boxes"]
        return counts


def _documents(examples: Examples) -> list[tuple[Path, Json | None]]:
    """Return each file to send with the labels that are of it.

    Raises:
        InputError: The labels are wrong, or name pictures that are not there.
    """
    if examples.labels is None:
        if examples.video is not None:
            return [(examples.video, None)]
        from cloud.actions.labels import pictures_in

        return [(path, None) for path in pictures_in(examples.images or Path())]
    coco = read_coco(examples.labels)
    document = json.loads(examples.labels.read_bytes())
    if examples.video is not None:
        return [(examples.video, document)]
    if examples.images is None or not examples.images.is_dir():
        message = f"{examples.images}: no such folder"
        raise InputError(message)
    find = in_folder(examples.images)
    return [(find(image), _only(document, image.id)) for image in coco.images]


def _only(document: dict[str, Any], image_id: int) -> Json:
    images = [image for image in document["images"] if image["id"] == image_id]
    annotations = [row for row in document.get("annotations", []) if row["image_id"] == image_id]
    return {**document, "images": images, "annotations": annotations}
