"""Forms of a few parts: what senders make is read back, what is broken is refused."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.api.forms import parts_of
from cloud.errors import InputError

KIND = "multipart/form-data; boundary=mark"


def form(*parts: str, end: str = "--mark--\r\n") -> bytes:
    return ("".join(f"--mark\r\n{part}\r\n" for part in parts) + end).encode("latin-1")


def part(name: str, content: str = "x") -> str:
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n{content}'


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200), st.text("abz_", min_size=1))
def test_form_made_by_another_library_is_read_back(content: bytes, name: str) -> None:
    files = {name: ("picture.jpg", content, "image/jpeg"), "request-0": (None, b"{}\r\n", "application/json")}
    sent = httpx.Request("POST", "http://cloud/", files=files)
    assert parts_of(sent.headers["content-type"], sent.read()) == {name: content, "request-0": b"{}\r\n"}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ('Multipart/Form-Data; charset=utf-8; boundary="mark"', form(part("a"))),
        (KIND, b"preamble\r\n" + form(part("a"), end="--mark--") + b"\r\nepilogue"),
        (KIND, form("Content-Type: text/plain\r\ncontent-disposition: form-data; name=a\r\n\r\nx")),
        (KIND, form(part("a", "old"), part("a"))),
        (KIND, form(*(part("a") for _ in range(6)))),
    ],
)
def test_form_of_another_look_is_read_too(kind: str, body: bytes) -> None:
    assert parts_of(kind, body) == {"a": b"x"}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", form(part("a"))),
        (KIND, b""),
        (KIND, b"--mark"),
        (KIND, b"--"),
        (KIND, form(part("a"), end="")),
        (KIND, form(part("a"), end="--mark-")),
        (KIND, form(*(part("a") for _ in range(7)))),
        (KIND, b"--mark\r\n" * 100_000),
        (KIND, form("Content-Type: text/plain\r\n\r\nx")),
        (KIND, form('Content-Disposition: form-data; name="a"')),
        (KIND, form("X: " + "y" * 3000 + "\r\n" + part("a"))),
    ],
)
def test_form_that_is_broken_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(InputError, match="form"):
        parts_of(kind, body)
