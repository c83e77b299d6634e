"""The device's key and what it remembers of its enrolment."""

from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path

import httpx
import jwt
import pytest

from edge_agent.errors import ConfigError, ElfowlError, LinkError, ProtocolError
from edge_agent.update.enrol import DeviceFacts, enrol
from edge_agent.update.identity import Identity, load_identity, load_or_make_key, public_key_pem
from edge_agent.update.ticket import read_ticket
from edge_agent.wire.sync import EnrolReply, EnrolRequest, MqttAccess
from tests.edge_agent.update.publisher import Publisher
from tests.fakes.clock import FakeClock

TOKEN = "a-one-time-token"
FACTS = DeviceFacts(name="cam1", profile="pi-4", arch="aarch64", agent_version="0.1.0")
URL = "http://192.168.1.2:8420"


@pytest.fixture
def root_json(tmp_path: Path) -> str:
    return Publisher(tmp_path / "publisher", FakeClock()).repository.root_json()


def reply(root_json: str) -> EnrolReply:
    return EnrolReply(
        device="cam1",
        mqtt=MqttAccess(host="192.168.1.2", port=1883, password="hush-hush"),
        tuf_root=root_json,
        tuf_metadata_url="/tuf/metadata/",
        tuf_targets_url="https://cdn.example/targets/",
    )


def ask(
    state_dir: Path,
    response: httpx.Response | Exception,
    url: str = URL,
    token: str = TOKEN,
    root_sha256: str | None = None,
) -> Identity:
    def answer(_request: httpx.Request) -> httpx.Response:
        if isinstance(response, Exception):
            raise response
        return response

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        return enrol(url, token, FACTS, state_dir, client=client, root_sha256=root_sha256)


def test_enrolment_is_remembered(tmp_path: Path, root_json: str) -> None:
    asked: list[EnrolRequest] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert str(request.url) == f"{URL}/api/v1/enrol"
        asked.append(EnrolRequest.from_json(request.content))
        return httpx.Response(201, text=reply(root_json).to_json())

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        identity = enrol(URL + "/", f" {TOKEN}\n", FACTS, tmp_path, client=client)
    assert asked[0].token == TOKEN
    assert asked[0].public_key_pem == public_key_pem(identity.key)
    found = load_identity(tmp_path)
    assert found is not None
    assert found.enrolment == identity.enrolment
    assert public_key_pem(found.key) == public_key_pem(identity.key)
    assert found.enrolment.tuf_metadata_url == f"{URL}/tuf/metadata/"
    assert found.enrolment.tuf_targets_url == "https://cdn.example/targets/"


def test_device_that_never_enrolled_has_no_identity(tmp_path: Path) -> None:
    assert load_identity(tmp_path) is None


def test_secrets_are_for_the_owner_only_and_never_shown(tmp_path: Path, root_json: str) -> None:
    identity = ask(tmp_path, httpx.Response(200, text=reply(root_json).to_json()))
    folder = tmp_path / "identity"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert "hush-hush" not in repr(identity)


def test_key_is_made_once(tmp_path: Path) -> None:
    assert public_key_pem(load_or_make_key(tmp_path)) == public_key_pem(load_or_make_key(tmp_path))


def test_bearer_token_is_signed_by_the_device_and_short_lived(tmp_path: Path, root_json: str) -> None:
    clock = FakeClock()
    identity = ask(tmp_path, httpx.Response(200, text=reply(root_json).to_json()))
    tokens = [identity.bearer_token(clock) for _ in range(2)]
    claims = [
        jwt.decode(
            token,
            public_key_pem(identity.key),
            algorithms=["EdDSA"],
            audience="elfowl-cloud",
            options={"verify_exp": False, "verify_iat": False},
        )
        for token in tokens
    ]
    assert claims[0]["iss"] == "cam1"
    assert claims[0]["exp"] - claims[0]["iat"] == 60
    assert claims[0]["iat"] == int(clock.now_s())
    assert claims[0]["jti"] != claims[1]["jti"]


