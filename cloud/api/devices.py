"""Routes for people: cameras, what is wanted of them, tokens to join with."""

from __future__ import annotations

from fastapi import APIRouter, Request

from cloud.actions import devices as device_actions
from cloud.actions import fleet as fleet_actions
from cloud.actions.ageing import delete_aged
from cloud.actions.forgetting import Doomed
from cloud.actions.open_home import Home
from cloud.api.models import ArrangeBody, AssignBody, DeviceView, TokenBody, TokenView
from cloud.api.paging import Paged
from cloud.api.rollouts import who_asks
from cloud.api.services import Used
from cloud.api.views import device_view, token_view
from cloud.fleet.desired import change_camera
from cloud.store import devices
from edge_agent.wire.sync import CameraSettings

router = APIRouter(tags=["devices"])


@router.get("/devices")
def list_devices(services: Used, page: Paged) -> list[DeviceView]:
    """List all cameras by name."""
    with services.database.read() as session:
        return [device_view(session, device) for device in page.of(devices.every(session))]


@router.get("/devices/{name}")
def show(services: Used, name: str) -> DeviceView:
    """Show a camera."""
    with services.database.read() as session:
        return device_view(session, devices.find(session, name))


@router.delete("/devices/{name}", status_code=204)
def remove(request: Request, services: Used, name: str, *, data: bool = False) -> None:
    """Remove a camera; its key is believed no more. Its events stay, unless `data` is true."""
    with services.database.write(durable=True) as session:
        fleet_actions.remove(
            session,
            services.settings,
            name,
            with_data=data,
            now_s=services.clock.now_s(),
            who=who_asks(request),
        )
    if data:
        delete_aged(Home(services.settings, services.database, services.clock), Doomed(device=name))
    services.take_account(name)
    services.nearby.forget(name)


@router.post("/devices/{name}/accept")
def accept(request: Request, services: Used, name: str) -> DeviceView:
    """Let a camera in that waits to be accepted."""
    with services.database.write(durable=True) as session:
        device = fleet_actions.accept(session, name, now_s=services.clock.now_s(), who=who_asks(request))
        return device_view(session, device)


@router.post("/devices/{name}/revoke")
def revoke(request: Request, services: Used, name: str) -> DeviceView:
    """Believe a camera no more, from its very next request on; it needs a new token to come back."""
    with services.database.write(durable=True) as session:
        device = fleet_actions.revoke(session, name, now_s=services.clock.now_s(), who=who_asks(request))
        view = device_view(session, device)
    services.take_account(name)
    services.nearby.forget(name)
    return view


@router.put("/devices/{name}/labels")
def arrange(request: Request, services: Used, name: str, body: ArrangeBody) -> DeviceView:
    """Put a camera into a group, or none, and give it labels."""
    with services.database.write(durable=True) as session:
        device = fleet_actions.arrange(
            session,
            name,
            body.group,
            body.labels,
            now_s=services.clock.now_s(),
            who=who_asks(request),
        )
        return device_view(session, device)


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
    """Change the named settings of one camera of a device; the others stay as they are."""
    with services.database.write(durable=True) as session:
        desired = device_actions.change_desired(
            session, name, lambda now: change_camera(now, camera, body), now_s=services.clock.now_s()
        )
        view = device_view(session, devices.find(session, name))
    services.tell(desired)
    return view


@router.post("/enrolment-tokens", status_code=201)
def make_token(request: Request, services: Used, body: TokenBody | None = None) -> TokenView:
    """Make a one-time token with which a camera can join; it is shown once."""
    wanted = body or TokenBody()
    with services.database.write(durable=True) as session:
        token = device_actions.make_token(session, services.clock, accepts=wanted.accepts, group=wanted.group)
    return token_view(token, str(request.base_url), services.repository.root_json())
