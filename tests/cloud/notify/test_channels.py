"""Where alerts may go, and what arrives there."""

from __future__ import annotations

import pytest

from cloud.errors import InputError
from cloud.notify.channels import AppriseChannel, Message, masked
from cloud.settings import Settings, settings_from
from edge_agent.errors import LinkError
from tests.cloud.homes import jpeg
from tests.cloud.notify.receiver import picture_of, receiving

ALLOWED = Settings.model_fields["alert_schemes"].default


@pytest.mark.parametrize(
    "address",
    [
        "ntfys://a-topic",
        "ntfy://127.0.0.1/a-topic",
        "json://127.0.0.1:8000/hook",
        "mailtos://me:secret@example.org",
        "hassio://127.0.0.1/token",
    ],
)
def test_address_of_an_allowed_kind_is_taken(address: str) -> None:
    AppriseChannel(ALLOWED).check(address)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("syslog://", "not allowed"),
        ("syslog://localhost", "not allowed"),
        ("macosx://x", "not allowed"),
        ("file:///etc/passwd", "not allowed"),
        ("https://discord.com/api/webhooks/1/secret", "not allowed"),
        ("secret", "not allowed"),
        ("json://", "not allowed"),
        ("hassio://127.0.0.1", "incomplete"),
    ],
)
def test_address_of_another_kind_is_refused_without_its_secrets(address: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        AppriseChannel(ALLOWED).check(address)
    assert "secret" not in str(caught.value)


def test_list_of_kinds_comes_from_the_environment() -> None:
    kinds = settings_from({"HOME": "/", "ELFOWL_ALERT_SCHEMES": "Tgram, jsons"}).alert_schemes
    assert kinds == ("tgram", "jsons")
    with pytest.raises(InputError, match="allowed are jsons, tgram"):
        AppriseChannel(kinds).check("json://127.0.0.1/")


def test_message_arrives_with_exactly_the_picture_that_was_given() -> None:
    with receiving() as receiver:
        AppriseChannel(ALLOWED).send(receiver.address, Message("a title", "a body", jpeg()))
        came = receiver.take()
    assert (came["title"], came["message"]) == ("a title", "a body")
    assert picture_of(came) == jpeg()


def test_message_that_is_refused_says_why_without_the_address() -> None:
    with receiving() as receiver:
        receiver.status = 500
        with pytest.raises(LinkError, match="500") as caught:
            AppriseChannel(ALLOWED).send(receiver.address, Message("a title", "a body"))
    assert "secret-topic" not in str(caught.value)


def test_masked_address_shows_only_its_kind() -> None:
    assert masked("mailtos://me:secret@example.org") == "mailtos://…"
    assert masked("secret") == "…"


def test_message_names_no_picture_elsewhere() -> None:
    assert not AppriseChannel(ALLOWED)._open("ntfy://127.0.0.1/a-topic").image_url("info")
