"""Routes: bundles and their receipts."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse

from cloud.actions import bundles as bundle_actions
from cloud.actions.bundles import bundle_path, receipt_path
from cloud.api.models import BundleView
from cloud.api.paging import Paged
from cloud.api.rollouts import who_asks
from cloud.api.services import Used
from cloud.api.views import bundle_view
from cloud.store import bundles

router = APIRouter(prefix="/bundles", tags=["bundles"])


@router.get("")
def list_all(services: Used, page: Paged) -> list[BundleView]:
    """List all bundles, newest first."""
    with services.database.read() as session:
        return [bundle_view(bundle) for bundle in page.of(bundles.every(session))]


@router.get("/{bundle_id}")
def show(services: Used, bundle_id: str) -> BundleView:
    """Show a bundle with its receipt."""
    with services.database.read() as session:
        bundle = bundles.find(session, bundle_id)
    return bundle_view(bundle, receipt_path(services.settings, bundle))


@router.post("/{bundle_id}/withdraw")
def withdraw(request: Request, services: Used, bundle_id: str) -> BundleView:
    """Take a published bundle back: no camera installs it any more; one that runs it goes on."""
    with services.database.write(durable=True) as session:
        row = bundle_actions.withdraw(
            session,
            services.repository,
            bundle_id,
            now_s=services.clock.now_s(),
            who=who_asks(request),
        )
        return bundle_view(row)


@router.get("/{bundle_id}/receipt.html", response_class=HTMLResponse)
def receipt(services: Used, bundle_id: str) -> HTMLResponse:
    """Show the receipt as a page; it may run no scripts."""
    with services.database.read() as session:
        bundle = bundles.find(session, bundle_id)
    page = receipt_path(services.settings, bundle, ".html").read_text("utf-8")
    return HTMLResponse(
        page,
        headers={
            "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
        },
    )


@router.get("/{bundle_id}/bundle.zip", response_class=FileResponse)
def download(services: Used, bundle_id: str) -> FileResponse:
    """Download the bundle, unsigned."""
    with services.database.read() as session:
        bundle = bundles.find(session, bundle_id)
    return FileResponse(bundle_path(services.settings, bundle), filename=f"{bundle_id}.zip")
