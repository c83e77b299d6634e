"""Who may come in."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from cloud.api.guard import is_loopback, refuse_open_door
from cloud.settings import Settings
from edge_agent.errors import ConfigError
from tests.cloud.api.conftest import Cloud, make_cloud

SECRET = "a secret of 16 signs or more"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("localhost", True), ("::1", True), ("[::1]", True),
     ("0.0.0.0", False), ("192.168.1.2", False), ("elfowl.lan", False), ("", False)],
)  # fmt: skip
def test_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize("token", [None, "", "short"])
def test_host_for_others_without_a_secret_is_refused_in_one_line(tmp_path: Path, token: str | None) -> None:
    with pytest.raises(ConfigError, match="ELFOWL_ACCESS_TOKEN"):
        refuse_open_door(Settings(home=tmp_path, host="0.0.0.0", access_token=token))


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
def test_name_that_was_bound_to_loopback_is_refused(cloud: Cloud, host: str) -> None:
    answer = cloud.client.get("/api/v1/detectors", headers={"Host": host})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Origin": "http://127.0.0.1:8420"}, 201),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_page_of_another_site_changes_nothing(cloud: Cloud, headers: dict[str, str], status: int) -> None:
    assert cloud.client.post("/api/v1/detectors", json={"name": "box"}, headers=headers).status_code == status


def test_page_of_another_site_hears_no_live_news(cloud: Cloud) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        cloud.client.websocket_connect(
            "ws://127.0.0.1:8420/api/v1/live", headers={"Origin": "https://evil.example"}
        ),
    ):
        pytest.fail("it was let in")


@pytest.fixture
def guarded(tmp_path: Path) -> TestClient:
    settings = Settings(home=tmp_path, host="0.0.0.0", access_token=SECRET)
    return TestClient(make_cloud(tmp_path, settings).app, base_url="http://elfowl.lan")


@pytest.mark.parametrize(
    ("authorization", "status"),
    [(None, 401), ("Bearer wrong", 401), (f"Bearer {SECRET}", 200), (SECRET, 401)],
)
def test_api_for_others_needs_the_token(guarded: TestClient, authorization: str | None, status: int) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    assert guarded.get("/api/v1/detectors", headers=headers).status_code == status


def test_page_for_others_leads_to_login_and_the_cookie_opens_it(guarded: TestClient) -> None:
    assert str(guarded.get("/devices").url).endswith("/login")
    assert guarded.post("/login", data={"token": "wrong"}).status_code == 403
    answer = guarded.post("/login", data={"token": SECRET}, follow_redirects=False)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert SECRET not in cookie
    assert "HttpOnly" in cookie
    assert guarded.get("/api/v1/detectors").status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/health", "/tuf/metadata/timestamp.json"])
def test_health_and_signed_metadata_are_for_everybody(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).status_code == 200


def test_device_path_still_needs_the_devices_own_token(guarded: TestClient) -> None:
    headers = {"Authorization": f"Bearer {SECRET}"}
    assert guarded.get("/api/v1/device/desired", headers=headers).status_code == 401


def test_request_that_announces_too_much_is_refused_before_it_is_read(cloud: Cloud) -> None:
    answer = cloud.client.post("/api/v1/enrol", content=b"x", headers={"Content-Length": "99000000"})
    assert answer.status_code == 413
    assert "larger than the limit of 16 MB" in answer.json()["detail"]
