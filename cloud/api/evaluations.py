"""Routes: how good a version is, and which of two is better; jobs measure, these serve what they kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response

from cloud.actions.measured import ReportFiles, comparison_files, evaluation_files, existing
from cloud.api.models import JobView
from cloud.api.services import Services, Used
from cloud.api.views import job_view
from cloud.store import detectors

router = APIRouter(prefix="/detectors/{detector_id}", tags=["evaluation"])

_PAGE_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"

Old = Annotated[int, Query(alias="a", ge=1, description="The version to compare with.")]
New = Annotated[int, Query(alias="b", ge=1, description="The version to judge.")]


@router.post("/versions/{version}/evaluate", status_code=202)
def evaluate(services: Used, detector_id: str, version: int) -> JobView:
    """Start to measure a version on its frozen test frames, also on pictures made worse."""
    found = _find(services, detector_id, version)
    return job_view(services.jobs.submit("evaluate", found, {"version": version}))


@router.get("/versions/{version}/report", response_class=Response)
def report(services: Used, detector_id: str, version: int) -> Response:
    """Show what was measured of a version, as JSON."""
    return _document(_evaluation(services, detector_id, version).document)


@router.get("/versions/{version}/report.html", response_class=HTMLResponse)
def report_page(services: Used, detector_id: str, version: int) -> HTMLResponse:
    """Show what was measured of a version, as a page; it may run no scripts."""
    return _page(_evaluation(services, detector_id, version).page)


@router.post("/compare", status_code=202)
def start_comparison(services: Used, detector_id: str, a: Old, b: New) -> JobView:
    """Start to compare two versions on the test frames that neither has learned from."""
    _find(services, detector_id, a)
    found = _find(services, detector_id, b)
    return job_view(services.jobs.submit("compare", found, {"old": a, "new": b}))


@router.get("/compare", response_class=Response)
def comparison(services: Used, detector_id: str, a: Old, b: New) -> Response:
    """Show how two versions compare, as JSON."""
    return _document(_comparison(services, detector_id, a, b).document)


@router.get("/compare.html", response_class=HTMLResponse)
def comparison_page(services: Used, detector_id: str, a: Old, b: New) -> HTMLResponse:
    """Show how two versions compare, as a page; it may run no scripts."""
    return _page(_comparison(services, detector_id, a, b).page)


def _find(services: Services, detector_id: str, version: int) -> str:
    """Return the detector's id; it may be asked for by name."""
    with services.database.read() as session:
        found = detectors.find(session, detector_id)
        detectors.find_version(session, found.id, version)
        return found.id


def _evaluation(services: Services, detector_id: str, version: int) -> ReportFiles:
    found = _find(services, detector_id, version)
    files = evaluation_files(services.settings, found, version)
    return existing(
        files, "report on this version", f"elfowl-cloud detector evaluate {found}@{version} --full"
    )


def _comparison(services: Services, detector_id: str, old: int, new: int) -> ReportFiles:
    _find(services, detector_id, old)
    found = _find(services, detector_id, new)
    files = comparison_files(services.settings, found, old, new)
    return existing(
        files, "comparison of these versions", f"elfowl-cloud detector compare {found} {old} {new}"
    )


def _document(path: Path) -> Response:
    return Response(path.read_bytes(), media_type="application/json")


def _page(path: Path) -> HTMLResponse:
    headers: dict[str, Any] = {"Content-Security-Policy": _PAGE_POLICY}
    return HTMLResponse(path.read_text("utf-8"), headers=headers)