@pytest.mark.parametrize(
    "damage", [b"", b"junk", b"-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----\n"]
)
def test_damaged_key_says_what_to_do(tmp_path: Path, damage: bytes) -> None:
    load_or_make_key(tmp_path)
    (tmp_path / "identity" / "device_key.pem").write_bytes(damage)
    with pytest.raises(ConfigError, match="remove it and enrol again"):
        load_or_make_key(tmp_path)


def test_damaged_enrolment_says_what_to_do(tmp_path: Path, root_json: str) -> None:
    ask(tmp_path, httpx.Response(200, text=reply(root_json).to_json()))
    (tmp_path / "identity" / "enrolment.json").write_text("{")
    with pytest.raises(ConfigError, match="elfowl-agent enrol"):
        load_identity(tmp_path)


def problem(status: int, detail: str) -> httpx.Response:
    return httpx.Response(
        status, json={"type": "about:blank", "title": "no", "status": status, "detail": detail}
    )


REFUSALS: list[tuple[httpx.Response | Exception, type[ElfowlError], str]] = [
    (problem(403, "this enrolment token has expired; make a new one"), ConfigError, "token has expired"),
    (problem(403, "this enrolment token was used already"), ConfigError, "was used already"),
    (problem(403, "this enrolment token is unknown"), ConfigError, "is unknown"),
    (problem(409, "another device\nis enrolled as 'cam1'"), ConfigError, "another device is enrolled"),
    (httpx.Response(404, text="<html>"), ConfigError, "HTTP 404"),
    (problem(503, "too many wrong tokens"), LinkError, "too many wrong tokens"),
    (problem(202, "somebody has to accept it"), LinkError, "lets it in later: somebody has to accept it"),
    (
        httpx.ConnectError("connection refused"),
        LinkError,
        "cannot reach the cloud at http://192.168.1.2:8420",
    ),
    (httpx.ReadTimeout("timed out"), LinkError, "timed out"),
    (httpx.Response(200, text="<html>router"), ProtocolError, "does not answer like an elfowl cloud"),
    (httpx.Response(302, headers={"Location": "/login"}), ProtocolError, "HTTP 302"),
    (httpx.Response(200, json={"device": "../x"}), ProtocolError, "check the URL"),
]


@pytest.mark.parametrize(("response", "kind", "text"), REFUSALS, ids=[text for _, _, text in REFUSALS])
def test_refusal_is_one_clear_line_without_the_token(
    tmp_path: Path, response: httpx.Response | Exception, kind: type[ElfowlError], text: str
) -> None:
    with pytest.raises(kind, match=text) as refused:
        ask(tmp_path, response)
    assert "\n" not in str(refused.value)
    assert TOKEN not in str(refused.value)
    assert load_identity(tmp_path) is None


def test_root_that_is_not_signed_by_itself_is_refused(tmp_path: Path, root_json: str) -> None:
    document = json.loads(root_json)
    document["signed"]["version"] = 7
    with pytest.raises(ProtocolError, match="root of trust"):
        ask(tmp_path, httpx.Response(200, text=reply(json.dumps(document)).to_json()))
    assert load_identity(tmp_path) is None


def test_root_other_than_the_tickets_is_refused(tmp_path: Path, root_json: str) -> None:
    good = httpx.Response(200, text=reply(root_json).to_json())
    with pytest.raises(ProtocolError, match="another root of trust than the ticket promised"):
        ask(tmp_path, good, root_sha256="0" * 64)
    assert load_identity(tmp_path) is None
    ask(tmp_path, good, root_sha256=hashlib.sha256(root_json.encode()).hexdigest())


@pytest.mark.parametrize("text", [None, "", "{}", '{"cloud": "http://hub", "token": "short"}'])
def test_file_that_is_no_ticket_says_what_to_do_without_showing_it(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "ticket.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=r"ticket\.json") as refused:
        read_ticket(path)
    assert "short" not in str(refused.value)


@pytest.mark.parametrize("url", ["", "192.168.1.2:8420", "ftp://host", "http://"])
def test_url_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="is not like http"):
        ask(tmp_path, httpx.Response(500), url=url)


def test_token_that_is_too_short_is_not_sent_nor_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot enrol: token") as refused:
        ask(tmp_path, httpx.Response(500), token="abc")
    assert "abc" not in str(refused.value)
