"""Every route that there is, asked by people of one workspace about what another one has."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from cloud.accounts.roles import Role, access_of, is_at_least, least_role
from cloud.accounts.workspaces import within
from cloud.api.examples import EXAMPLES
from cloud.api.routes import PREFIX
from cloud.ingest.wall import Wall
from cloud.store import detectors
from cloud.store.tables import BundleRow, Media
from tests.cloud.api.conftest import Camera
from tests.cloud.api.people import PASSWORD, Person
from tests.cloud.api.two_workspaces import API, EVENT_ID, SECRETS, World, camera_of, make_world
from tests.cloud.homes import jpeg
from tests.cloud.ingest.test_wall import Asked, payload
from tests.fakes.frame_source import until

Operation = tuple[str, str, dict[str, Any]]

FREE: Final = {
    ("options", "/detectors/{detector_id}/uploads"): "says the same of every detector, also of none",
}
"""Routes with an id that answer everybody alike."""

_NEVER_MADE: Final = r"report|compare|thresholds|measured|live|/events$|teaching|frame\.jpg"

OWN_KEY: Final = {
    ("put", "/device/frames/{request_id}"): "a camera's own, by its own key",
    ("put", "/device/nearby/{request_id}"): "a camera's own, by its own key",
    ("get", "/answers/{token}"): "the link is all that is needed",
    ("post", "/answers/{token}"): "the link is all that is needed",
}
"""Routes that need no account."""

_COCO: Final = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}],
    "annotations": [],
    "categories": [{"id": 1, "name": "x"}],
}
_PATHS: Final = {
    "version": "1", "index": "0", "attribute": "gecko", "camera": "front", "order": "pause",
    "name": "narwhal",
}  # fmt: skip
_QUERY: Final = {
    "a": "1",
    "b": "1",
    "q": "ibex",
    "by": "label",
    "before": "2000000000",
    "box": "0.1,0.2,0.4,0.9",
}


@pytest.fixture(scope="module", params=["home", pytest.param("another", marks=pytest.mark.slow)])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a world in which `home` has all and the other one asks, and one the other way round."""
    return make_world(tmp_path_factory.mktemp("apart"), inside_home=request.param == "home")


def operations(world: World) -> Iterator[Operation]:
    for path, methods in world.cloud.app.openapi()["paths"].items():
        for method, operation in methods.items():
            yield method, path.removeprefix(PREFIX), operation


def filled(world: World, path: str) -> str:
    """Return a path with ids of what the insider has; an id that is not known here fails."""
    ids = {**_PATHS, **world.ids}

    def of(found: re.Match[str]) -> str:
        name = found[1].partition(":")[0]
        assert name in ids, f"{path}: say in this test whose {{{name}}} is asked for"
        return ids[name]

    return API + re.sub(r"\{([^}]+)\}", of, path)


def ask(world: World, person: Person, one: Operation) -> Any:  # noqa: ANN401 - of the test client
    """Ask as the document says, with a body that would be taken."""
    method, path, operation = one
    query = {
        each["name"]: _QUERY.get(each["name"], world.ids["media_id"])
        for each in operation.get("parameters", [])
        if each["in"] == "query" and (each.get("required") or each["name"] in {"a", "b"})
    }
    content = operation.get("requestBody", {}).get("content", {})
    sent: dict[str, Any] = {"params": query, "headers": {}}
    if "multipart/form-data" in content:
        sent["files"] = {"file": ("a.jpg", jpeg())}
    elif "application/json" in content:
        sent["json"] = body_of(content["application/json"]["schema"])
    if "uploads" in path:
        name = base64.b64encode(b"a.jpg").decode()
        sent["headers"] = {
            "Tus-Resumable": "1.0.0", "Upload-Length": "10", "Upload-Metadata": f"filename {name}",
            "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream",
        }  # fmt: skip
        if "json" in sent:
            del sent["headers"]["Content-Type"]
    if method == "patch" and "uploads" in path:
        sent["content"] = b"0123456789"
    return person.client.request(method, filled(world, path), **sent)


