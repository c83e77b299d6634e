"""People with accounts, and their browsers, for tests of the API."""

from __future__ import annotations

from fastapi.testclient import TestClient
from sqlalchemy import delete

from cloud.accounts.passwords import Cost
from cloud.accounts.roles import Role
from cloud.actions.accounts import AccountDesk
from cloud.store.account_tables import AccountRow, ApiTokenRow, SessionRow
from tests.cloud.api.conftest import Cloud

PASSWORD = "correct horse battery"
CHEAP = Cost(n=2, r=1, p=1)


class Person:
    """Somebody with an account and a browser of their own."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        self.name = name
        self.client = TestClient(cloud.app, base_url="http://127.0.0.1:8420", raise_server_exceptions=False)
        self.client.portal = cloud.client.portal

    def log_in(self, password: str = PASSWORD) -> int:
        answer = self.client.post("/api/v1/login", json={"name": self.name, "password": password})
        if answer.status_code == 200:
            self.client.headers["X-Elfowl-Csrf"] = answer.json()["csrf"]
        return answer.status_code


def cheapen(cloud: Cloud) -> AccountDesk:
    """Let passwords cost next to nothing, as tests need many."""
    desk = AccountDesk(cloud.home.database, cloud.clock, CHEAP)
    cloud.app.state.services.people = desk
    return desk


def forget_everybody(cloud: Cloud) -> None:
    """Let a cloud start again as if nobody ever had an account, so that many tests can use one cloud."""
    with cloud.home.database.write() as session:
        for table in (SessionRow, ApiTokenRow, AccountRow):
            session.execute(delete(table))
    cloud.client.cookies.clear()
    cheapen(cloud)


def add_person(cloud: Cloud, name: str, role: Role) -> Person:
    """Return somebody who is logged in; the first one has to be an owner."""
    desk: AccountDesk = cloud.app.state.services.people
    desk.add(name, role, PASSWORD, None)
    person = Person(cloud, name)
    assert person.log_in() == 200
    return person
