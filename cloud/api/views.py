"""Rows of the store as JSON of the HTTP API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from sqlalchemy.orm import Session

from cloud.actions.corrected import STANDINGS
from cloud.actions.corrections import standing
from cloud.actions.detectors import state_of
from cloud.actions.devices import stats_of
from cloud.api.models import (
    BoxBody,
    BundleView,
    CorrectionView,
    DetectorView,
    DeviceView,
    EventView,
    JobView,
    LabelsView,
    MediaView,
    TokenView,
    VersionView,
)
from cloud.fleet.desired import has_converged
from cloud.fleet.enrolment import IssuedToken
from cloud.fleet.ticket import qr_svg, ticket_for
from cloud.store import corrections, detectors, devices, jobs, labels, media
from cloud.store.scans import SCAN_DEVICE
from cloud.store.tables import (
    BundleRow,
    Detector,
    Device,
    EventState,
    Frame,
    Job,
    Media,
    StoredCorrection,
    Version,
)
from edge_agent.wire.event import Event

_OWN_WORK = frozenset({"train", "compress"})


def job_view(job: Job, figures: dict[str, float] | None = None) -> JobView:
    """Return a job, with what it measures on its way where that is known."""
    view = JobView.model_validate(job, from_attributes=True)
    return view.model_copy(update={"figures": figures or {}})


def version_view(version: Version) -> VersionView:
    """Return a trained version."""
    return VersionView.model_validate(version, from_attributes=True)


def detector_view(session: Session, detector: Detector) -> DetectorView:
    """Return a detector with its counts, versions and newest job, less those that only take files in."""
    counts = detectors.count_examples(session, detector.id)
    newest = [job for job in jobs.of_detector(session, detector.id) if job.kind in _OWN_WORK][:1]
    pictures = media.of_detector(session, detector.id)[:1]
    return DetectorView(
        id=detector.id,
        name=detector.name,
        labels=detector.labels,
        created=detector.created,
        state=state_of(session, detector, counts),
        counts=counts,
        versions=[version_view(version) for version in detector.versions],
        in_use=None if (used := detectors.in_use(detector.versions)) is None else used.version,
        job=job_view(newest[0]) if newest else None,
        poster=f"/api/v1/media/{pictures[0].id}/frames/0.jpg" if pictures else None,
    )


def media_view(session: Session, row: Media) -> MediaView:
    """Return a medium with the frames that are labelled."""
    frames = labels.of_media(session, row.id)
    labelled = [frame.frame_index for frame in frames if labels.says_something(frame)]
    shown = {name: getattr(row, name) for name in MediaView.model_fields if name not in {"labelled", "job"}}
    return MediaView(**shown, labelled=labelled)


def labels_view(frame: Frame | None) -> LabelsView:
    """Return the labels of a frame; none means revision 0."""
    if frame is None:
        return LabelsView(revision=0, boxes=[], nothing_here=False, trusted=None)
    said = labels.labels_of(frame)
    return LabelsView(
        revision=frame.revision,
        boxes=[BoxBody(label=label, box=box) for label, box in said.boxes],
        nothing_here=said.nothing_here,
        trusted=None if said.trusted_xyxy_norm is None else list(said.trusted_xyxy_norm),
        tags=None if said.tags is None else list(said.tags),
    )


def bundle_view(bundle: BundleRow, receipt: Path | None = None) -> BundleView:
    """Return a bundle, with its receipt where that is given."""
    view = BundleView.model_validate(bundle, from_attributes=True)
    if receipt is not None:
        view.receipt = json.loads(receipt.read_bytes())
    return view


def device_view(session: Session, device: Device) -> DeviceView:
    """Return a device with what is wanted of it and what it says."""
    desired = devices.desired_of(session, device.name)
    reported = devices.reported_of(session, device.name)
    fields = ("name", "profile", "arch", "agent_version", "state", "group", "labels", "enrolled", "online")
    return DeviceView(
        **{name: getattr(device, name) for name in fields},
        last_seen=device.last_seen,
        converged=has_converged(desired, reported),
        desired=desired.model_dump(mode="json", exclude={"nearby_wanted"}),  # has a route of its own
        reported=None if reported is None else reported.model_dump(mode="json"),
        stats=stats_of(device),
    )


def token_view(token: IssuedToken, cloud_url: str, root_json: str) -> TokenView:
    """Return a fresh token in every form in which it can be brought to a camera."""
    ticket = ticket_for(cloud_url, token.text, root_json)
    command = f"elfowl-agent enrol --cloud {ticket.cloud} --token {token.text}"
    return TokenView(
        token=token.text,
        expires=token.expires_s,
        command=command,
        ticket=ticket.model_dump(mode="json"),
        qr_svg=qr_svg(ticket.to_json()),
    )


def event_view(session: Session, state: EventState, history: Sequence[Event] | None = None) -> EventView:
    """Return the latest state of an event, with what was last said about it."""
    correction = corrections.newest_of_event(session, state.event_id)
    return EventView(
        event=document(state.body),
        received=state.received,
        thumbnail=state.has_thumbnail or state.device == SCAN_DEVICE,
        correction=None if correction is None else document(correction.body),
        history=None if history is None else [event.model_dump(mode="json") for event in history],
    )


def correction_view(session: Session, row: StoredCorrection) -> CorrectionView:
    """Return a correction, and what becomes of it."""
    now = standing(session, row)
    return CorrectionView(
        correction=document(row.body),
        detector_id=row.detector_id,
        key_frame=row.key_frame_path is not None,
        standing=now,
        meaning=STANDINGS[now],
    )


def document(text: str) -> dict[str, Any]:
    """Return a stored wire document as JSON."""
    return cast("dict[str, Any]", json.loads(text))
