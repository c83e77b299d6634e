"""Where alerts go: addresses as Apprise writes them, of the kinds that are allowed here."""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol, Self

from cloud.errors import InputError
from cloud.notify.buttons import with_buttons
from edge_agent.errors import LinkError

_PICTURE_NAME = "elfowl.jpg"


@dataclass(frozen=True)
class Message:
    """What is sent; `jpeg` is the picture as it leaves, `answer` where people say whether it is right."""

    title: str
    body: str
    jpeg: bytes | None = None
    answer: str | None = None


class Channel(Protocol):
    """Sends messages to an address."""

    def send(self, address: str, message: Message) -> None:
        """Send one message.

        Raises:
            InputError: The address cannot be used; trying again does not help.
            LinkError: It did not arrive; trying again may help.
        """
        ...


class AppriseChannel:
    """Sends by Apprise; other schemes than those allowed are refused before Apprise sees them."""

    def __init__(self, schemes: Collection[str]) -> None:
        self._schemes = frozenset(schemes)

    def check(self, address: str) -> None:
        """Check an address without sending anything.

        Raises:
            InputError: Its scheme is not allowed here, or it is incomplete.
        """
        self._open(address)

    def send(self, address: str, message: Message) -> None:
        """Send one message; see `Channel`."""
        dressed = with_buttons(address, message.body, message.answer)
        sender = self._open(dressed.address)
        picture = None if message.jpeg is None else _attachment(message.jpeg)
        with _Complaints() as complaints:
            arrived = sender.notify(
                title=message.title, body=dressed.body, body_format=dressed.form, attach=picture
            )
        if not arrived:
            text = f"{masked(address)}: {complaints.last or 'it was not taken'}"
            raise LinkError(text)

    def _open(self, address: str) -> Any:  # noqa: ANN401 - Apprise ships no types
        check_scheme(address, self._schemes)
        import apprise  # noqa: PLC0415 - only who sends needs it

        found = apprise.Apprise.instantiate(address, asset=_asset(), suppress_exceptions=True)
        if found is None:
            message = f"channel {masked(address)}: the address is incomplete; see docs/alerts.md for examples"
            raise InputError(message)
        return found


def check_scheme(address: str, schemes: Collection[str]) -> None:
    """Refuse an address of a kind that is not allowed here.

    Raises:
        InputError: It is not among `schemes`.
    """
    scheme, mark, rest = address.partition("://")
    if not mark or not rest or scheme.lower() not in schemes:
        allowed = ", ".join(sorted(schemes))
        message = (
            f"channel {masked(address)}: its kind is not allowed here; allowed are {allowed} "
            "(the setting ELFOWL_ALERT_SCHEMES)"
        )
        raise InputError(message)


def masked(address: str) -> str:
    """Return an address for people to read: it may hold passwords, and a topic can be a secret too."""
    scheme, mark, _ = address.partition("://")
    return f"{scheme[:20]}://…" if mark else "…"


def _asset() -> Any:  # noqa: ANN401 - Apprise ships no types
    import apprise  # noqa: PLC0415

    # Without a mask no message names a picture elsewhere, which whoever reads it would load.
    return apprise.AppriseAsset(
        app_id="elfowl", app_desc="elfowl alerts", async_mode=False, image_url_mask="", image_url_logo=""
    )


def _attachment(jpeg: bytes) -> Any:  # noqa: ANN401 - Apprise ships no types
    """Return a picture that never lies on the disk."""
    attachment = importlib.import_module("apprise.attachment.memory")
    return attachment.AttachMemory(content=jpeg, name=_PICTURE_NAME, mimetype="image/jpeg")


class _Complaints(logging.Handler):
    """Hears what Apprise says in this thread: it tells reasons only to its log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""
        self._thread = threading.get_ident()

    def __enter__(self) -> Self:
        logging.getLogger("apprise").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("apprise").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the last reason."""
        if record.thread == self._thread:
            self.last = " ".join(record.getMessage().split())[:200]
