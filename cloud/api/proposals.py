"""Routes: boxes that a detector offers, and what a person says to them."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter

from cloud.actions import proposals as proposal_actions
from cloud.api.frames import check_index
from cloud.api.models import AcceptBody, JobView, LabelsView, PrelabelBody, ProposalView, RejectBody
from cloud.api.paging import Paged
from cloud.api.services import Used
from cloud.api.views import job_view, labels_view
from cloud.errors import InputError
from cloud.store import bundles, detectors, media, proposals
from cloud.store.tables import Proposal

router = APIRouter(tags=["proposals"])

_STARTER = "starter"


@router.post("/detectors/{detector_id}/prelabel", status_code=202)
def prelabel(services: Used, detector_id: str, body: PrelabelBody) -> JobView:
    """Let another detector, a bundle or the starter offer boxes for the frames that nobody labelled."""
    with services.database.read() as session:
        found = detectors.find(session, detector_id)
        if Path(body.helper).suffix == ".zip":
            message = f"{body.helper}: give the id of a bundle here, not a file"
            raise InputError(message)
        if body.helper.startswith("bun_"):
            bundles.find(session, body.helper)
        elif body.helper != _STARTER:
            helper = detectors.find(session, body.helper.partition("@")[0])
            detectors.find_version(session, helper.id)
    params = body.model_dump(mode="json", by_alias=True)
    return job_view(services.jobs.submit("prelabel", found.id, params))


@router.get("/detectors/{detector_id}/proposals")
def list_frames(services: Used, page: Paged, detector_id: str) -> list[tuple[str, int]]:
    """List the frames for which boxes are offered, as pairs of medium and frame index."""
    with services.database.read() as session:
        found = proposals.frames_with_open(session, detectors.find(session, detector_id).id)
        return list(page.of(found))


@router.get("/media/{media_id}/frames/{index}/proposals")
def show(services: Used, media_id: str, index: int) -> list[ProposalView]:
    """Show the boxes that are offered for a frame, the surest first."""
    with services.database.read() as session:
        check_index(media.find(session, media_id), index)
        return [_view(row) for row in proposals.of_frame(session, media_id, index)]


@router.post("/media/{media_id}/frames/{index}/proposals/accept")
def accept(services: Used, media_id: str, index: int, body: AcceptBody) -> LabelsView:
    """Make labels of proposals; 409 when somebody changed the labels meanwhile."""
    with services.database.write(durable=True) as session:
        row = media.find(session, media_id)
        check_index(row, index)
        changed = proposal_actions.accept(
            session,
            media_id,
            index,
            revision=body.revision,
            ids=body.ids,
            now_s=services.clock.now_s(),
            whole=body.whole,
        )
        view = labels_view(changed)
    services.teaching.labels_changed(row.detector_id)
    return view


@router.post("/media/{media_id}/frames/{index}/proposals/reject")
def reject(services: Used, media_id: str, index: int, body: RejectBody) -> dict[str, int]:
    """Turn proposals down; the same boxes are not offered again."""
    with services.database.write(durable=True) as session:
        check_index(media.find(session, media_id), index)
        return {"rejected": proposal_actions.reject(session, media_id, index, body.ids)}


def _view(row: Proposal) -> ProposalView:
    return ProposalView(
        id=row.id,
        label=row.label,
        score=row.score,
        box=proposal_actions.box_of(row),
        proposed_by=row.proposed_by,
        created=row.created,
    )
