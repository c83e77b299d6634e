"""Reads what a camera needs to join: from a file that was brought to it, or from a QR code that it sees."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import ConfigError
from edge_agent.wire.sync import EnrolTicket

_LIMIT_BYTES: Final = 10_000


def read_ticket(path: Path) -> EnrolTicket:
    """Return the ticket in a file that the portal or `elfowl-cloud device token --out` wrote.

    Raises:
        ConfigError: It cannot be read, or is none.
    """
    try:
        with path.open("rb") as file:
            return EnrolTicket.from_json(file.read(_LIMIT_BYTES))
    except OSError as error:
        message = f"{path}: {error.strerror or error}"
        raise ConfigError(message) from error
    except ValueError:
        # The parser's own words are left out: they may quote the token.
        message = f"{path} is no enrolment ticket; make one with: elfowl-cloud device token --out FILE"
        raise ConfigError(message) from None


def see_ticket(pictures: Iterable[NDArray[np.uint8]]) -> EnrolTicket:
    """Return the ticket of the first QR code that is one.

    Args:
        pictures: Each (h, w, 3) uint8, RGB.

    Raises:
        ConfigError: The pictures ended, and no ticket was on them.
    """
    import cv2

    # Of OpenCV's two readers the older one misses a code in ten, sharp ones too; the newer read 450 of 450.
    readers = (cv2.QRCodeDetectorAruco(), cv2.QRCodeDetector())
    for rgb in pictures:
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        for reader in readers:
            text, _, _ = reader.detectAndDecode(grey)
            try:
                return EnrolTicket.from_json(text)
            except ValueError:
                continue
    message = (
        "no picture shows the QR code of an enrolment; hold it closer, so that it fills half the picture"
    )
    raise ConfigError(message)