def body_of(schema: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    refs = [one["$ref"].rpartition("/")[2] for one in [schema, *schema.get("anyOf", [])] if "$ref" in one]
    return EXAMPLES[refs[0].removesuffix("-Input")] if refs else _COCO


def may(role: Role, method: str, path: str) -> bool:
    return is_at_least(role, least_role(access_of(method.upper(), path)))


def about_ids(world: World, role: Role = "owner") -> list[Operation]:
    """Return what names something by an id, as far as a role may do it."""
    left_out = {*FREE, *OWN_KEY}
    return [
        one
        for one in operations(world)
        if "{" in one[1] and one[:2] not in left_out and may(role, one[0], one[1])
    ]


def test_what_another_workspace_has_is_not_there_whatever_is_asked_of_it(world: World) -> None:
    rows, files = world.rows(), world.files()
    asked = about_ids(world)
    assert len(asked) > 90
    wrong = []
    for one in asked:
        answer = ask(world, world.outsider, one)
        told = [name for name in SECRETS if name in answer.text and name not in filled(world, one[1])]
        if answer.status_code != 404 or told:
            wrong.append((one[0], one[1], answer.status_code, told, answer.text[:200]))
    assert wrong == []
    assert world.rows() == rows
    assert world.files() == files


def test_lists_of_another_workspace_hold_nothing_of_it(world: World) -> None:
    rows = world.rows()
    asked = [one for one in operations(world) if "{" not in one[1] and one[0] in {"get", "head"}]
    assert len(asked) > 30
    for one in asked:
        answer = ask(world, world.outsider, one)
        secrets = [*SECRETS, *(value for value in world.ids.values() if "_" in value), EVENT_ID]
        told = [name for name in secrets if name in answer.text]
        assert told in ([], [_QUERY["q"]] if one[1].startswith("/search") else []), (
            one[1],
            answer.text[:500],
        )
        assert answer.status_code in {200, 401, 403}, (one[1], answer.text)
    assert world.rows() == rows


def test_nothing_is_found_by_the_digest_of_its_bytes_not_even_by_whoever_has_it(world: World) -> None:
    with within(None), world.cloud.home.database.read() as session:
        bundle = session.get_one(BundleRow, world.ids["bundle_id"]).sha256
        medium = session.get_one(Media, world.ids["media_id"]).sha256
    asked, found = 0, []
    for method, path, operation in about_ids(world):
        names = [name for name in re.findall(r"\{(\w+)", path) if name in world.ids]
        if method != "get" or not names:
            continue
        # All that leads there is right but the last name: so it is really looked for.
        digest = medium if names[-1] == "media_id" else bundle
        named = re.sub(rf"\{{{names[-1]}[^}}]*\}}", digest, path)
        answer = ask(world, world.insider, (method, named, operation))
        asked += 1
        if answer.status_code not in {404, 422}:
            found.append((named, answer.status_code))
    assert asked > 30
    assert found == []


def test_whoever_has_it_finds_it_by_the_same_ids(world: World) -> None:
    missing = []
    for one in about_ids(world):
        # Some of it was never made, and some goes on for ever.
        if one[0] == "get" and not re.search(_NEVER_MADE, one[1]):
            answer = ask(world, world.insider, one)
            if answer.status_code in {401, 403, 404}:
                missing.append((one[1], answer.status_code, answer.text))
    assert missing == []


@pytest.mark.slow
def test_whoever_has_it_changes_it_by_the_same_requests(tmp_path: Path) -> None:
    world = make_world(tmp_path, inside_home=False)
    asked = [one for one in about_ids(world) if one[0] not in {"get", "delete"} and "account" not in one[1]]
    assert len(asked) > 40
    missing = []
    for one in asked:
        answer = ask(world, world.insider, one)
        # What examples of bodies name, or what was never made, is not there; what the path names is.
        named = [value for value in world.ids.values() if repr(value) in answer.text]
        if answer.status_code in {401, 403} or (
            answer.status_code == 404 and "there is no" in answer.text and named
        ):
            missing.append((one[0], one[1], answer.status_code, answer.text))
    assert missing == []


HIDDEN: Final[list[tuple[str, str, dict[str, Any], int]]] = [
    ("POST", "/scans", {"detectors": ["{detector_id}"], "media": []}, 404),
    ("POST", "/scans", {"detectors": ["starter"], "media": ["{media_id}"]}, 404),
    ("POST", "/scans", {"detectors": ["{bundle_id}"], "media": []}, 404),
    ("POST", "/streams", {"name": "own", "address": "rtsp://10.0.0.9/x", "detectors": ["quokka"]}, 404),
    ("POST", "/rollouts", {"name": "own", "bundle_ids": ["{bundle_id}"]}, 404),
    ("POST", "/rollouts/preview", {"name": "own", "bundle_ids": ["{bundle_id}"]}, 404),
    ("POST", "/corrections", {"verdict": "wrong", "event_id": EVENT_ID, "device": "narwhal"}, 404),
    (
        "POST",
        "/corrections",
        {"verdict": "missed", "media_id": "{media_id}", "frame_index": 0, "label": "x", "box": [0, 0, 1, 1]},
        404,
    ),
    (
        "POST",
        "/corrections",
        {"verdict": "missed", "device": "own", "camera": "a", "time": 1.0, "detector_id": "{detector_id}"},
        404,
    ),
    (
        "POST",
        "/alerts",
        {"name": "own", "search": "{search}", "channels": ["ntfys://ntfy.example.org/x"]},
        404,
    ),
    ("GET", "/alerts/log?alert={alert}", {}, 404),
    ("POST", "/accounts", {"name": "anna", "password": PASSWORD}, 409),
    ("PUT", "/me/workspace", {"workspace": "{workspace}"}, 404),
    ("POST", "/detectors/{own}/publish", {"bundle": "{bundle_id}"}, 404),
    ("POST", "/detectors/{own}/prelabel", {"with": "{detector_id}"}, 404),
    ("POST", "/detectors/{own}/prelabel", {"with": "{bundle_id}"}, 404),
    ("POST", "/detectors/{own}/suggest", {"media_id": "{media_id}"}, 404),
    ("POST", "/detectors/{own}/watch", {"media_id": "{media_id}"}, 404),
    ("POST", "/detectors/{own}/labels?media={media_id}", _COCO, 404),
    ("POST", "/detectors/{own}/import/uploads", {"uploads": ["{upload}"]}, 404),
    ("POST", "/devices/own/assign", {"bundle_id": "{bundle_id}"}, 404),
]
"""What names another's things in bodies and queries, not in paths; `own` things are the outsider's."""


def test_things_of_another_workspace_are_not_there_in_bodies_and_queries_either(world: World) -> None:
    client = world.outsider.client
    own = client.post(f"{API}/detectors", json={"name": "quokka", "labels": ["x"]})
    assert own.status_code == 201, "the same name may be taken in each workspace"
    camera_of(world, world.outsider, "own")
    rows = world.rows()
    for method, path, body, status in HIDDEN:
        text = json.dumps({"path": path, "body": body})
        for name, value in {**world.ids, "own": own.json()["id"]}.items():
            text = text.replace(f"{{{name}}}", value)
        asked = json.loads(text)
        if path == "/streams":
            asked["body"]["detectors"] = [world.ids["detector_id"]]
        sent = {"json": asked["body"]} if method != "GET" else {}
        answer = client.request(method, API + asked["path"], **sent)
        assert answer.status_code == status, (method, path, body, answer.text)
    assert world.rows() == rows


def test_names_that_cameras_and_streams_have_are_taken_for_all_and_nothing_more_is_told(world: World) -> None:
    token = world.outsider.client.post(f"{API}/enrolment-tokens").json()["token"]
    thief = Camera(world.cloud, "narwhal")
    assert thief.enrol(token) == 409
    detector = world.outsider.client.post(f"{API}/detectors", json={"name": "trained"}).json()["id"]
    with within(world.outside), world.cloud.home.database.write() as session:
        detectors.add_version(session, detector_id=detector, version=1, metrics={}, now_s=1.0)
    stream = {"name": "okapi", "address": "rtsp://10.0.0.9/x", "detectors": [detector]}
    answer = world.outsider.client.post(f"{API}/streams", json=stream)
    assert (answer.status_code, answer.json()["detail"]) == (
        409, "the name 'okapi' is taken; choose another one",
    )  # fmt: skip


def test_log_of_one_workspace_tells_nothing_of_people_of_another(world: World) -> None:
    assert world.insider.log_in() == 200
    assert world.insider.log_in("wrong password") == 403
    assert "anna" not in world.outsider.client.get(f"{API}/audit").text
    told = [one["what"] for one in world.insider.client.get(f"{API}/audit").json()]
    assert {"logged in", "login refused"} <= set(told)
    world.cloud.clock.advance(1000.0)
    assert world.insider.log_in() == 200


def test_camera_asks_no_detector_of_another_workspace(world: World) -> None:
    own = world.outsider.client.post(f"{API}/detectors", json={"name": "looked by"}).json()["id"]
    camera = camera_of(world, world.outsider, "asking")
    statuses = []
    for detector_id in (world.ids["detector_id"], own):
        request = {
            "request_id": "request-1", "device": "asking", "camera": "door", "detector_id": detector_id,
            "reason": "unsure", "deadline_ms": 1000, "frame_time": 1.0,
        }  # fmt: skip
        parts: dict[str, tuple[str | None, bytes | str, str]] = {
            "request": (None, json.dumps(request), "application/json"),
            "image": ("frame.jpg", jpeg(), "image/jpeg"),
        }
        sent = world.cloud.client.post(f"{API}/offload", files=parts, headers=camera.headers())
        statuses.append(sent.status_code)
    assert statuses == [404, 200]
    assert [asked.detector_id for asked, _ in world.cloud.offload.asked] == [own]


def test_manager_of_another_workspace_finds_nothing_and_is_told_nothing_either(world: World) -> None:
    desk = world.cloud.app.state.services.people
    with within(world.outside):
        desk.add("manager", "manager", PASSWORD, None)
    manager = Person(world.cloud, "manager")
    assert manager.log_in() == 200
    rows, files = world.rows(), world.files()
    for one in about_ids(world, "manager"):
        answer = ask(world, manager, one)
        assert answer.status_code == 404, (one[0], one[1], answer.text)
    assert (world.rows(), world.files()) == (rows, files)


def test_live_news_reach_only_people_of_their_workspace(world: World) -> None:
    own = world.outsider.client.post(f"{API}/detectors", json={"name": "of bert"}).json()["id"]
    feed, ids = world.cloud.app.state.services.live, world.ids
    event = {"device": "narwhal", "camera": "front", "id": EVENT_ID}
    foreign: list[dict[str, Any]] = [
        {"type": "event", "event": event},
        {"type": "event", "event": {**event, "device": "cloud-stream", "camera": "okapi"}},
        {"type": "device", "device": "narwhal", "online": True},
        {"type": "stats", "device": "narwhal", "stats": {}},
        {"type": "key_frame", "device": "narwhal", "correction": ids["correction_id"]},
        {"type": "correction", "correction": {"id": ids["correction_id"]}},
        {"type": "job", "job": {"id": ids["job_id"]}},
        {"type": "teaching", "teaching": {"detector_id": ids["detector_id"]}},
        {"type": "rollout", "workspace": world.inside},
        {"type": "of a kind that nobody knows"},
    ]
    news = {"type": "teaching", "teaching": {"detector_id": own}}
    with listening(world.outsider, "/live") as bert, listening(world.insider, "/live") as anna:
        # Both are heard of once the first news come through.
        assert until(lambda: len(feed.listeners) == 2, 60.0)
        for one in [*foreign, news]:
            feed.publish(one)
        assert bert.receive_json() == news
        assert [anna.receive_json() for _ in foreign[:-1]] == foreign[:-1]


def test_live_wall_asks_no_camera_of_another_workspace_and_shows_none(world: World) -> None:
    asked = Asked()
    services = world.cloud.app.state.services
    services.wall = Wall(asked)
    camera_of(world, world.outsider, "bertscam")
    tiles = [{"device": name, "camera": "front"} for name in ("narwhal", "bertscam")]
    with listening(world.outsider, "/wall") as bert:
        bert.send_text(json.dumps({"watch": tiles}))
        assert until(lambda: len(asked.wishes) > 0, 60.0)
        for name in ("narwhal", "bertscam"):
            services.wall.take(name, payload("front", 1.0))
        assert b'"device": "bertscam"' in bert.receive_bytes()
    assert {device for device, _ in asked.wishes} == {"bertscam"}


def listening(person: Person, path: str) -> Any:  # noqa: ANN401 - of the test client
    return person.client.websocket_connect(f"ws://127.0.0.1:8420{API}{path}")
