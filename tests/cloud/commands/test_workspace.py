"""Workspaces from the command line, on the home folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloud.accounts.workspaces import HOME, within
from cloud.cli import app
from cloud.errors import ConflictError, NotFoundError
from cloud.store import detectors
from tests.cloud.homes import add_detector, make_home, with_tables
from tests.fakes.console import Console

PASSWORD = "correct horse battery\n"


def run(home: Path, *arguments: str, typed: str = "") -> str:
    done = Console().invoke(
        app, [*arguments, "--home", str(with_tables(home))], input=typed, catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return done.output


def test_workspace_is_made_for_an_account_named_and_listed(tmp_path: Path) -> None:
    run(tmp_path, "account", "add", "Anna", "--role", "owner", typed=PASSWORD)
    made = json.loads(run(tmp_path, "workspace", "new", "workshop", "--owner", "anna", "--json"))
    run(tmp_path, "workspace", "rename", "workshop", "attic")
    listed = json.loads(run(tmp_path, "workspace", "list", "--json"))
    assert [(one["id"], one["name"]) for one in listed] == [(HOME, "home"), (made["id"], "attic")]
    run(tmp_path, "account", "add", "bert", "--workspace", "attic", typed=PASSWORD)
    assert "bert" not in run(tmp_path, "account", "list")
    people = json.loads(run(tmp_path, "account", "list", "--workspace", made["id"], "--json"))
    assert [(one["name"], one["role"]) for one in people] == [("Anna", "owner"), ("bert", "viewer")]
    with pytest.raises(ConflictError, match="already"):
        run(tmp_path, "workspace", "new", "home", "--owner", "anna")
    with pytest.raises(NotFoundError, match="no account 'nobody'"):
        run(tmp_path, "workspace", "new", "cellar", "--owner", "nobody")


def test_command_line_works_in_the_first_workspace(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    run(tmp_path, "account", "add", "Anna", "--role", "owner", typed=PASSWORD)
    made = json.loads(run(tmp_path, "workspace", "new", "workshop", "--owner", "anna", "--json"))
    with within(made["id"]):
        add_detector(home, "theirs")
    add_detector(home, "ours")
    assert [one["name"] for one in json.loads(run(tmp_path, "detector", "list", "--json"))] == ["ours"]
    with home.database.read() as session:
        assert len(detectors.every(session)) == 2, "outside of the command, all are seen again"
