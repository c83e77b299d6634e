"""All routes of the HTTP API, version 1."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from cloud.api import (
    accounts,
    alerts,
    analytics,
    answers,
    attributes,
    bundles,
    detectors,
    device,
    devices,
    evaluations,
    events,
    figures,
    files,
    forgetting,
    jobs,
    media,
    nearby,
    offload,
    proposals,
    rollouts,
    saved_searches,
    scans,
    search,
    search_parts,
    server,
    streams,
    suggestions,
    teaching,
    uploads,
    versions,
    wall,
    watching,
    workspaces,
)

PREFIX = "/api/v1"


def _say_what_routes_do(part: APIRouter) -> None:
    """Let the reference say of each route what the code says of itself."""
    for route in part.routes:
        if isinstance(route, APIRoute):
            summary, _, more = (inspect.getdoc(route.endpoint) or "").partition("\n")
            route.summary, route.description = summary.removesuffix("."), more.strip()


# Routes are tried in this order, which takes longer than many an answer: what cameras ask comes first.
_PARTS: Final = (
    offload.router,
    device.router,
    nearby.for_cameras,
    server.router,
    accounts.router,
    workspaces.router,
    detectors.router,
    evaluations.router,
    versions.router,
    suggestions.router,
    attributes.router,
    media.router,
    files.router,
    uploads.router,
    proposals.router,
    watching.router,
    teaching.router,
    jobs.router,
    figures.router,
    bundles.router,
    events.router,
    forgetting.router,
    search.router,
    search_parts.router,
    saved_searches.router,
    scans.router,
    streams.router,
    analytics.router,
    alerts.router,
    answers.router,
    devices.router,
    nearby.router,
    wall.router,
    rollouts.router,
)


def include_in(app: FastAPI) -> None:
    """Let an application answer all routes of the API."""
    app.router.routes.append(offload.straight_way(PREFIX))
    app.router.routes.extend(_included())


@cache
def _included() -> tuple[BaseRoute, ...]:
    """Return all routes, as FastAPI includes them.

    One by one, not as one router that holds the others: FastAPI would look through all of these for each
    request, which takes longer than to find the route. Once for all applications of a process: what a route
    takes and gives is worked out when it is first tried, which takes milliseconds for each.
    """
    holder = APIRouter()
    for part in _PARTS:
        _say_what_routes_do(part)
        holder.include_router(part, prefix=PREFIX)
    return tuple(holder.routes)
