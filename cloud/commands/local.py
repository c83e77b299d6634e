"""Commands on a home folder, in this process; no server is needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from cloud.actions import bundles as bundle_actions
from cloud.actions import detectors as detector_actions
from cloud.actions import devices as device_actions
from cloud.actions.detectors import split_reference
from cloud.actions.exports import export_labels
from cloud.actions.imports import ImportOrder, import_files
from cloud.actions.labels import Imported, import_labelled, pictures_in
from cloud.actions.lessons import gather
from cloud.actions.media import Role, note, stage
from cloud.actions.open_home import open_home
from cloud.actions.proposals import answer_all
from cloud.api.views import bundle_view, detector_view, device_view, token_view
from cloud.commands.backend import Examples, Incoming, Json, Show, Stopped, Verdict
from cloud.datasets.coco import read_coco
from cloud.datasets.export import Format
from cloud.errors import ConflictError
from cloud.jobs.progress import ProgressLine
from cloud.settings import Settings
from cloud.store import bundles, detectors, devices, jobs
from edge_agent.wire.sync import BundleTarget


class LocalCloud:
    """A home folder."""

    def __init__(self, settings: Settings) -> None:
        self.home = open_home(settings)
        self._settings = settings

    def detectors(self) -> list[Json]:
        """Return all detectors."""
        with self.home.database.read() as session:
            rows = detectors.every(session)
            return [detector_view(session, row).model_dump(mode="json") for row in rows]

    def create(self, name: str, examples: Examples, tests: Examples | None = None) -> Json:
        """Make a detector, with examples if there are some; nothing is left of it when these are wrong."""
        with self.home.database.write(durable=True) as session:
            detector = detectors.create(session, name=name, now_s=self.home.clock.now_s())
        try:
            imported = self._take_in(detector.id, examples, "teach")
            if tests is not None:
                imported["test_frames"] = self._take_in(detector.id, tests, "test")["frames"]
        except BaseException:
            self.delete(detector.id)
            raise
        return {**self._detector(detector.id), **imported}

    def add(self, reference: str, examples: Examples, role: Role) -> Json:
        """Add examples to learn from, or to test on."""
        with self.home.database.read() as session:
            found = detectors.find(session, reference)
        return {**self._take_in(found.id, examples, role), "id": found.id, "role": role}

    def import_files(self, reference: str, order: Incoming, show: Show, stopped: Stopped) -> Json:
        """Take in all that is good of files, folders and archives."""
        with self.home.database.read() as session:
            found = detectors.find(session, reference)

        def progress(share: float, name: str) -> None:
            show(ProgressLine(progress=min(1.0, share), stage="importing", message=f"Reading {name}"))

        action = ImportOrder(found.id, order.paths, order.role, folders_are_classes=order.folders_are_classes)
        return {"detector": found.id, **import_files(self.home, action, progress, stopped).to_json()}

    def export_labels(self, reference: str, out: Path, kind: Format, *, images: bool, role: Role) -> Json:
        """Write the labelled frames to a file."""
        return vars(export_labels(self.home, reference, out, kind, with_images=images, role=role))

    def prelabel(self, reference: str, order: Json, show: Show, stopped: Stopped) -> Json:
        """Let a detector offer boxes for unlabelled frames."""
        with self.home.database.read() as session:
            found = detectors.find(session, reference)
        from cloud.worker.prelabel import prelabel

        job = {"detector_id": found.id, **order}
        return prelabel(self.home, job, progress=_as_lines(show), cancelled=stopped)

    def answer_proposals(self, reference: str, min_score: float, verdict: Verdict | None) -> Json:
        """Accept or reject the offered boxes from a score on; without a verdict, only count them."""
        now_s = self.home.clock.now_s()
        with self.home.database.write(durable=True) as session:
            found = detectors.find(session, reference)
            return answer_all(session, found.id, min_score, verdict, now_s=now_s)

    def train(self, reference: str, how: Json, show: Show, stopped: Stopped) -> Json:
        """Train the next version."""
        self._refuse_while_busy(reference, "train")
        # Before torch is imported, so that a detector without examples is told at once.
        gather(self.home, reference)
        from cloud.worker.train import train

        return train(self.home, reference, **how, progress=_as_lines(show), cancelled=stopped)

    def compress(self, reference: str, how: Json, show: Show, stopped: Stopped) -> Json:
        """Compress a version for a kind of device."""
        from edge_agent.runtime.profiles import load_profile

        # Before torch is imported, so that a mistyped name is told at once.
        load_profile(how["profile"])
        self._find_version(reference)
        from cloud.worker.shrink import shrink

        return shrink(self.home, reference, **how, progress=_as_lines(show), cancelled=stopped)

    def delete(self, reference: str) -> None:
        """Remove a detector."""
        with self.home.database.write(durable=True) as session:
            found = detectors.find(session, reference)
            detector_actions.delete(session, self._settings, found.id)

    def bundles(self) -> list[Json]:
        """Return all bundles."""
        with self.home.database.read() as session:
            return [bundle_view(row).model_dump(mode="json") for row in bundles.every(session)]

    def publish(self, bundle: str) -> Json:
        """Sign a bundle."""
        repository = bundle_actions.open_repository(self._settings, self.home.clock)
        with self.home.database.write(durable=True) as session:
            target = bundle_actions.publish(session, self._settings, repository, bundle)
            view = bundle_view(bundles.find(session, bundle)).model_dump(mode="json")
        return {**view, "target": target.model_dump(mode="json")}

    def export(self, bundle: str, out: Path, root_out: Path | None) -> Json:
        """Write a signed kit for a camera without a cloud, and the root that it shall trust."""
        repository = bundle_actions.open_repository(self._settings, self.home.clock)
        with self.home.database.write(durable=True) as session:
            kit = bundle_actions.export(
                session, self._settings, repository, bundle_id=bundle, out=out, root_out=root_out
            )
        return {
            "kit": str(kit.path),
            "bytes": kit.path.stat().st_size,
            "profile": kit.profile,
            "root": str(kit.root_path),
            "root_kept": kit.root_kept,
        }

    def import_bundle(self, file: Path) -> Json:
        """Take in a bundle that `elfowl-compress` made, with its receipt."""
        with self.home.database.write(durable=True) as session:
            row = bundle_actions.import_bundle(session, self._settings, file, now_s=self.home.clock.now_s())
            return bundle_view(row).model_dump(mode="json")

    def devices(self) -> list[Json]:
        """Return all devices."""
        with self.home.database.read() as session:
            return [device_view(session, row).model_dump(mode="json") for row in devices.every(session)]

    def token(self, how: Json) -> Json:
        """Make a one-time enrolment token."""
        with self.home.database.write(durable=True) as session:
            token = device_actions.make_token(session, self.home.clock, **how)
        url = f"http://{self._settings.host}:{self._settings.port}"
        repository = bundle_actions.open_repository(self._settings, self.home.clock)
        return token_view(token, url, repository.root_json()).model_dump(mode="json")

    def assign(self, device: str, bundle: str | None) -> Json:
        """Want a bundle on a device; a running server tells the device at its next poll."""
        with self.home.database.write(durable=True) as session:
            device_actions.assign(
                session,
                device,
                bundle,
                publish_again=self._publish_again,
                now_s=self.home.clock.now_s(),
            )
            return device_view(session, devices.find(session, device)).model_dump(mode="json")

    def _find_version(self, reference: str) -> None:
        name, version = split_reference(reference)
        with self.home.database.read() as session:
            detectors.find_version(session, detectors.find(session, name).id, version)

    def _publish_again(self, session: Session, bundle_id: str) -> BundleTarget:
        repository = bundle_actions.open_repository(self._settings, self.home.clock)
        return bundle_actions.publish_again(session, self._settings, repository, bundle_id)

    def _detector(self, detector_id: str) -> Json:
        with self.home.database.read() as session:
            return detector_view(session, detectors.find(session, detector_id)).model_dump(mode="json")

    def _take_in(self, detector_id: str, examples: Examples, role: Role) -> Json:
        if not examples.given:
            done = Imported(0, 0, 0)
        elif examples.labels is None:
            done = self._take_in_unlabelled(detector_id, examples, role)
        else:
            coco = read_coco(examples.labels)
            done = import_labelled(
                self.home,
                detector_id=detector_id,
                images=examples.images,
                video=examples.video,
                coco=coco,
                role=role,
            )
        return {"media": done.media, "frames": done.frames, "boxes": done.boxes}

    def _take_in_unlabelled(self, detector_id: str, examples: Examples, role: Role) -> Imported:
        files = [examples.video] if examples.video else pictures_in(examples.images or Path())
        staged = [stage(self._settings, detector_id, file) for file in files]
        with self.home.database.write(durable=True) as session:
            for one in staged:
                note(session, self._settings, one, detector_id, self.home.clock.now_s(), role)
        return Imported(len(files), 0, 0)

    def _refuse_while_busy(self, reference: str, kind: str) -> None:
        with self.home.database.read() as session:
            found = detectors.find(session, reference)
            under_way = [job for job in jobs.of_detector(session, found.id) if job.state not in jobs.ENDED]
        if any(job.kind == kind for job in under_way):
            message = f"a running server has a {kind} of {found.name!r} under way; wait for it, or use --url"
            raise ConflictError(message)


def _as_lines(show: Show) -> Callable[[Any], None]:
    def listener(progress: Any) -> None:  # noqa: ANN401 - cloud.worker.progress.Progress, which needs no torch but lives there
        show(
            ProgressLine(
                progress=min(1.0, max(0.0, progress.fraction)),
                stage=progress.stage,
                message=progress.message,
                seconds_left=progress.seconds_left,
                figures=dict(getattr(progress, "figures", {})),
            )
        )

    return listener
