"""Routes: saved searches."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from cloud.actions import searches
from cloud.actions.searches import Saved
from cloud.api.paging import Paged
from cloud.api.services import Used
from cloud.search.parse import MOST_CHARACTERS

router = APIRouter(tags=["search"])


class NewSearch(BaseModel):
    """A search to keep; dates and times of day are those of `timezone`."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=80)
    query: str = Field(max_length=MOST_CHARACTERS, description="such as: person near dog within 5s")
    timezone: str = Field("UTC", max_length=100)


class SavedView(BaseModel):
    """A saved search; `alerts` are the names of those that watch new events by it."""

    id: str
    name: str
    query: str
    timezone: str
    created: float
    alerts: list[str]


@router.get("/searches")
def list_searches(services: Used, page: Paged) -> list[SavedView]:
    """List the saved searches by name."""
    with services.database.read() as session:
        return [_view(one) for one in page.of(searches.every(session))]


@router.post("/searches", status_code=201)
def save_search(services: Used, body: NewSearch) -> SavedView:
    """Keep a search under a name, to ask it again or to let an alert watch by it."""
    with services.database.write(durable=True) as session:
        now_s = services.clock.now_s()
        saved = searches.save(session, name=body.name, text=body.query, timezone=body.timezone, now_s=now_s)
        return _view(saved)


@router.delete("/searches/{search}", status_code=204)
def forget_search(services: Used, search: str) -> None:
    """Forget a saved search by its id or name; not while an alert watches by it."""
    with services.database.write(durable=True) as session:
        searches.forget(session, search)


def _view(saved: Saved) -> SavedView:
    row = saved.row
    return SavedView(
        id=row.id,
        name=row.name,
        query=row.query,
        timezone=row.timezone,
        created=row.created,
        alerts=list(saved.alerts),
    )
