"""Buttons "right" and "wrong" in a message, as each kind of channel can show them."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

VERDICTS = ("right", "wrong")


@dataclass(frozen=True)
class Dressed:
    """An address and a text with buttons."""

    address: str
    body: str
    form: Literal["text", "html"] = "text"


def with_buttons(address: str, body: str, link: str | None) -> Dressed:
    """Return what is sent so that people can answer.

    Args:
        address: As Apprise writes it; of ntfy, it gets the buttons.
        body: Plain text.
        link: Where answers go, none: nowhere.
    """
    if link is None:
        return Dressed(address, body)
    links = {verdict: f"{link}?verdict={verdict}" for verdict in VERDICTS}
    scheme = address.partition("://")[0].lower()
    if scheme in {"ntfy", "ntfys"} and "actions=" not in address:
        actions = "; ".join(
            f"http, {verdict.capitalize()}, {to}, method=POST, clear=true" for verdict, to in links.items()
        )
        mark = "&" if "?" in address else "?"
        return Dressed(f"{address}{mark}{urlencode({'actions': actions})}", body)
    if scheme in {"mailto", "mailtos"}:
        text = html.escape(body).replace("\n", "<br>\n")
        said = " · ".join(f'<a href="{html.escape(to)}">{verdict}</a>' for verdict, to in links.items())
        return Dressed(address, f"<p>{text}</p>\n<p>Was it {said}?</p>", "html")
    lines = [f"{verdict}: {to}" for verdict, to in links.items()]
    return Dressed(address, "\n".join([body, *lines]))
