"""Every route that the app has, asked with no session, as a viewer and as a manager."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIWebSocketRoute, iter_route_contexts
from fastapi.testclient import TestClient
from starlette.routing import Mount
from starlette.websockets import WebSocketDisconnect

from cloud.accounts.roles import TABLE, Role, access_of, is_at_least, least_role
from cloud.api.routes import PREFIX
from cloud.app import create_app
from cloud.settings import Settings
from tests.cloud.api.conftest import Cloud, make_cloud
from tests.cloud.api.people import Person, add_person, cheapen

Asked = tuple[str, str]
_PAGES = re.compile(r"/(openapi\.json|docs)?$|/(?!api/)[a-z]+(/.*)?$")


def routes_of(app: FastAPI) -> Iterator[Asked]:
    """Yield method and path of each route; a WebSocket has the method WS, a mounted folder GET."""
    for route in iter_route_contexts(app.routes):
        original = route.original_route
        if isinstance(original, Mount):
            yield "GET", f"{original.path}/x"
        elif isinstance(original, APIWebSocketRoute):
            yield "WS", str(route.path)
        else:
            yield from ((method, str(route.path)) for method in route.methods or () if method != "HEAD")


def _of_api(routes: list[Asked]) -> set[Asked]:
    return {(method, path.removeprefix(PREFIX)) for method, path in routes if path.startswith(f"{PREFIX}/")}


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[Asked]:
    return list(routes_of(create_app(Settings(home=tmp_path_factory.mktemp("routes")))))


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    """Return a cloud that has an owner, so that nobody comes in without an account."""
    folder: Path = tmp_path_factory.mktemp("locked")
    cloud = make_cloud(folder)
    cheapen(cloud)
    add_person(cloud, "anna", "owner")
    return cloud


def test_every_route_has_a_row_that_says_who_may_and_every_row_a_route(routes: list[Asked]) -> None:
    rows = {(row.method, row.path) for row in TABLE}
    there = _of_api(routes)
    assert len(there) > 100
    assert there - rows == set(), "give them a row in cloud/accounts/roles.py: who may ask for this?"
    assert rows - there == set(), "these rows are of no route"
    assert len(rows) == len(TABLE), "a route has two rows"


def test_only_what_has_to_is_open_to_anybody(routes: list[Asked]) -> None:
    is_open = {path for method, path in _of_api(routes) if access_of(method, path) == "anybody"}
    assert is_open == {
        "/health", "/enrol", "/device/desired", "/device/reported", "/device/frames/{request_id}",
        "/device/nearby/{request_id}", "/offload",
        "/door", "/setup", "/login", "/answers/{token}",
    }  # fmt: skip


def test_what_changes_something_is_for_no_viewer_but_their_own_things(routes: list[Asked]) -> None:
    changing = {
        (method, path)
        for method, path in _of_api(routes)
        if method not in {"GET", "WS"} and access_of(method, path) in {"viewer", "blurred"}
    }
    assert {path for _, path in changing} == {
        "/logout", "/me/password", "/me/sessions", "/me/sessions/{session}", "/me/tokens",
        "/me/tokens/{token}", "/me/workspace", "/search/read",
    }  # fmt: skip


def test_request_that_fits_several_rows_needs_the_strictest_and_one_that_fits_none_an_owner() -> None:
    assert access_of("GET", "/alerts/log") == "manager"
    assert access_of("GET", "/nowhere") == "owner"
    assert access_of("BREW", "/detectors") == "owner"
    assert access_of("HEAD", "/detectors") == "viewer"


def _filled(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "1", path)


def _answers(app: FastAPI, asked: list[Asked], person: Person | None = None) -> dict[Asked, int]:
    """Return the status of each request; their ids are of nothing. All in one loop: a client each is slow."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {} if person is None else dict(person.client.headers)
    cookies = {} if person is None else dict(person.client.cookies)

    async def ask() -> dict[Asked, int]:
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:8420", headers=headers, cookies=cookies
        ) as client:
            return {
                (method, path): (await client.request(method, _filled(path))).status_code
                for method, path in asked
                if method != "WS"
            }

    return asyncio.run(ask())


def test_without_a_session_no_websocket_opens(locked: Cloud, routes: list[Asked]) -> None:
    stranger = TestClient(locked.app, base_url="http://127.0.0.1:8420")
    sockets = [path for method, path in routes if method == "WS"]
    assert sockets
    for path in sockets:
        # Its own host has to be named, else it is refused for that, whoever asks.
        ws = f"ws://127.0.0.1:8420{_filled(path)}"
        with pytest.raises(WebSocketDisconnect) as closed, stranger.websocket_connect(ws):
            pytest.fail("it was let in")
        assert closed.value.code == 4403


def test_without_a_session_every_route_is_closed_but_those_for_anybody(
    locked: Cloud, routes: list[Asked]
) -> None:
    for (method, path), status in _answers(locked.app, routes).items():
        if path.startswith(PREFIX):
            is_open = access_of(method, path.removeprefix(PREFIX)) == "anybody"
            # Devices are asked for tokens of their own by the route itself.
            expected = {401} if path.startswith((f"{PREFIX}/device/", f"{PREFIX}/offload")) else {401, 403}
            assert (status in expected) or is_open, (method, path, status)
        elif path.startswith(("/login", "/setup", "/tuf/", "/static/")):
            assert status in {200, 404, 422}, (method, path, status)
        else:
            assert _PAGES.match(path), path
            assert status == 303, (method, path, status)


@pytest.mark.parametrize("role", ["viewer", "manager"])
def test_role_is_let_through_exactly_where_the_table_says(
    locked: Cloud, routes: list[Asked], role: str
) -> None:
    known: Role = "viewer" if role == "viewer" else "manager"
    person = add_person(locked, role, known)
    asked = []
    for method, path in sorted(routes):
        access = access_of(method, path.removeprefix(PREFIX))
        is_theirs = is_at_least(known, least_role(access))
        # What would begin work, or end this very session, is not asked for.
        is_left_out = path.endswith(("/logout", "/me/sessions")) or (is_theirs and method in {"POST", "WS"})
        if path.startswith(f"{PREFIX}/") and access != "anybody" and not is_left_out:
            asked.append((method, path))
    assert len(asked) > 50
    for (method, path), status in _answers(locked.app, asked, person).items():
        if is_at_least(known, least_role(access_of(method, path.removeprefix(PREFIX)))):
            assert status not in {401, 403}, (method, path, status)
        else:
            assert status == 403, (method, path, status)
