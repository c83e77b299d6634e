"""One thin page a URL: title, navigation, import map; what moves is an ES module over the HTTP API."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

HERE = Path(__file__).parent
STATIC_PATH = HERE / "static"

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_templates = Jinja2Templates(directory=HERE / "templates")


def _page(request: Request, *, title: str, module: str, **data: str) -> HTMLResponse:
    return _templates.TemplateResponse(
        request, "page.html.j2", {"title": title, "module": module, "data": data}
    )


@router.get("/")
def home(request: Request) -> HTMLResponse:
    """Show the detectors and the next step."""
    return _page(request, title="Detectors", module="home")


@router.get("/detectors/{detector_id}")
def detector(request: Request, detector_id: str) -> HTMLResponse:
    """Show one detector: teach, train, versions, shrink."""
    return _page(request, title="Detector", module="detector", detector=detector_id)


@router.get("/devices")
def devices(request: Request) -> HTMLResponse:
    """Show the cameras."""
    return _page(request, title="Cameras", module="devices")


@router.get("/events")
def events(request: Request) -> HTMLResponse:
    """Show what the cameras saw, newest first."""
    return _page(request, title="Events", module="events")


@router.get("/events/{event_id}")
def event(request: Request, event_id: str) -> HTMLResponse:
    """Show one event and ask whether it is right."""
    return _page(request, title="Event", module="event", event=event_id)


@router.get("/bundles/{bundle_id}")
def bundle(request: Request, bundle_id: str) -> HTMLResponse:
    """Show what compression made, and its receipt."""
    return _page(request, title="Receipt", module="bundle", bundle=bundle_id)
