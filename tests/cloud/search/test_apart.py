"""Searches and figures of one workspace are what they would be if the other one was not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cloud.accounts.workspaces import HOME, within
from cloud.actions import ageing
from cloud.actions.forgetting import Doomed
from cloud.actions.open_home import Home
from cloud.search.chosen import Chosen
from cloud.search.find import find
from cloud.search.judge import Seen, span_of
from cloud.search.known import known
from cloud.search.parse import parse_query
from cloud.store import sources, workspaces
from cloud.store.events import EventQuery, listing
from cloud.store.scans import SCAN_DEVICE
from tests.cloud.actions.test_ageing import MIDDLE_S, figures, some_events
from tests.cloud.homes import make_home
from tests.cloud.search.seen import START_S, row_of

OTHER = "ws_2"
QUERIES = (
    "person", "dog in camera front", "person near dog within 600s", "person then dog within 600s",
    "person with dog", "person with dog in camera front",
)  # fmt: skip


def events_of(workspace: str) -> list[Seen]:
    """Return what one of the two has: a camera of its own, and recordings, whose device both share."""
    own = "gate" if workspace == OTHER else "porch"
    found = [one for one in some_events() if one.device == own]
    scanned = [
        replace(one, device=SCAN_DEVICE, camera=f"of-{own}", event_id=f"{SCAN_DEVICE}-{one.event_id}")
        for one in found
    ]
    return [*found, *scanned]


def fill(home: Home, events: list[Seen]) -> Home:
    with home.database.write() as session:
        session.add_all([row_of(one) for one in events])
    return home


@pytest.fixture
def both(tmp_path: Path) -> Home:
    """Return a home with the events of two workspaces; home never claimed its names."""
    home = make_home(tmp_path / "both")
    with home.database.write() as session:
        workspaces.add(session, name="other", now_s=1.0).id = OTHER
    with home.database.write() as session:
        sources.claim(session, "gate", sources.WHOLE, OTHER)
        sources.claim(session, SCAN_DEVICE, "of-gate", OTHER)
    return fill(home, [*events_of(HOME), *events_of(OTHER)])


def found(home: Home) -> list[object]:
    """Return all that searches tell."""
    answers: list[object] = []
    with home.database.read() as session:
        for text in QUERIES:
            query = parse_query(text)
            page = find(session, query, span_of(query, now_s=START_S + 90_000))
            answers.append([[one.event_id for one in moment.events] for moment in page.moments])
        answers.append(known(session))
        answers.append([one.event_id for one in listing(session, EventQuery(limit=500))])
    return answers


@pytest.mark.parametrize("workspace", [HOME, OTHER])
def test_figures_and_searches_count_the_own_events_only(both: Home, tmp_path: Path, workspace: str) -> None:
    alone = fill(make_home(tmp_path / "alone"), events_of(workspace))
    with within(workspace):
        assert found(both) == found(alone)
        assert any(found(both)[2])  # type: ignore[arg-type]
        assert figures(both, Chosen()) == figures(alone, Chosen())
    for home in (both, alone):
        assert ageing.move_old(home, MIDDLE_S) > 5
    with within(workspace):
        assert figures(both, Chosen()) == figures(alone, Chosen())


def test_old_events_of_another_workspace_are_not_deleted(both: Home) -> None:
    ageing.move_old(both, MIDDLE_S)
    with within(HOME):
        of_home = figures(both, Chosen())
    with within(OTHER):
        assert ageing.delete_aged(both, Doomed(before_s=MIDDLE_S)) > 5
        assert ageing.delete_aged(both, Doomed(before_s=MIDDLE_S)) == 0
    with within(HOME):
        assert figures(both, Chosen()) == of_home
