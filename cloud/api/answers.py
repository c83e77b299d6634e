"""Routes: people say by a link of a message whether its event was right; the link is all that they need."""

from __future__ import annotations

import html
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from cloud.accounts.workspaces import within
from cloud.api.services import Services, Used
from cloud.errors import ConflictError, NotFoundError
from cloud.notify.answers import key_at, message_of
from cloud.store import alerts, corrections
from cloud.store.alert_tables import AlertMessageRow
from edge_agent.wire.correction import Correction

router = APIRouter(tags=["alerts"], default_response_class=HTMLResponse)

Verdict = Annotated[Literal["right", "wrong"], Query()]

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>{title} · elfowl</title>
<body style="font:18px system-ui;max-width:24rem;margin:4rem auto;padding:0 1rem">
<h1>{title}</h1>{more}</body></html>"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@router.get("/answers/{token}", response_class=HTMLResponse)
def ask(services: Used, token: str, verdict: Verdict) -> HTMLResponse:
    """Ask whoever opened the link to say it: programs that only look at links change nothing."""
    row = _message(services, token)
    named = html.escape(row.rule_name)
    form = (
        f'<p>A message of the alert “{named}”.</p><form method="post" action="?verdict={verdict}">'
        f'<button style="font:inherit;padding:.6em 1.2em">Yes, it was {verdict}</button></form>'
    )
    return _page(f"Was it {verdict}?", form)


@router.post("/answers/{token}", response_class=HTMLResponse)
def answer(services: Used, token: str, verdict: Verdict) -> HTMLResponse:
    """Say once whether the event of a message was right."""
    row = _message(services, token)
    ((device, event_id),) = alerts.pairs(row.events)
    said = Correction(
        id=f"cor_{row.id}",
        verdict=verdict,
        device=device,
        event_id=event_id,
        source="api",
        author=f"a message of the alert {row.rule_name}",
        created=services.clock.now_s(),
    )
    with within(row.workspace_id):
        services.record_correction(said)
    return _page("Thank you", f"<p>It is noted that this was {verdict}.</p>")


def _message(services: Services, token: str) -> AlertMessageRow:
    """Return the message of a link that was not used yet.

    Raises:
        DeniedError: The link does not hold.
        NotFoundError: Its message or event is gone.
        ConflictError: Somebody answered already.
    """
    key = key_at(services.settings.answers_key_path)
    message_id = message_of(key, token, services.clock.now_s())
    with services.database.read() as session:
        row = session.get(AlertMessageRow, message_id)
        if row is None or len(row.events) != 1:
            message = "the message of this link is gone"
            raise NotFoundError(message)
        session.expunge(row)
        try:
            verdict = corrections.find(session, f"cor_{message_id}").verdict
        except NotFoundError:
            return row
    message = f"this was answered already: {verdict}; the event in the portal can still be changed"
    raise ConflictError(message)


def _page(title: str, more: str) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(title=title, more=more), headers=_HEADERS)
