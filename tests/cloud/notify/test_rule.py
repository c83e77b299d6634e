"""Which events a rule tells of, and when."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cloud.notify.rule import AlertRule, Past, Silence, Tell, decide, fits
from edge_agent.wire.attributes import AttributeValue
from edge_agent.wire.event import Event, Zones
from tests.fakes.events import make_event

# 2027-01-15 08:00:00 UTC, a Friday.
NOW_S = 1_800_000_000.0


def rule(**fields: object) -> AlertRule:
    return AlertRule.model_validate({"name": "door", "channels": ["json://127.0.0.1/"], **fields})


def event() -> Event:
    changes = {
        "zones": Zones(entered=("path", "door"), current=("door",)),
        "attributes": {"jacket": AttributeValue(value="red", score=0.9)},
    }
    return make_event().model_copy(update=changes)


@pytest.mark.parametrize(
    ("fields", "fit"),
    [
        ({}, True),
        ({"enabled": False}, False),
        ({"labels": ["person", "dog"]}, True),
        ({"labels": ["dog"]}, False),
        ({"cameras": ["front"]}, True),
        ({"cameras": ["porch/front"]}, True),
        ({"cameras": ["garage/front"]}, False),
        ({"zones": ["path"]}, True),
        ({"zones": ["street"]}, False),
        ({"attributes": {"jacket": "red"}}, True),
        ({"attributes": {"jacket": "blue"}}, False),
        ({"attributes": {"hat": "red"}}, False),
        ({"least_score": 0.9}, True),
        ({"least_score": 0.95}, False),
        ({"hours": ["fri 08:00-09:00"]}, True),
        ({"hours": ["mon-thu 08:00-09:00"]}, False),
        ({"hours": ["fri 08:00-09:00"], "timezone": "America/New_York"}, False),
        ({"labels": ["person"], "zones": ["street"]}, False),
    ],
)
def test_rule_fits_an_event_when_all_that_it_asks_for_holds(fields: dict[str, Any], fit: bool) -> None:
    assert fits(rule(**fields), event()) is fit


@pytest.mark.parametrize(
    ("fields", "past", "said"),
    [
        ({}, Past(), None),
        ({"recordings": True}, Past(), Tell(NOW_S + 60, collects=True)),
        ({"recordings": True}, Past(NOW_S, NOW_S + 5), Tell(NOW_S + 5, collects=True)),
        ({"recordings": True, "digest_s": 600}, Past(), Tell(NOW_S + 600, collects=True)),
        ({"recordings": True, "quiet": ["07:00-09:00"]}, Past(), Tell(NOW_S + 3600, collects=True)),
    ],
)
def test_what_a_scan_saw_is_told_together_and_only_where_wanted(
    fields: dict[str, Any], past: Past, said: Tell | None
) -> None:
    assert decide(rule(**fields), event().model_copy(update={"device": "scan"}), past, NOW_S) == said


def test_event_that_somebody_called_wrong_is_not_told() -> None:
    assert not fits(rule(), event().model_copy(update={"end_reason": "corrected"}))


@pytest.mark.parametrize(
    ("fields", "past", "said"),
    [
        ({}, Past(), Tell(NOW_S, collects=False)),
        ({}, Past(last_due_s=NOW_S - 59), Silence()),
        ({}, Past(last_due_s=NOW_S - 60), Tell(NOW_S, collects=False)),
        ({}, Past(last_due_s=NOW_S + 9999), Tell(NOW_S, collects=False)),
        ({"cooldown_s": 0}, Past(last_due_s=NOW_S), Tell(NOW_S, collects=False)),
        ({"digest_s": 600}, Past(), Tell(NOW_S + 600, collects=True)),
        ({"digest_s": 600}, Past(NOW_S + 30, NOW_S + 30), Tell(NOW_S + 30, collects=True)),
        ({"quiet": ["07:00-09:00"]}, Past(), Tell(NOW_S + 3600, collects=True)),
        ({"quiet": ["08:05-09:00"], "digest_s": 600}, Past(), Tell(NOW_S + 3600, collects=True)),
        ({"quiet": ["09:00-10:00"]}, Past(), Tell(NOW_S, collects=False)),
    ],
)
def test_rule_tells_now_later_or_not_at_all(fields: dict[str, Any], past: Past, said: Tell | Silence) -> None:
    assert decide(rule(**fields), event(), past, NOW_S) == said


def test_event_that_does_not_fit_is_neither_told_nor_silenced() -> None:
    assert decide(rule(labels=["dog"]), event(), Past(last_due_s=NOW_S), NOW_S) is None


@settings(max_examples=150, deadline=None)
@given(
    gaps_s=st.lists(st.floats(0.0, 4000.0), max_size=40),
    cooldown_s=st.sampled_from([0.0, 60.0, 900.0]),
    quiet=st.sampled_from([(), ("08:30-09:30",), ("20:00-06:00",)]),
)
def test_messages_of_one_camera_and_label_are_never_closer_than_the_cooldown(
    gaps_s: list[float], cooldown_s: float, quiet: tuple[str, ...]
) -> None:
    asked, now_s, past, dues = rule(cooldown_s=cooldown_s, quiet=quiet), NOW_S, Past(), list[float]()
    for gap_s in gaps_s:
        now_s += gap_s
        collecting = past.collecting_due_s if (past.collecting_due_s or 0.0) > now_s else None
        said = decide(asked, event(), Past(past.last_due_s, collecting), now_s)
        assert said is not None
        if isinstance(said, Tell):
            assert said.due_s >= now_s
            dues.append(said.due_s)
            past = Past(said.due_s, said.due_s if said.collects else None)
        else:
            assert now_s - dues[-1] < cooldown_s
    messages = sorted(set(dues))
    assert all(later - earlier >= cooldown_s for earlier, later in pairwise(messages))


@pytest.mark.parametrize(
    "fields", [{"channels": []}, {"timezone": "Mars/Olympus"}, {"quiet": ["late"]}, {"picture": "sharp"}]
)
def test_rule_that_cannot_be_kept_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        rule(**fields)
