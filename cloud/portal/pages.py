"""One thin page a URL: title, navigation, import map; what moves is an ES module over the HTTP API."""

from __future__ import annotations

import base64
import difflib
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from cloud.portal.assets import Assets

HERE = Path(__file__).parent
STATIC_PATH = HERE / "static"
_VENDORED: Final = {
    "preact": "vendor/preact.mjs",
    "preact/hooks": "vendor/hooks.mjs",
    "@preact/signals-core": "vendor/signals-core.mjs",
    "@preact/signals": "vendor/signals.mjs",
    "htm": "vendor/htm.mjs",
    "uplot": "vendor/uplot.mjs",
}
ASSETS: Final = Assets(STATIC_PATH, _VENDORED)
IMPORTS: Final = {name: ASSETS.address(file) for name, file in _VENDORED.items()}
_WITHOUT_WHO: Final = frozenset({"login", "setup"})
_IMPORT_MAP: Final = json.dumps({"imports": IMPORTS})

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
# Escape in every template, whatever its name: the default looks only at names that end in .html.
_templates = Jinja2Templates(env=Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True))


def _content_security_policy() -> str:
    """Allow our own files and the import map, which browsers want inline, by its digest; nothing else."""
    digest = base64.b64encode(hashlib.sha256(_IMPORT_MAP.encode()).digest()).decode()
    rules = (
        "default-src 'self'",
        f"script-src 'self' 'sha256-{digest}'",
        # Reports carry cut-outs of single objects as data.
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
    return "; ".join(rules)


_HEADERS: Final = {
    "Content-Security-Policy": _content_security_policy(),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@cache
def _modules_of(module: str) -> list[str]:
    """Return where all modules of a page are: a browser asks for them at once, not one after another."""
    own = (f"{module}.js",) if module in _WITHOUT_WHO else (f"{module}.js", "who.js")
    return [ASSETS.address(name) for name in ASSETS.modules_of(*own)]


def _page(request: Request, status: int = 200, *, title: str, module: str, **data: str) -> HTMLResponse:
    values = {
        "title": title,
        "module": module,
        "data": data,
        "import_map": Markup(_IMPORT_MAP),  # noqa: S704 - ours
        "file": ASSETS.address,
        "modules": _modules_of(module),
    }
    return _templates.TemplateResponse(request, "page.html.j2", values, status_code=status, headers=_HEADERS)


@router.get("/")
def home(request: Request) -> HTMLResponse:
    """Show the detectors and the next step."""
    return _page(request, title="Detectors", module="home")


@router.get("/detectors/{detector_id}")
def detector(request: Request, detector_id: str) -> HTMLResponse:
    """Show one detector: teach, train, versions, shrink."""
    return _page(request, title="Detector", module="detector", detector=detector_id)


@router.get("/detectors/{detector_id}/attributes")
def attributes(request: Request, detector_id: str) -> HTMLResponse:
    """Show what things of a detector are told to be like, and let crops be sorted."""
    return _page(request, title="Attributes", module="attributes", detector=detector_id)


@router.get("/detectors/{detector_id}/watch")
def watch(request: Request, detector_id: str) -> HTMLResponse:
    """Show a video with what a version sees in it, to be corrected."""
    return _page(request, title="Watch", module="watch", detector=detector_id)


@router.get("/detectors/{detector_id}/versions")
def versions(request: Request, detector_id: str) -> HTMLResponse:
    """Show how good the versions of a detector are, and put one in use."""
    return _page(request, title="Versions", module="versions", detector=detector_id)


@router.get("/detectors/{detector_id}/review")
def review(request: Request, detector_id: str) -> HTMLResponse:
    """Show the events of which a detector was least sure, one after another, to be answered."""
    return _page(request, title="Review", module="review", detector=detector_id)


@router.get("/devices")
def devices(request: Request) -> HTMLResponse:
    """Show the cameras."""
    return _page(request, title="Cameras", module="devices")


@router.get("/streams")
def streams(request: Request) -> HTMLResponse:
    """Show the streams that the cloud itself watches, and when nobody did."""
    return _page(request, title="Streams", module="streams")


@router.get("/wall")
def wall(request: Request, device: str = "", camera: str = "") -> HTMLResponse:
    """Show what the cameras see now; with `device` and `camera` one of them, large."""
    return _page(request, title="Live wall", module="wall", device=device, camera=camera)


@router.get("/rollouts")
def rollouts(request: Request) -> HTMLResponse:
    """Show how bundles reach many cameras, and which cameras wait to be let in."""
    return _page(request, title="Roll-outs", module="rollouts")


@router.get("/events")
def events(request: Request) -> HTMLResponse:
    """Show what the cameras saw, newest first."""
    return _page(request, title="Events", module="events")


@router.get("/events/{event_id}")
def event(request: Request, event_id: str) -> HTMLResponse:
    """Show one event and ask whether it is right."""
    return _page(request, title="Event", module="event", event=event_id)


@router.get("/search")
def search(request: Request) -> HTMLResponse:
    """Show when something was seen."""
    return _page(request, title="Search", module="search")


@router.get("/alerts")
def alerts(request: Request) -> HTMLResponse:
    """Show who is told of what, and what became of each message."""
    return _page(request, title="Alerts", module="alerts")


@router.get("/analytics")
def analytics(request: Request) -> HTMLResponse:
    """Show how often, when and where things were seen."""
    return _page(request, title="Analytics", module="analytics")


@router.get("/bundles/{bundle_id}")
def bundle(request: Request, bundle_id: str) -> HTMLResponse:
    """Show what compression made, and its receipt."""
    return _page(request, title="Receipt", module="bundle", bundle=bundle_id)


@router.get("/settings")
def settings(request: Request) -> HTMLResponse:
    """Show who may come in, one's own tokens and browsers, and what was done."""
    return _page(request, title="Settings", module="settings")


@router.get("/login")
def login(request: Request) -> HTMLResponse:
    """Ask for name and password."""
    return _page(request, title="Log in", module="login")


@router.get("/setup")
def setup(request: Request) -> HTMLResponse:
    """Let the first account be made."""
    return _page(request, title="First start", module="setup")


_PLACES: Final = {
    "detectors": ("/", "Detectors"),
    "cameras": ("/devices", "Cameras"),
    "devices": ("/devices", "Cameras"),
    "streams": ("/streams", "Streams"),
    "wall": ("/wall", "Live wall"),
    "live": ("/wall", "Live wall"),
    "rollouts": ("/rollouts", "Roll-outs"),
    "events": ("/events", "Events"),
    "search": ("/search", "Search"),
    "analytics": ("/analytics", "Analytics"),
    "alerts": ("/alerts", "Alerts"),
    "settings": ("/settings", "Settings"),
    "api": ("/docs", "the API's reference"),
}


def nothing_here(request: Request) -> HTMLResponse:
    """Say that there is no page at this address, and which one may have been meant (HTTP 404)."""
    path = request.url.path
    first = path.strip("/").partition("/")[0].lower()
    near = difflib.get_close_matches(first, _PLACES, n=1)
    address, name = _PLACES[near[0]] if near else ("", "")
    return _page(request, 404, title="Nothing here", module="nothing", path=path, nearest=address, name=name)
