"""Routes: look through recordings, and how far that is."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from cloud.actions.detectors import split_reference
from cloud.actions.open_home import Home
from cloud.actions.scans import SCAN, named_files, note_file, note_medium
from cloud.api.models import JobView
from cloud.api.paging import Paged
from cloud.api.services import Services, Used
from cloud.api.views import job_view
from cloud.errors import InputError
from cloud.store import bundles, detectors, scans

router = APIRouter(prefix="/scans", tags=["scans"])

_STARTER = "starter"
_MOST = 50


class ScanBody(BaseModel):
    """What to look through, and with what.

    `detectors`: names or ids, with `@version` or of the version in use; ids of bundles; or `starter`, which
    comes with elfowl. They look together. `media`: videos of the cloud. `files`: files and folders in the
    folder `recordings` of the cloud's home. `began`: when the first picture of each file was taken, UTC
    seconds since 1970; none: as the file says.
    """

    model_config = ConfigDict(extra="forbid")

    detectors: list[str] = Field(min_length=1, max_length=_MOST)
    media: list[str] = Field([], max_length=_MOST)
    files: list[str] = Field([], max_length=_MOST)
    began: float | None = Field(None, ge=0)


class ScanView(BaseModel):
    """How far one version of a detector has looked through one recording.

    Events of a recording name the device `scan` and its `camera`; picture n of it was taken `n / fps` seconds
    after `began` (UTC seconds since 1970). `until_s` of `duration_s` seconds were gone through; `glanced`:
    the key frames were looked at; `looks`: how many pictures were looked at.
    """

    recording: str
    name: str
    media: str | None
    camera: str
    began: float
    fps: float
    duration_s: float
    detector: str
    detector_name: str
    version: int
    glanced: bool
    until_s: float
    looks: int
    done: bool


@router.post("", status_code=202)
def begin(services: Used, body: ScanBody) -> JobView:
    """Look through recordings; no version looks twice at what it has looked through.

    What was seen can be searched while it goes on. The job is cancelled as any other; what was seen until
    then stays, and the next scan goes on from there.
    """
    references = [_pinned(services, one) for one in dict.fromkeys(body.detectors)]
    home = Home(services.settings, services.database, services.clock)
    rows = [note_medium(home, one) for one in body.media]
    files = named_files(services.settings, body.files)
    rows += [note_file(home, path, body.began) for path in files]
    if not rows:
        message = "nothing to scan; name videos in media, or files in the folder of recordings"
        raise InputError(message)
    recordings = list(dict.fromkeys(row.id for row in rows))
    params = {"recordings": recordings, "detectors": [reference for reference, _ in references]}
    return job_view(services.jobs.submit(SCAN, references[0][1], params))


@router.get("")
def list_scans(services: Used, page: Paged) -> list[ScanView]:
    """List who has looked through which recordings, and how far, newest first."""
    with services.database.read() as session:
        return [
            ScanView(
                recording=row.id,
                name=row.name,
                media=row.media_id,
                camera=row.camera,
                began=row.began,
                fps=row.fps,
                duration_s=row.duration,
                detector=scan.detector_id,
                detector_name=scan.detector_name,
                version=scan.detector_version,
                glanced=scan.glanced,
                until_s=scan.until,
                looks=scan.looks,
                done=scan.done,
            )
            for scan, row in page.of(scans.every(session))
        ]


def _pinned(services: Services, reference: str) -> tuple[str, str]:
    """Return a reference that names a version, and the id of its detector."""
    if reference == _STARTER:
        return reference, _STARTER
    with services.database.read() as session:
        if reference.startswith("bun_"):
            return reference, bundles.find(session, reference).detector_id
        name, version = split_reference(reference)
        found = detectors.find(session, name)
        number = detectors.find_version(session, found.id, version).version
    return f"{found.id}@{number}", found.id
