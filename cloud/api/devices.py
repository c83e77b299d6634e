"""Routes for people: cameras, what is wanted of them, tokens to join with."""

from __future__ import annotations

from fastapi import APIRouter, Request

from cloud.actions import devices as device_actions
from cloud.api.models import AssignBody, DeviceView, TokenView
from cloud.api.services import Used
from cloud.api.views import device_view
from cloud.fleet.desired import change_camera
from cloud.store import devices
from edge_agent.wire.sync import CameraSettings

router = APIRouter(tags=["devices"])


@router.get("/devices")
def list_devices(services: Used) -> list[DeviceView]:
    """List all cameras by name."""
    with services.database.read() as session:
        return [device_view(session, device) for device in devices.every(session)]


@router.get("/devices/{name}")
def show(services: Used, name: str) -> DeviceView:
    """Show a camera."""
    with services.database.read() as session:
        return device_view(session, devices.find(session, name))


@router.delete("/devices/{name}", status_code=204)
def remove(services: Used, name: str) -> None:
    """Remove a camera: its key is no longer believed, another may join under its name; its events stay."""
    with services.database.write(durable=True) as session:
        devices.remove(session, name)


@router.post("/devices/{name}/assign")
def assign(services: Used, name: str, body: AssignBody) -> DeviceView:
    """Want a published bundle on a camera; the way back to an older version signs that one again."""
    with services.database.write(durable=True) as session:
        desired = device_actions.assign(
            session,
            name,
            body.bundle_id,
            publish_again=services.publish_again,
            now_s=services.clock.now_s(),
        )
        view = device_view(session, devices.find(session, name))
    services.tell(desired)
    return view


@router.put("/devices/{name}/cameras/{camera}")
def set_camera(services: Used, name: str, camera: str, body: CameraSettings) -> DeviceView:
    """Change the settings of one camera of a device."""
    with services.database.write(durable=True) as session:
        desired = device_actions.change_desired(
            session, name, lambda now: change_camera(now, camera, body), now_s=services.clock.now_s()
        )
        view = device_view(session, devices.find(session, name))
    services.tell(desired)
    return view


@router.post("/enrolment-tokens", status_code=201)
def make_token(request: Request, services: Used) -> TokenView:
    """Make a one-time token with which a camera can join; it is shown once."""
    with services.database.write(durable=True) as session:
        token = device_actions.make_token(session, services.clock)
    url = str(request.base_url).rstrip("/")
    command = f"elfowl-agent enrol --cloud {url} --token {token.text}"
    return TokenView(token=token.text, expires=token.expires_s, command=command)
