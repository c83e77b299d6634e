"""The first start, logging in, sessions, API tokens, accounts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from cloud.actions.accounts import IDLE_S, SESSION_S
from cloud.settings import Settings
from tests.cloud.api.conftest import Cloud, make_cloud
from tests.cloud.api.people import PASSWORD, Person, add_person, cheapen, forget_everybody

FIRST = {"name": "Anna", "password": PASSWORD}
HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    return make_cloud(tmp_path_factory.mktemp("accounts"))


@pytest.fixture
def cloud(shared: Cloud) -> Cloud:
    """Return a cloud where nobody has an account yet; other tests may have left detectors."""
    forget_everybody(shared)
    return shared


@pytest.fixture
def anna(cloud: Cloud) -> Person:
    return add_person(cloud, "Anna", "owner")


def test_first_start_leads_a_browser_to_setup_and_leaves_scripts_alone(cloud: Cloud) -> None:
    page = cloud.client.get("/devices", headers=HTML, follow_redirects=False)
    assert (page.status_code, page.headers["location"]) == (303, "/setup")
    assert cloud.client.get("/api/v1/door").json() == {
        "accounts": "on", "set_up": False, "needs_code": False, "access_token": False,
    }  # fmt: skip
    assert cloud.client.post("/api/v1/detectors", json={"name": "box 1"}).status_code == 201


def test_first_account_is_an_owner_and_is_made_once(cloud: Cloud) -> None:
    made = cloud.client.post("/api/v1/setup", json=FIRST)
    assert (made.status_code, made.json()["role"], made.json()["name"]) == (201, "owner", "Anna")
    stranger = Person(cloud, "mallory").client
    assert stranger.post("/api/v1/setup", json={**FIRST, "name": "mallory"}).status_code == 409
    assert stranger.get("/api/v1/detectors").status_code == 401
    assert cloud.client.get("/api/v1/detectors").status_code == 200


def test_weak_first_password_is_refused_with_advice(cloud: Cloud) -> None:
    answer = cloud.client.post("/api/v1/setup", json={"name": "Anna", "password": "short"})
    assert answer.status_code == 422
    assert "at least 10 characters" in answer.json()["detail"]
    assert cloud.client.get("/api/v1/door").json()["set_up"] is False


@pytest.mark.parametrize("headers", [{"X-Forwarded-For": "10.0.0.9"}, {"Forwarded": "for=10.0.0.9"}])
def test_first_start_through_another_server_needs_the_code(cloud: Cloud, headers: dict[str, str]) -> None:
    desk = cloud.app.state.services.people
    refused = cloud.client.post("/api/v1/setup", json=FIRST, headers=headers)
    assert refused.status_code == 403
    assert "setup code" in refused.json()["detail"]
    given = {**FIRST, "code": desk.setup_code.lower()}
    assert cloud.client.post("/api/v1/setup", json=given, headers=headers).status_code == 201


def test_first_start_from_the_network_needs_the_code_and_guessing_is_limited(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, host="0.0.0.0", access_token="a secret of 16 signs or more")
    network = make_cloud(tmp_path, settings)
    cheapen(network)
    client = TestClient(network.app, base_url="http://elfowl.lan")
    tries = [client.post("/api/v1/setup", json={**FIRST, "code": f"guess-{n}"}) for n in range(6)]
    assert [one.status_code for one in tries] == [403] * 5 + [429]
    assert int(tries[-1].headers["Retry-After"]) >= 1


def test_accounts_switched_off_ask_nobody_for_anything(tmp_path: Path) -> None:
    off = make_cloud(tmp_path, Settings(home=tmp_path, accounts="off"))
    assert off.client.get("/devices", headers=HTML, follow_redirects=False).status_code == 200
    assert off.client.post("/api/v1/setup", json=FIRST).status_code == 409
    assert off.client.get("/api/v1/me").json()["role"] == "owner"


def test_wrong_password_and_unknown_name_are_answered_alike(cloud: Cloud, anna: Person) -> None:
    answers = [
        cloud.client.post("/api/v1/login", json={"name": name, "password": "wrong"})
        for name in (anna.name, "nobody")
    ]
    assert [one.status_code for one in answers] == [403, 403]
    assert answers[0].json() == answers[1].json()


def test_guessing_waits_longer_each_time_and_ends_by_waiting(cloud: Cloud, anna: Person) -> None:
    guess = {"name": "Anna", "password": "wrong"}
    statuses = [cloud.client.post("/api/v1/login", json=guess).status_code for _ in range(6)]
    assert statuses == [403] * 5 + [429]
    assert anna.log_in() == 429  # the right one has to wait, too: else it would tell that it is right
    cloud.clock.advance(901.0)
    assert anna.log_in() == 200


def test_session_is_in_no_script_and_only_its_digest_is_stored(cloud: Cloud, anna: Person) -> None:
    answer = anna.client.post("/api/v1/login", json={"name": "ANNA", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    value = re.search(r"elfowl_session_8420=([^;]+)", cookie)
    assert value is not None
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert value[1].encode() not in (cloud.home.settings.database_path).read_bytes()
    assert value[1] not in answer.text


def test_login_gives_a_new_session_and_ends_the_one_before(anna: Person) -> None:
    before = anna.client.cookies["elfowl_session_8420"]
    assert anna.log_in() == 200
    assert anna.client.cookies["elfowl_session_8420"] != before
    anna.client.cookies.set("elfowl_session_8420", before, domain="127.0.0.1")
    assert anna.client.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("away_s", [IDLE_S, SESSION_S])
def test_session_ends_when_it_was_not_used(cloud: Cloud, anna: Person, away_s: float) -> None:
    cloud.clock.advance(away_s)
    assert anna.client.get("/api/v1/me").status_code == 401


def test_session_ends_after_its_time_however_much_it_is_used(cloud: Cloud, anna: Person) -> None:
    steps = int(SESSION_S / (IDLE_S / 2))
    statuses = []
    for _ in range(steps + 1):
        statuses.append(anna.client.get("/api/v1/me").status_code)
        cloud.clock.advance(IDLE_S / 2)
    statuses.append(anna.client.get("/api/v1/me").status_code)
    assert statuses[0] == statuses[-3] == 200
    assert statuses[-1] == 401


def test_change_without_the_proof_of_a_page_is_refused(anna: Person) -> None:
    del anna.client.headers["X-Elfowl-Csrf"]
    assert anna.client.get("/api/v1/detectors").status_code == 200
    for headers in ({}, {"X-Elfowl-Csrf": "0" * 64}):
        answer = anna.client.post("/api/v1/detectors", json={"name": "box 2"}, headers=headers)
        assert answer.status_code == 403
        assert "X-Elfowl-Csrf" in answer.json()["detail"]
    proof = anna.client.get("/api/v1/me").json()["csrf"]
    answer = anna.client.post("/api/v1/detectors", json={"name": "box 3"}, headers={"X-Elfowl-Csrf": proof})
    assert answer.status_code == 201


def test_logging_out_ends_the_session_on_the_server(anna: Person) -> None:
    kept = anna.client.cookies["elfowl_session_8420"]
    assert anna.client.post("/api/v1/logout").status_code == 204
    anna.client.cookies.set("elfowl_session_8420", kept, domain="127.0.0.1")
    assert anna.client.get("/api/v1/me").status_code == 401


def test_signing_out_everywhere_ends_every_browser(cloud: Cloud, anna: Person) -> None:
    phone = Person(cloud, "anna")
    assert phone.log_in() == 200
    assert len(anna.client.get("/api/v1/me/sessions").json()) == 2
    assert anna.client.delete("/api/v1/me/sessions").status_code == 204
    assert phone.client.get("/api/v1/me").status_code == 401


def test_new_password_ends_all_other_browsers(cloud: Cloud, anna: Person) -> None:
    phone = Person(cloud, "anna")
    phone.log_in()
    body = {"old": "wrong", "new": "another horse battery"}
    assert anna.client.put("/api/v1/me/password", json=body).status_code == 403
    assert anna.client.put("/api/v1/me/password", json={**body, "old": PASSWORD}).status_code == 204
    assert anna.client.get("/api/v1/me").status_code == 200
    assert phone.client.get("/api/v1/me").status_code == 401
    assert phone.log_in() == 403
    assert phone.log_in("another horse battery") == 200


def test_api_token_is_shown_once_does_what_its_role_may_and_can_be_revoked(
    cloud: Cloud, anna: Person
) -> None:
    made = anna.client.post("/api/v1/me/tokens", json={"name": "look", "role": "viewer"}).json()
    program = TestClient(cloud.app, base_url="http://127.0.0.1:8420", raise_server_exceptions=False)
    program.headers["Authorization"] = f"Bearer {made['token']}"
    assert program.get("/api/v1/detectors").status_code == 200
    assert program.post("/api/v1/detectors", json={"name": "box 4"}).status_code == 403
    (listed,) = anna.client.get("/api/v1/me/tokens").json()
    assert "token" not in listed
    assert listed["seen"] is not None
    assert anna.client.delete(f"/api/v1/me/tokens/{made['id']}").status_code == 204
    assert program.get("/api/v1/detectors").status_code == 401


def test_api_token_ends_with_its_days_and_never_outgrows_its_person(cloud: Cloud, anna: Person) -> None:
    bert = add_person(cloud, "bert", "manager")
    refused = bert.client.post("/api/v1/me/tokens", json={"name": "root", "role": "owner"})
    assert refused.status_code == 422
    made = bert.client.post("/api/v1/me/tokens", json={"name": "train", "role": "manager", "days": 30}).json()
    headers = {"Authorization": f"Bearer {made['token']}"}
    program = Person(cloud, "program").client
    assert (
        program.post("/api/v1/detectors", json={"name": "made by bert"}, headers=headers).status_code == 201
    )
    anna.client.patch("/api/v1/accounts/bert", json={"role": "viewer"}).raise_for_status()
    assert (
        program.post("/api/v1/detectors", json={"name": "not made by bert"}, headers=headers).status_code
        == 403
    )
    cloud.clock.advance(30 * 86_400.0)
    assert program.get("/api/v1/detectors", headers=headers).status_code == 401


def test_tokens_and_sessions_of_others_cannot_be_touched(cloud: Cloud, anna: Person) -> None:
    bert = add_person(cloud, "bert", "owner")
    token = anna.client.post("/api/v1/me/tokens", json={"name": "mine"}).json()["id"]
    session = anna.client.get("/api/v1/me/sessions").json()[0]["id"]
    assert bert.client.get("/api/v1/me/tokens").json() == []
    assert bert.client.delete(f"/api/v1/me/tokens/{token}").status_code == 404
    assert bert.client.delete(f"/api/v1/me/sessions/{session}").status_code == 404
    assert anna.client.get("/api/v1/me").status_code == 200


def test_last_owner_can_neither_leave_nor_step_down(anna: Person) -> None:
    for answer in (
        anna.client.delete("/api/v1/accounts/Anna"),
        anna.client.patch("/api/v1/accounts/Anna", json={"role": "viewer"}),
    ):
        assert answer.status_code == 422
        assert "only owner" in answer.json()["detail"]


def test_removed_person_is_out_with_the_next_request(cloud: Cloud, anna: Person) -> None:
    bert = add_person(cloud, "bert", "manager")
    token = bert.client.post("/api/v1/me/tokens", json={"name": "t"}).json()["token"]
    assert anna.client.delete("/api/v1/accounts/bert").status_code == 204
    assert bert.client.get("/api/v1/me").status_code == 401
    headers = {"Authorization": f"Bearer {token}"}
    assert Person(cloud, "x").client.get("/api/v1/me", headers=headers).status_code == 401


def test_names_differ_in_more_than_case(anna: Person) -> None:
    body = {"name": "ANNA", "password": PASSWORD}
    assert anna.client.post("/api/v1/accounts", json=body).status_code == 409


def test_log_names_who_did_it_and_no_secret(cloud: Cloud, anna: Person) -> None:
    made = anna.client.post("/api/v1/detectors", json={"name": "box 5"}).json()
    anna.client.delete(f"/api/v1/detectors/{made['id']}").raise_for_status()
    Person(cloud, "anna").log_in("wrong password")
    rows = anna.client.get("/api/v1/audit").json()
    assert ("detector removed", "Anna") in {(row["what"], row["who"]) for row in rows}
    assert "login refused" in {row["what"] for row in rows}
    assert PASSWORD not in str(rows)
    assert "wrong password" not in str(rows)


def test_access_token_goes_on_as_an_owners_token_and_its_cookie_ends_with_the_first_account(
    tmp_path: Path,
) -> None:
    secret = "a secret of 16 signs or more"
    settings = Settings(home=tmp_path, host="0.0.0.0", access_token=secret)
    network = make_cloud(tmp_path, settings)
    cheapen(network)
    client = TestClient(network.app, base_url="http://elfowl.lan", follow_redirects=False)
    assert client.post("/login", data={"token": secret}).status_code == 303
    assert client.get("/api/v1/detectors").status_code == 200
    network.app.state.services.people.add("anna", "owner", PASSWORD, None)
    assert client.get("/api/v1/detectors").status_code == 401
    headers = {"Authorization": f"Bearer {secret}"}
    assert client.get("/api/v1/accounts", headers=headers).status_code == 200
    page = client.get("/events?label=cup", headers=HTML)
    assert page.headers["location"] == "/login?next=/events%3Flabel%3Dcup"
