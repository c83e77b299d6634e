"""What goes on for long ends soon after its session does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from cloud.api.lasting import SESSION_OVER, while_allowed
from tests.cloud.api.conftest import Cloud, make_cloud
from tests.cloud.api.people import PASSWORD, Person, add_person, cheapen, forget_everybody

End = Callable[[Cloud, Person], object]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    return make_cloud(tmp_path_factory.mktemp("lasting"))


@pytest.fixture
def cloud(shared: Cloud) -> Iterator[Cloud]:
    cheapen(shared)
    add_person(shared, "anna", "owner")
    yield shared
    forget_everybody(shared)


def _change_role(cloud: Cloud, _person: Person) -> None:
    cloud.app.state.services.people.change_role("bert", "viewer", None)


def _reset_password(cloud: Cloud, _person: Person) -> None:
    cloud.app.state.services.people.reset_password("bert", PASSWORD + "!", None)


def _log_out(_cloud: Cloud, person: Person) -> None:
    assert person.client.post("/api/v1/logout").status_code == 204


@pytest.mark.parametrize("end", [_change_role, _reset_password, _log_out])
@pytest.mark.parametrize("path", ["/api/v1/live", "/api/v1/wall"])
def test_open_websocket_ends_with_its_session(cloud: Cloud, path: str, end: End) -> None:
    bert = add_person(cloud, "bert", "manager")
    with bert.client.websocket_connect(f"ws://127.0.0.1:8420{path}") as socket:
        end(cloud, bert)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == SESSION_OVER


def test_stream_is_cut_when_its_session_is_over_and_goes_on_until_then() -> None:
    told: list[Message] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        while True:
            await send({"type": "http.response.body", "body": b"picture", "more_body": True})
            await asyncio.sleep(0)

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        told.append(message)

    async def still_allowed() -> bool:
        return not told

    async def serve() -> None:
        scope = {"type": "http", "path": "/api/v1/devices/a/cameras/b/live.mjpeg"}
        await while_allowed(app, scope, receive, send, still_allowed)

    asyncio.run(serve())
    assert told[0]["more_body"]
    assert told[-1] == {"type": "http.response.body", "body": b""}
