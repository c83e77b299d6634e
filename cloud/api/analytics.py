"""Routes: figures of what was seen (who was there together, for how long, where), and events as a table."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Query
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel

from cloud.api.services import Services, Used
from cloud.search.aged import aged_of
from cloud.search.chosen import Chosen
from cloud.search.dwell import LENGTHS_S, Dwell, dwell
from cloud.search.export import csv_of, rows_of, write_parquet
from cloud.search.heat import heat
from cloud.search.together import together

router = APIRouter(prefix="/analytics", tags=["analytics"])

_FILES = {"Content-Disposition": 'attachment; filename="events.csv"', "X-Content-Type-Options": "nosniff"}


class PairView(BaseModel):
    """How often two labels were in sight of one camera at once."""

    labels: tuple[str, str]
    moments: int


class TogetherView(BaseModel):
    """Pairs of labels, the most frequent first; not `complete`: only the newest `events` were looked at."""

    pairs: list[PairView]
    events: int
    complete: bool


class DwellView(BaseModel):
    """How long things stayed; the median lies over `half_over` and up to `half_up_to` seconds (none: no end).

    `spread` counts events by how long they lasted: up to each of `ends` seconds, and longer.
    """

    label: str
    device: str
    camera: str
    events: int
    mean: float
    longest: float
    half_over: float
    half_up_to: float | None
    ends: list[float] = list(LENGTHS_S)
    spread: list[int]


class HeatView(BaseModel):
    """How many events covered each cell of the picture, rows from the top; `picture_of` shows the place."""

    cells: list[list[int]]
    events: int
    complete: bool
    picture_of: str | None


def chosen_by(
    since: Annotated[float | None, Query(description="start time, UTC seconds since 1970")] = None,
    until: float | None = None,
    label: str | None = None,
    camera: str | None = None,
    device: str | None = None,
) -> Chosen:
    """Return which events a request asks about."""
    return Chosen(since, until, label, camera, device)


Asked = Annotated[Chosen, Depends(chosen_by)]


@router.get("/together")
def show_together(services: Used, chosen: Asked) -> TogetherView:
    """Count which things were in sight of one camera at the same time."""
    with services.database.read() as session:
        old = aged_of(session, services.settings.home, chosen, reach_s=math.inf)
        found = together(session, chosen, aged=old)
    pairs = sorted(found.moments.items(), key=lambda one: (-one[1], one[0]))
    return TogetherView(
        pairs=[PairView(labels=labels, moments=moments) for labels, moments in pairs],
        events=found.events,
        complete=found.complete,
    )


@router.get("/dwell")
def show_dwell(services: Used, chosen: Asked) -> list[DwellView]:
    """Tell how long things stayed in sight, by label and camera."""
    with services.database.read() as session:
        old = aged_of(session, services.settings.home, chosen)
        return [_dwell_view(one) for one in dwell(session, chosen, old)]


@router.get("/heat")
def show_heat(services: Used, chosen: Asked) -> HeatView:
    """Count where in the picture things were last seen."""
    with services.database.read() as session:
        found = heat(session, chosen, aged=aged_of(session, services.settings.home, chosen))
    picture_of = None if found.picture_of is None else found.picture_of[1]
    return HeatView(
        cells=found.cells.tolist(), events=found.events, complete=found.complete, picture_of=picture_of
    )


@router.get("/events.csv", response_class=StreamingResponse, responses={200: {"content": {"text/csv": {}}}})
def export_csv(services: Used, chosen: Asked) -> StreamingResponse:
    """Export events as CSV, one a line."""
    return StreamingResponse(_csv(services, chosen), media_type="text/csv; charset=utf-8", headers=_FILES)


@router.get("/events.parquet", response_class=FileResponse)
def export_parquet(services: Used, chosen: Asked, after: BackgroundTasks) -> FileResponse:
    """Export events as Parquet, one a row."""
    folder = services.settings.cache_path / "exports"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".parquet", delete=False) as file:
        path = Path(file.name)
    after.add_task(path.unlink, missing_ok=True)
    try:
        with services.database.read() as session:
            old = aged_of(session, services.settings.home, chosen)
            write_parquet(rows_of(session, chosen, old), path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    media_type = "application/vnd.apache.parquet"
    return FileResponse(path, media_type=media_type, filename="events.parquet", background=after)


def _csv(services: Services, chosen: Chosen) -> Iterator[str]:
    with services.database.read() as session:
        old = aged_of(session, services.settings.home, chosen)
        yield from csv_of(rows_of(session, chosen, old))


def _dwell_view(one: Dwell) -> DwellView:
    over_s, up_to_s = one.half_s
    return DwellView(
        label=one.label,
        device=one.device,
        camera=one.camera,
        events=one.events,
        mean=one.mean_s,
        longest=one.longest_s,
        half_over=over_s,
        half_up_to=up_to_s,
        spread=list(one.spread),
    )
