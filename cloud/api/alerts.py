"""Routes: alerts, and the log of what was sent."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from cloud.api.paging import Paged
from cloud.api.services import Services, Used
from cloud.notify.desk import AlertDesk, AlertView, MessageView, TestView
from cloud.notify.rule import AlertRule

router = APIRouter(tags=["alerts"])


@router.get("/alerts")
def list_alerts(services: Used, page: Paged) -> list[AlertView]:
    """List the alerts by name; addresses are masked."""
    return list(page.of(_desk(services).every()))


@router.post("/alerts", status_code=201)
def add_alert(services: Used, body: AlertRule) -> AlertView:
    """Add an alert; it tells of events that come from now on."""
    return _desk(services).add(body)


@router.put("/alerts/{alert}")
def change_alert(services: Used, alert: str, body: AlertRule) -> AlertView:
    """Put another rule in the place of one; a channel `kept://0` is the first address that it has."""
    return _desk(services).change(alert, body)


@router.get("/alerts/kinds")
def list_kinds(services: Used) -> list[str]:
    """List the kinds of address that alerts may go to here."""
    return sorted(services.settings.alert_schemes)


@router.get("/alerts/log")
def list_messages(
    services: Used,
    alert: Annotated[str | None, Query(description="only of this one, by name or id")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[MessageView]:
    """List the messages that alerts sent, tried to send or will send, newest first."""
    return _desk(services).log(alert, limit)


@router.post("/alerts/{alert}/test")
def send_test(services: Used, alert: str) -> list[TestView]:
    """Send a test message to each address of an alert, and say whether it arrived."""
    return _desk(services).test(alert)


@router.delete("/alerts/{alert}", status_code=204)
def remove_alert(services: Used, alert: str) -> None:
    """Remove an alert by its name or id, with the messages of it that wait."""
    _desk(services).remove(alert)


def _desk(services: Services) -> AlertDesk:
    return AlertDesk(services.database, services.clock, services.settings.alert_schemes)
