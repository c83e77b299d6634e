"""Commands on a running cloud, over its HTTP API."""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any, cast

from cloud.actions.media import Role
from cloud.client import LARGE_BYTES, CloudClient
from cloud.commands.backend import Examples, Incoming, Json, Show, Stopped, Verdict
from cloud.datasets.coco import in_folder, read_coco
from cloud.datasets.export import Format
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
        """Make a detector, with examples if there are some; nothing is left of it when these are wrong."""
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

    def import_files(self, reference: str, order: Incoming, show: Show, stopped: Stopped) -> Json:
        """Take in all that is good of files, folders and archives."""
        detector_id = self._client.get(f"/detectors/{reference}")["id"]
        with tempfile.TemporaryDirectory() as work:
            files = [_packed(path, Path(work)) for path in order.paths]
            if any(_is_large(file) for file in files):
                job = self._import_in_parts(detector_id, order, files, show)
            else:
                query = f"role={order.role}&folders_are_classes={str(order.folders_are_classes).lower()}"
                job = self._client.upload(f"/detectors/{detector_id}/import?{query}", *files)
        return {"detector": detector_id, **self._follow(job, show, stopped)}

    def _import_in_parts(self, detector_id: str, order: Incoming, files: list[Path], show: Show) -> Json:
        uploads = []
        for number, file in enumerate(files):

            def on_sent(share: float, number: int = number, file: Path = file) -> None:
                whole = (number + share) / len(files)
                show(ProgressLine(progress=whole, stage="sending", message=f"Sending {file.name}"))

            sent = self._client.send(detector_id, file, purpose="import", on_sent=on_sent)
            uploads.append(sent.upload_id)
        how: Json = {"role": order.role, "folders_are_classes": order.folders_are_classes}
        path = f"/detectors/{detector_id}/import/uploads"
        return cast("Json", self._client.post(path, {"uploads": uploads, **how}))

    def export_labels(self, reference: str, out: Path, kind: Format, *, images: bool, role: Role) -> Json:
        """Write the labelled frames to a file."""
        query = f"format={kind}&images={str(images).lower()}&role={role}"
        try:
            with out.open("wb") as stream:
                for part in self._client.download(f"/detectors/{reference}/export?{query}"):
                    stream.write(part)
        except BaseException:
            out.unlink(missing_ok=True)
            raise
        return {}

    def prelabel(self, reference: str, order: Json, show: Show, stopped: Stopped) -> Json:
        """Let a detector offer boxes for unlabelled frames."""
        return self._follow(self._client.post(f"/detectors/{reference}/prelabel", order), show, stopped)

    def answer_proposals(self, reference: str, min_score: float, verdict: Verdict | None) -> Json:
        """Accept or reject the offered boxes from a score on; without a verdict, only count them."""
        frames = boxes = 0
        for media_id, index in self._client.get(f"/detectors/{reference}/proposals"):
            path = f"/media/{media_id}/frames/{index}"
            offered = self._client.get(f"{path}/proposals")
            ids = [one["id"] for one in offered if one["score"] >= min_score]
            if not ids:
                continue
            frames, boxes = frames + 1, boxes + len(ids)
            if verdict == "reject":
                self._client.post(f"{path}/proposals/reject", {"ids": ids})
            elif verdict == "accept":
                revision = self._client.get(f"{path}/labels")["revision"]
                self._client.post(
                    f"{path}/proposals/accept", {"ids": ids, "revision": revision, "whole": False}
                )
        return {"frames": frames, "boxes": boxes}

    def train(self, reference: str, how: Json, show: Show, stopped: Stopped) -> Json:
        """Train the next version."""
        return self._follow(self._client.post(f"/detectors/{reference}/train", how), show, stopped)

    def compress(self, reference: str, how: Json, show: Show, stopped: Stopped) -> Json:
        """Compress a version for a kind of device."""
        name, _, version = reference.partition("@")
        body: Json = how | ({"version": int(version)} if version.isdecimal() else {})
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

    def token(self, how: Json) -> Json:
        """Make a one-time enrolment token."""
        return cast("Json", self._client.post("/enrolment-tokens", how))

    def assign(self, device: str, bundle: str | None) -> Json:
        """Want a bundle on a device."""
        return cast("Json", self._client.post(f"/devices/{device}/assign", {"bundle_id": bundle}))

    def suggest(self, reference: str, media: str | None, count: int, show: Show, stopped: Stopped) -> Json:
        """Return which frames to label next."""
        body: Json = {"count": count} | ({} if media is None else {"media_id": media})
        return self._follow(self._client.post(f"/detectors/{reference}/suggest", body), show, stopped)

    def scan(self, order: Json, show: Show, stopped: Stopped) -> Json:
        """Look through recordings in the cloud's folder of recordings."""
        return self._follow(self._client.post("/scans", order), show, stopped)

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

    def _ready(self, medium: Json) -> Json:
        """Wait for the playback copy of a video.

        Raises:
            InputError: The video is damaged.
        """
        job_id = medium.get("job")
        while medium["state"] == "preparing":
            self._clock.sleep(_LOOK_S)
            job = self._client.get(f"/jobs/{job_id}") if job_id else {"state": "running"}
            medium = self._client.get(f"/media/{medium['id']}")
            if medium["state"] == "preparing" and job["state"] in _ENDED:
                message = f"{medium['name']} was not prepared: {job['error'] or job['state']}; send it again"
                raise InputError(message)
        if medium["state"] == "broken":
            raise InputError(str(medium["reason"]))
        return medium

    def _send(self, detector_id: str, file: Path, role: Role) -> Json:
        if not _is_large(file):
            return cast("Json", self._client.upload(f"/detectors/{detector_id}/media?role={role}", file))
        sent = self._client.send(detector_id, file, role=role)
        return {**self._client.get(f"/media/{sent.media_id}"), "job": sent.job}

    def _take_in(self, detector_id: str, examples: Examples, role: Role) -> Json:
        documents = _documents(examples) if examples.given else []
        counts = {"media": 0, "frames": 0, "boxes": 0}
        for file, document in documents:
            medium = self._ready(self._send(detector_id, file, role))
            counts["media"] += 1
            if document is not None:
                path = f"/detectors/{detector_id}/labels?media={medium['id']}"
                done = self._client.post(path, document)
                counts["frames"] += done["frames"]
                counts["boxes"] += done["boxes"]
        return counts


def _is_large(file: Path) -> bool:
    return file.is_file() and file.stat().st_size >= LARGE_BYTES


def _packed(path: Path, work: Path) -> Path:
    """Return a file to send; a folder goes as an archive, so that its names keep their folders."""
    if not path.is_dir():
        return path
    packed = work / f"{path.name or 'folder'}.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(path.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(path).as_posix())
    return packed


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
