"""Commands: what is obeyed, and what is refused."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import ProtocolError
from edge_agent.report.commands import (
    Command,
    ForgetCorrections,
    HomeAssistantStarted,
    InstallDetector,
    RateLimitedLog,
    SetSwitch,
    SetThreshold,
    cloud_subscriptions,
    home_subscriptions,
    parse_command,
)
from edge_agent.wire.correction import Feedback
from edge_agent.wire.live import LookWanted
from edge_agent.wire.sync import Ack, DesiredHint
from edge_agent.wire.topics import Topics
from tests.fakes.clock import FakeClock

TOPICS = Topics("porch")
CAMERAS = ("front", "back")
SWITCH = "elfowl/porch/cam/front/switch"


def parse(topic: str, payload: bytes, *, retained: bool = False) -> Command | None:
    return parse_command(TOPICS, CAMERAS, topic, payload, retained=retained)


@pytest.mark.parametrize(
    ("topic", "payload", "command"),
    [
        (f"{SWITCH}/detect/set", b"OFF", SetSwitch("front", "detect", on=False)),
        (f"{SWITCH}/offload/set", b"ON", SetSwitch("front", "offload", on=True)),
        (f"{SWITCH}/threshold/set", b"0.75", SetThreshold("front", 0.75)),
        (f"{SWITCH}/threshold/set", b"1", SetThreshold("front", 1.0)),
        ("elfowl/porch/detector/set", b"install", InstallDetector()),
        ("elfowl/porch/cure/set", b"forget", ForgetCorrections()),
        ("homeassistant/status", b"online", HomeAssistantStarted()),
        ("homeassistant/status", b"offline", None),
        (
            "elfowl/porch/feedback/set",
            b'{"verdict": "wrong", "event_id": "abc"}',
            Feedback(verdict="wrong", event_id="abc"),
        ),
        ("elfowl/porch/down/ack", b'{"epoch": "e", "seq": 4}', Ack(epoch="e", seq=4)),
        ("elfowl/porch/down/desired", b'{"version": 4}', DesiredHint(version=4)),
        (
            "elfowl/porch/down/look",
            b'{"camera": "front", "for_s": 12}',
            LookWanted(camera="front", for_s=12.0),
        ),
    ],
)
def test_parse_documented_message_gives_command(topic: str, payload: bytes, command: Command | None) -> None:
    assert parse(topic, payload) == command


@pytest.mark.parametrize(
    ("topic", "payload", "why"),
    [
        (f"{SWITCH}/detect/set", b"on", "only ON and OFF"),
        (f"{SWITCH}/detect/set", b"", "only ON and OFF"),
        (f"{SWITCH}/threshold/set", b"nan", "from 0 to 1"),
        (f"{SWITCH}/threshold/set", b"-0.1", "from 0 to 1"),
        (f"{SWITCH}/threshold/set", b"1e400", "from 0 to 1"),
        (f"{SWITCH}/threshold/set", b"\xff\xfe", "from 0 to 1"),
        (f"{SWITCH}/format_disk/set", b"ON", "no such camera or setting"),
        ("elfowl/porch/cam/other/switch/detect/set", b"ON", "no such camera or setting"),
        ("elfowl/porch/detector/set", b"rm -rf", "only 'install'"),
        ("elfowl/porch/cure/set", b"", "only 'forget'"),
        ("elfowl/porch/feedback/set", b'{"verdict": "maybe"}', "verdict"),
        ("elfowl/porch/feedback/set", b'{"verdict": "missed"}', "needs 'camera' and 'time'"),
        ("elfowl/porch/feedback/set", b"[" * 5000, "ignored"),
        ("elfowl/porch/feedback/set", b"x" * 10_001, "too many"),
        ("elfowl/porch/down/ack", b'{"epoch": "e", "seq": -1}', "seq"),
    ],
)
def test_parse_hostile_message_is_refused_in_one_line(topic: str, payload: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why) as caught:
        parse(topic, payload)
    assert "\n" not in str(caught.value)


def test_parse_retained_command_is_refused() -> None:
    with pytest.raises(ProtocolError, match="must not be retained"):
        parse(f"{SWITCH}/detect/set", b"OFF", retained=True)
    assert parse("homeassistant/status", b"online", retained=True) == HomeAssistantStarted()


@given(
    st.sampled_from([*home_subscriptions(TOPICS), *cloud_subscriptions(TOPICS)]),
    st.text(max_size=8).filter(lambda text: "/" not in text),
    st.binary(max_size=60),
)
def test_parse_anything_gives_command_or_refusal(topic: str, segment: str, payload: bytes) -> None:
    try:
        outcome: object = parse(topic.replace("+", segment), payload)
    except ProtocolError as error:
        outcome = str(error)
    assert outcome is None or isinstance(outcome, str | Command)


def test_rate_limited_log_writes_few_lines_of_many(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    limited = RateLimitedLog(clock)
    with caplog.at_level(logging.WARNING):
        for number in range(1000):
            limited.warning(f"hostile {number}")
        clock.advance(61)
        limited.warning("again")
    assert len(caplog.records) == 7
    assert "995 more" in caplog.text
