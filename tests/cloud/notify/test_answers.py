"""People answer a message by its link: once, only its event, only so long."""

from __future__ import annotations

import stat
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from cloud.errors import DeniedError
from cloud.ingest.batches import store_batch
from cloud.notify.answers import VALID_S, Answers, key_at, message_of
from cloud.notify.buttons import with_buttons
from cloud.notify.channels import AppriseChannel, Message
from cloud.settings import Settings
from cloud.store import alerts, corrections
from cloud.store.alert_tables import AlertMessageRow
from tests.cloud.api.conftest import Cloud, make_cloud
from tests.cloud.homes import DEVICE, add_device, batch, item
from tests.cloud.notify.receiver import receiving

KEY = b"k" * 32
LINK = "https://owl.example.org/api/v1/answers/a.b.c"


def test_link_leads_back_to_its_message_only_and_ends() -> None:
    link = Answers("https://owl.example.org/", KEY).link("msg_1", 1000.0)
    assert link.startswith("https://owl.example.org/api/v1/answers/msg_1.")
    token = link.rpartition("/")[2]
    assert message_of(KEY, token, 1000.0) == "msg_1"
    with pytest.raises(DeniedError, match="older than 30 days"):
        message_of(KEY, token, 1001.0 + VALID_S)
    for forged in (token.replace("msg_1", "msg_2"), token[:-1], "", "msg_1..", "ä.1.x"):
        with pytest.raises(DeniedError, match="not made here"):
            message_of(KEY, forged, 1000.0)
    with pytest.raises(DeniedError):
        message_of(b"x" * 32, token, 1000.0)


def test_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "answers.key"
    assert key_at(path) == key_at(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["answers.key"]


def test_buttons_are_of_the_kind_of_channel() -> None:
    ntfy = with_buttons("ntfys://topic?priority=high", "a <b>", LINK)
    (actions,) = parse_qs(urlsplit(ntfy.address).query)["actions"]
    assert f"http, Right, {LINK}?verdict=right, method=POST" in actions
    assert ntfy.body == "a <b>"
    mail = with_buttons("mailtos://a:b@example.org", "a <b>\nc", LINK)
    assert (mail.form, mail.address) == ("html", "mailtos://a:b@example.org")
    assert "a &lt;b&gt;<br>" in mail.body
    assert f'<a href="{LINK}?verdict=wrong">wrong</a>' in mail.body
    hook = with_buttons("jsons://host/", "a", LINK)
    assert hook.body == f"a\nright: {LINK}?verdict=right\nwrong: {LINK}?verdict=wrong"
    assert with_buttons("ntfys://topic", "a", None).address == "ntfys://topic"


def test_message_with_buttons_is_taken_by_apprise_for_each_kind() -> None:
    channel = AppriseChannel(Settings.model_fields["alert_schemes"].default)
    channel.check(with_buttons("ntfy://127.0.0.1/topic", "a", LINK).address)
    with receiving() as receiver:
        channel.send(receiver.address, Message("a title", "a body", answer=LINK))
        assert f"wrong: {LINK}?verdict=wrong" in receiver.take()["message"]


@pytest.fixture
def asked(tmp_path: Path) -> tuple[Cloud, str]:
    """Return a cloud with one message about one event, and the path of its link."""
    cloud = make_cloud(tmp_path)
    add_device(cloud.home)
    with cloud.home.database.write() as session:
        store_batch(session, batch(item(1)), now_s=cloud.clock.now_s())
        message = AlertMessageRow(
            id="msg_1", rule_id="alr_1", rule_name="<door>", address="json://a/", picture="none",
            events=[[DEVICE, "event-000001"]], collects=False, state="sent", created=0.0, due=0.0, attempts=1,
        )  # fmt: skip
        alerts.put_message(session, message)
    answers = Answers("http://127.0.0.1:8420", key_at(cloud.home.settings.answers_key_path))
    return cloud, urlsplit(answers.link("msg_1", cloud.clock.now_s())).path


def test_message_is_answered_once(asked: tuple[Cloud, str]) -> None:
    cloud, path = asked
    page = cloud.client.get(f"{path}?verdict=wrong")
    assert (page.status_code, "&lt;door&gt;" in page.text) == (200, True)
    with cloud.home.database.read() as session:
        assert corrections.every(session) == []  # to look at a link changes nothing
    assert "It is noted" in cloud.client.post(f"{path}?verdict=wrong").text
    again = cloud.client.post(f"{path}?verdict=right")
    assert (again.status_code, "answered already: wrong" in again.text) == (409, True)
    with cloud.home.database.read() as session:
        (row,) = corrections.every(session)
        assert (row.verdict, row.event_id) == ("wrong", "event-000001")


def test_link_that_does_not_hold_answers_nothing(asked: tuple[Cloud, str]) -> None:
    cloud, path = asked
    assert cloud.client.post(f"{path}x?verdict=wrong").status_code == 403
    assert cloud.client.post(f"{path}?verdict=maybe").status_code == 422
    with cloud.home.database.write() as session:
        alerts.forget_events(session, DEVICE, ["event-000001"])
        session.get_one(AlertMessageRow, "msg_1").events = []
    assert cloud.client.post(f"{path}?verdict=wrong").status_code == 404
