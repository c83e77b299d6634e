"""By which names actors that watch are found again, and when they know that nobody keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.engine.crew import KEPT_S, Crew, KeeperTie
from cloud.settings import Settings
from tests.fakes.clock import FakeClock

SETTINGS = Settings(home=Path("/home/owl"), database="postgresql://owl:secret@db/owls", stream_workers=2)


def test_actors_have_the_same_names_for_the_next_server_on_that_home() -> None:
    names = Crew.of(SETTINGS, "0").names
    assert len(set(names)) == SETTINGS.stream_workers
    assert Crew.of(SETTINGS.model_copy(), "0").names == names
    assert Crew.of(SETTINGS, "0").others(names) == []


@pytest.mark.parametrize(
    "changed", [{"stream_hosts": ("camera.example",)}, {"stream_workers": 1}, {"object_store": "s3://owls"}]
)
def test_actors_on_other_terms_have_to_go(changed: dict[str, object]) -> None:
    before, now = Crew.of(SETTINGS, "0"), Crew.of(SETTINGS.model_copy(update=changed), "0")
    assert not set(before.names) & set(now.names)
    assert now.others([*before.names, *now.names]) == before.names


@pytest.mark.parametrize(
    ("changed", "row"),
    [
        ({"home": Path("/home/other")}, "0"),
        ({"database": "postgresql://owl:secret@db/others"}, "0"),
        ({}, "1"),
    ],
)
def test_actors_of_another_cloud_or_pool_are_left_alone(changed: dict[str, object], row: str) -> None:
    others = Crew.of(SETTINGS.model_copy(update=changed), row).names
    assert Crew.of(SETTINGS, "0").others(["something else", *others]) == []


def test_actors_of_a_cloud_are_known_when_its_password_is_another_one() -> None:
    now = SETTINGS.model_copy(update={"database": "postgresql://owl:newer@db/owls"})
    before = Crew.of(SETTINGS, "0").names
    assert Crew.of(now, "0").others(before) == before, "they have the old one"


def test_actor_has_a_keeper_as_long_as_somebody_asks() -> None:
    clock = FakeClock()
    tie = KeeperTie(clock)
    assert not tie.has_server
    with tie.asked():
        clock.advance(KEPT_S - 1.0)
        assert tie.has_server
    clock.advance(KEPT_S - 1.0)
    assert tie.has_server
    clock.advance(1.0)
    assert not tie.has_server
