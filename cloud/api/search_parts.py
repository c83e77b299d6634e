"""Routes: what a search is made of, so that its text and its parts can be edited side by side."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as Parameter
from pydantic import BaseModel

from cloud.api.services import Used
from cloud.errors import InputError
from cloud.search.known import known
from cloud.search.parse import MOST_CHARACTERS, SearchTextError, parse_query
from cloud.search.query import Query

router = APIRouter(tags=["search"])


class MistakeView(BaseModel):
    """Why a text means no search; `place` is the character, from 1, none: the whole text."""

    message: str
    place: int | None


class ReadView(BaseModel):
    """A search as its text and as its parts; `query` is none when the text means none."""

    text: str
    query: Query | None
    mistake: MistakeView | None = None


class CameraName(BaseModel):
    """A camera of a device."""

    device: str
    camera: str


class KnownView(BaseModel):
    """What was seen so far, to choose from; zones and attributes are those of the newest events."""

    labels: list[str]
    cameras: list[CameraName]
    zones: list[str]
    attributes: dict[str, list[str]]


@router.get("/search/read")
def read_search(
    q: Annotated[str, Parameter(max_length=4 * MOST_CHARACTERS, description="the text of a search")],
) -> ReadView:
    """Read the text of a search into its parts; a mistake is told with its place."""
    try:
        query = parse_query(q)
    except SearchTextError as error:
        return ReadView(text=q, query=None, mistake=MistakeView(message=str(error), place=error.place))
    return ReadView(text=str(query), query=query)


@router.post("/search/read")
def write_search(body: Query) -> ReadView:
    """Write the parts of a search as its text."""
    text = str(body)
    if parse_query(text) != body:
        message = f'{text}: a search has a label, and no name in it holds the sign "'
        raise InputError(message)
    return ReadView(text=text, query=body)


@router.get("/search/known")
def list_known(services: Used) -> KnownView:
    """List the labels, cameras, zones and attributes that a search can name."""
    with services.database.read() as session:
        found = known(session)
    return KnownView(
        labels=list(found.labels),
        cameras=[CameraName(device=device, camera=camera) for device, camera in found.cameras],
        zones=list(found.zones),
        attributes={slug: list(values) for slug, values in found.attributes.items()},
    )
