"""Routes: detectors, their training, versions and compression."""

from __future__ import annotations

from fastapi import APIRouter, Request

from cloud.actions import attributes as attribute_actions
from cloud.actions import bundles as bundle_actions
from cloud.actions import detectors as detector_actions
from cloud.api.models import (
    BundleView,
    CompressBody,
    DetectorChange,
    DetectorView,
    JobView,
    NewDetector,
    ProfileView,
    PublishBody,
    TrainBody,
    VersionView,
)
from cloud.api.paging import Paged
from cloud.api.rollouts import who_asks
from cloud.api.services import Used
from cloud.api.views import bundle_view, detector_view, job_view, version_view
from cloud.errors import InputError, NotFoundError
from cloud.store import audit, bundles, detectors
from edge_agent.errors import ConfigError
from edge_agent.runtime.profiles import load_profile, profile_names

router = APIRouter(tags=["detectors"])


@router.get("/profiles")
def list_profiles() -> list[ProfileView]:
    """List the kinds of device that detectors can be compressed for."""
    return [ProfileView(name=name, title=load_profile(name).title) for name in profile_names()]


@router.get("/detectors")
def list_detectors(services: Used, page: Paged) -> list[DetectorView]:
    """List all detectors, oldest first."""
    with services.database.read() as session:
        return [detector_view(session, detector) for detector in page.of(detectors.every(session))]


@router.post("/detectors", status_code=201)
def create_detector(services: Used, body: NewDetector) -> DetectorView:
    """Add a detector without examples."""
    with services.database.write(durable=True) as session:
        detector = detectors.create(session, name=body.name, labels=body.labels, now_s=services.clock.now_s())
        return detector_view(session, detector)


@router.get("/detectors/{detector_id}")
def show_detector(services: Used, detector_id: str) -> DetectorView:
    """Show a detector by its id or name."""
    with services.database.read() as session:
        return detector_view(session, detectors.find(session, detector_id))


@router.patch("/detectors/{detector_id}")
def change_detector(services: Used, detector_id: str, body: DetectorChange) -> DetectorView:
    """Change the classes of a detector, or rename some; boxes follow a new name."""
    with services.database.write(durable=True) as session:
        detector = detectors.find(session, detector_id)
        if body.rename:
            detectors.rename_labels(session, detector.id, body.rename)
        if body.labels is not None:
            detectors.set_labels(session, detector.id, body.labels)
        view = detector_view(session, detector)
    if body.rename:
        attribute_actions.follow_labels(services.settings, view.id, body.rename)
    services.teaching.labels_changed(view.id)
    return view


@router.delete("/detectors/{detector_id}", status_code=204)
def delete_detector(request: Request, services: Used, detector_id: str) -> None:
    """Remove a detector with its examples, versions and bundles; what cameras run goes on."""
    with services.database.write(durable=True) as session:
        found = detectors.find(session, detector_id)
        now_s, who = services.clock.now_s(), who_asks(request)
        audit.note(session, "detector removed", now_s=now_s, who=who, detail=f"{found.name} ({found.id})")
        detector_actions.delete(session, services.settings, found.id)
    services.teaching.forget(found.id)


@router.post("/detectors/{detector_id}/train", status_code=202)
def train(services: Used, detector_id: str, body: TrainBody | None = None) -> JobView:
    """Start to train the next version."""
    with services.database.read() as session:
        found = detectors.find(session, detector_id)
    params = {} if body is None else body.model_dump(exclude_none=True)
    return job_view(services.jobs.submit("train", found.id, params))


@router.post("/detectors/{detector_id}/compress", status_code=202)
def compress(services: Used, detector_id: str, body: CompressBody) -> JobView:
    """Start to compress a version for a kind of device."""
    try:
        load_profile(body.profile)
    except ConfigError as error:
        raise InputError(str(error)) from error
    with services.database.read() as session:
        found = detectors.find(session, detector_id)
        version = detectors.find_version(session, found.id, body.version).version
    params = {"profile": body.profile, "version": version, "effort": body.effort}
    return job_view(services.jobs.submit("compress", found.id, params))


@router.get("/detectors/{detector_id}/versions/{version}")
def show_version(services: Used, detector_id: str, version: int) -> VersionView:
    """Show what was measured of a version."""
    with services.database.read() as session:
        found = detectors.find(session, detector_id)
        return version_view(detectors.find_version(session, found.id, version))


@router.get("/detectors/{detector_id}/bundles")
def list_bundles(services: Used, page: Paged, detector_id: str) -> list[BundleView]:
    """List the bundles of a detector, newest first."""
    with services.database.read() as session:
        found = detectors.find(session, detector_id)
        return [bundle_view(bundle) for bundle in page.of(bundles.every(session, found.id))]


@router.post("/detectors/{detector_id}/publish")
def publish(services: Used, detector_id: str, body: PublishBody) -> BundleView:
    """Sign a bundle and offer it to cameras."""
    with services.database.write(durable=True) as session:
        found = detectors.find(session, detector_id)
        if bundles.find(session, body.bundle).detector_id != found.id:
            message = f"bundle {body.bundle} is not of detector {detector_id}"
            raise NotFoundError(message)
        bundle_actions.publish(session, services.settings, services.repository, body.bundle)
        return bundle_view(bundles.find(session, body.bundle))
