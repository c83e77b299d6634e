"""All routes of the HTTP API, version 1."""

from __future__ import annotations

import inspect

from fastapi import APIRouter
from fastapi.routing import APIRoute

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
    files,
    forgetting,
    jobs,
    media,
    offload,
    proposals,
    rollouts,
    saved_searches,
    scans,
    search,
    search_parts,
    server,
    suggestions,
    teaching,
    versions,
    wall,
    watching,
)

PREFIX = "/api/v1"

router = APIRouter(prefix=PREFIX)


def _say_what_routes_do(part: APIRouter) -> None:
    """Let the reference say of each route what the code says of itself."""
    for route in part.routes:
        if isinstance(route, APIRoute):
            summary, _, more = (inspect.getdoc(route.endpoint) or "").partition("\n")
            route.summary, route.description = summary.removesuffix("."), more.strip()


# Routes are tried in this order, which takes longer than many an answer: what cameras ask comes first.
for part in (
    offload.router,
    device.router,
    server.router,
    accounts.router,
    detectors.router,
    evaluations.router,
    versions.router,
    suggestions.router,
    attributes.router,
    media.router,
    files.router,
    proposals.router,
    watching.router,
    teaching.router,
    jobs.router,
    bundles.router,
    events.router,
    forgetting.router,
    search.router,
    search_parts.router,
    saved_searches.router,
    scans.router,
    analytics.router,
    alerts.router,
    answers.router,
    devices.router,
    wall.router,
    rollouts.router,
):
    _say_what_routes_do(part)
    router.include_router(part)
