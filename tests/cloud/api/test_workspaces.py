"""Workspaces: made, named, changed into, left; who is in which, and what they may do there."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.accounts.workspaces import HOME, within
from tests.cloud.api.conftest import Cloud, make_cloud
from tests.cloud.api.people import PASSWORD, Person, add_person, cheapen, forget_everybody

API = "/api/v1"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    return make_cloud(tmp_path_factory.mktemp("workspaces"))


@pytest.fixture
def cloud(shared: Cloud) -> Cloud:
    """Return a cloud where nobody has an account yet; other tests may have left workspaces."""
    forget_everybody(shared)
    return shared


@pytest.fixture
def anna(cloud: Cloud) -> Person:
    return add_person(cloud, "anna", "owner")


def make(person: Person, name: str) -> str:
    made = person.client.post(f"{API}/workspaces", json={"name": name})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def change_into(person: Person, workspace: str) -> int:
    answer = person.client.put(f"{API}/me/workspace", json={"workspace": workspace})
    return int(answer.status_code)


def test_one_server_has_one_workspace_until_an_owner_makes_another(cloud: Cloud, anna: Person) -> None:
    me = anna.client.get(f"{API}/me").json()
    assert (me["workspace"], [one["id"] for one in me["workspaces"]]) == (HOME, [HOME])
    made = make(anna, "  first   other ")
    listed = {one["id"]: one for one in anna.client.get(f"{API}/workspaces").json()}
    assert (listed[made]["name"], listed[made]["role"], listed[made]["current"]) == (
        "first other",
        "owner",
        False,
    )
    assert listed[HOME]["current"] is True
    again = anna.client.post(f"{API}/workspaces", json={"name": "first other"})
    assert again.status_code == 409
    bert = add_person(cloud, "bert", "manager")
    assert bert.client.post(f"{API}/workspaces", json={"name": "mine"}).status_code == 403


def test_changing_into_another_shows_that_one_and_its_role(cloud: Cloud, anna: Person) -> None:
    anna.client.post(f"{API}/detectors", json={"name": "at home"})
    other = make(anna, "second")
    bert = add_person(cloud, "bert", "viewer")
    assert change_into(bert, other) == 404
    assert change_into(anna, other) == 200
    assert anna.client.get(f"{API}/detectors").json() == []
    assert (
        anna.client.post(f"{API}/accounts/invited", json={"name": "Bert", "role": "manager"}).status_code
        == 201
    )
    assert [one["name"] for one in anna.client.get(f"{API}/accounts").json()] == ["anna", "bert"]
    assert bert.client.post(f"{API}/detectors", json={"name": "box"}).status_code == 403
    assert change_into(bert, other) == 200
    assert bert.client.post(f"{API}/detectors", json={"name": "at home"}).status_code == 201
    assert bert.client.get(f"{API}/me").json()["role"] == "manager"
    assert change_into(bert, HOME) == 200
    assert bert.client.get(f"{API}/me").json()["role"] == "viewer"


def test_workspaces_are_made_at_home_only_and_named_by_their_owners(anna: Person) -> None:
    other = make(anna, "third")
    assert anna.client.patch(f"{API}/workspaces/{other}", json={"name": "x"}).status_code == 404
    change_into(anna, other)
    assert anna.client.post(f"{API}/workspaces", json={"name": "fourth"}).status_code == 403
    renamed = anna.client.patch(f"{API}/workspaces/{other}", json={"name": "attic"})
    assert renamed.json()["name"] == "attic"
    change_into(anna, HOME)
    assert {one["name"] for one in anna.client.get(f"{API}/workspaces").json()} == {"home", "attic"}


def test_owner_of_one_workspace_has_no_say_over_people_of_another(cloud: Cloud, anna: Person) -> None:
    desk = cloud.app.state.services.people
    other = make(anna, "fifth")
    with within(other):
        desk.add("carl", "owner", PASSWORD, None)
    carl = Person(cloud, "carl")
    assert carl.log_in() == 200
    found = carl.client.get(f"{API}/accounts").json()
    assert [one["name"] for one in found] == ["anna", "carl"]
    annas = f"{API}/accounts/{found[0]['id']}"
    taken_over = carl.client.patch(annas, json={"password": "wrong donkey charger"})
    assert (taken_over.status_code, anna.log_in()) == (403, 200)
    assert carl.client.delete(annas).status_code == 204
    assert anna.log_in() == 200
    assert change_into(anna, other) == 404
    assert desk.find("anna").role == "owner"
    assert carl.client.delete(f"{API}/accounts/{found[1]['id']}").status_code == 422, "the last owner stays"


def test_whoever_is_taken_out_is_out_at_once_with_browser_and_token(cloud: Cloud, anna: Person) -> None:
    other = make(anna, "sixth")
    bert = add_person(cloud, "bert", "viewer")
    change_into(anna, other)
    member = anna.client.post(f"{API}/accounts/invited", json={"name": "bert", "role": "viewer"}).json()
    change_into(bert, other)
    token = bert.client.post(f"{API}/me/tokens", json={"name": "x", "role": "viewer"}).json()["token"]
    program = Person(cloud, "program").client
    program.headers["Authorization"] = f"Bearer {token}"
    assert program.get(f"{API}/me").json()["workspace"] == other
    assert program.put(f"{API}/me/workspace", json={"workspace": HOME}).status_code == 422
    assert anna.client.delete(f"{API}/accounts/{member['id']}").status_code == 204
    assert [one.get(f"{API}/detectors").status_code for one in (bert.client, program)] == [401, 401]
    assert bert.log_in() == 200
    assert bert.client.get(f"{API}/me").json()["workspace"] == HOME


def test_answer_that_was_kept_for_one_workspace_is_not_given_in_another(anna: Person) -> None:
    other = make(anna, "seventh")

    def ask() -> str:
        headers = {"Idempotency-Key": "key-1"}
        made = anna.client.post(f"{API}/detectors", json={"name": "twice"}, headers=headers)
        return str(made.json()["id"])

    first = ask()
    assert ask() == first
    change_into(anna, other)
    assert ask() != first


def test_guests_do_not_see_figures_of_the_whole_server(tmp_path: Path) -> None:
    cloud = make_cloud(tmp_path)
    cheapen(cloud)
    anna = add_person(cloud, "anna", "owner")
    other = make(anna, "guests")
    for path in ("/model-cache", "/metrics"):
        assert anna.client.get(f"{API}{path}").status_code == 200
    change_into(anna, other)
    for path in ("/model-cache", "/metrics"):
        assert anna.client.get(f"{API}{path}").status_code == 403
