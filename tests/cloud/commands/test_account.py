"""Accounts from the command line, on the home folder; what the server says of the first start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloud.accounts.passwords import Cost
from cloud.actions.accounts import AccountDesk
from cloud.cli import app
from cloud.commands.serve import first_start_lines
from cloud.errors import InputError
from cloud.settings import Settings
from tests.cloud.homes import make_home, with_tables
from tests.fakes.console import Console

PASSWORD = "correct horse battery"


def _run(home: Path, *arguments: str, typed: str = "") -> str:
    done = Console().invoke(
        app, ["account", *arguments, "--home", str(with_tables(home))], input=typed, catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return done.output


def test_owner_who_forgot_the_password_sets_another_one_on_the_home_folder(tmp_path: Path) -> None:
    _run(tmp_path, "add", "Anna", "--role", "owner", typed=f"{PASSWORD}\n")
    _run(tmp_path, "password", "anna", typed="another horse battery\n")
    (listed,) = json.loads(_run(tmp_path, "list", "--json"))
    assert (listed["name"], listed["role"], listed["last_login"]) == ("Anna", "owner", None)
    assert PASSWORD not in _run(tmp_path, "list")


@pytest.mark.parametrize(
    ("arguments", "typed", "complaint"),
    [
        (("add", "bert"), f"{PASSWORD}\n", "first account has to be an owner"),
        (("add", "bert", "--role", "king"), f"{PASSWORD}\n", "owner, manager, viewer|viewer, manager, owner"),
        (("add", "bert", "--role", "owner"), "short\n", "at least 10 characters"),
    ],
)
def test_account_that_cannot_be_is_refused_with_advice(
    tmp_path: Path, arguments: tuple[str, ...], typed: str, complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        _run(tmp_path, *arguments, typed=typed)


def test_server_says_how_to_begin_until_somebody_has_an_account(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    desk = AccountDesk(home.database, home.clock, Cost(n=2, r=1, p=1))
    network = Settings(home=tmp_path, host="0.0.0.0", access_token="a secret of 16 signs or more")
    assert "choose a password" in first_start_lines(home.settings, desk)[0]
    assert desk.setup_code not in first_start_lines(home.settings, desk)[0]
    assert desk.setup_code in first_start_lines(network, desk)[0]
    assert first_start_lines(Settings(home=tmp_path, accounts="off"), desk) == []
    desk.add("anna", "owner", PASSWORD, None)
    assert first_start_lines(network, desk) == []
