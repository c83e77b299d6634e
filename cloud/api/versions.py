"""Routes: which version is in use, and from which score on it reports."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from cloud.actions.measured import comparison_files, evaluation_files
from cloud.actions.versions import set_thresholds, thresholds_of
from cloud.api.models import DetectorView
from cloud.api.services import Services, Used
from cloud.api.views import detector_view
from cloud.store import detectors

router = APIRouter(prefix="/detectors/{detector_id}/versions/{version}", tags=["detectors"])

Threshold = Annotated[float, Field(ge=0.01, le=0.99)]


class ThresholdsBody(BaseModel):
    """From which score on classes are reported; those that are not named stay."""

    model_config = ConfigDict(extra="forbid")

    thresholds: dict[str, Threshold] = Field(min_length=1, max_length=100)


class ThresholdsView(BaseModel):
    """From which score on a version reports each class."""

    version: int
    thresholds: dict[str, float]


class MeasuredView(BaseModel):
    """What was measured of a version: whether there is a report, and with which others it was compared."""

    version: int
    report: bool
    compared_with: list[int]


@router.get("/measured")
def show_measured(services: Used, detector_id: str, version: int) -> MeasuredView:
    """Show which reports on a version there are."""
    with services.database.read() as session:
        found = detectors.find(session, detector_id)
        detectors.find_version(session, found.id, version)
        others = [row.version for row in found.versions if row.version != version]
    settings = services.settings
    return MeasuredView(
        version=version,
        report=evaluation_files(settings, found.id, version).document.is_file(),
        compared_with=[
            other
            for other in others
            if comparison_files(settings, found.id, other, version).document.is_file()
        ],
    )


@router.post("/use")
def use(services: Used, detector_id: str, version: int) -> DetectorView:
    """Put a version in use, also an older one; a better one that is trained later takes over from it."""
    with services.database.write(durable=True) as session:
        detector = detectors.find(session, detector_id)
        detectors.choose(session, detector.id, version, now_s=services.clock.now_s())
        return detector_view(session, detector)


@router.get("/thresholds")
def show_thresholds(services: Used, detector_id: str, version: int) -> ThresholdsView:
    """Show from which score on a version reports each class."""
    found = _find(services, detector_id, version)
    return ThresholdsView(version=version, thresholds=thresholds_of(services.settings, found, version))


@router.put("/thresholds")
def put_thresholds(services: Used, detector_id: str, version: int, body: ThresholdsBody) -> ThresholdsView:
    """Let a version report classes from other scores on; bundles made before keep theirs."""
    found = _find(services, detector_id, version)
    thresholds = set_thresholds(services.settings, found, version, body.thresholds)
    return ThresholdsView(version=version, thresholds=thresholds)


def _find(services: Services, detector_id: str, version: int) -> str:
    with services.database.read() as session:
        found = detectors.find(session, detector_id)
        detectors.find_version(session, found.id, version)
        return found.id
