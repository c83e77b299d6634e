"""All routes of the HTTP API, version 1."""

from __future__ import annotations

from fastapi import APIRouter

from cloud.api import bundles, detectors, device, devices, events, jobs, media, server

PREFIX = "/api/v1"

router = APIRouter(prefix=PREFIX)
for part in (
    server.router,
    detectors.router,
    media.router,
    jobs.router,
    bundles.router,
    events.router,
    devices.router,
    device.router,
):
    router.include_router(part)
