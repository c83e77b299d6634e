"""Shows what a camera needs to join as a QR code: a picture for the portal, blocks for a terminal."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from edge_agent.wire.sync import EnrolTicket

_QUIET = 4
"""Light modules around the code; readers need them."""


def ticket_for(cloud_url: str, token: str, root_json: str) -> EnrolTicket:
    """Return the ticket of a token; it pins the root of trust that the cloud serves now."""
    return EnrolTicket(
        cloud=cloud_url.rstrip("/"), token=token, root_sha256=sha256(root_json.encode()).hexdigest()
    )


def qr_modules(text: str) -> NDArray[np.bool_]:
    """Return a QR code with its quiet zone, (n, n) bool, true where it is dark."""
    import cv2

    drawn = np.asarray(cv2.QRCodeEncoder.create().encode(text)) < 128
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    code = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.pad(code, _QUIET, constant_values=False)


def qr_svg(text: str) -> str:
    """Return a QR code as an SVG document of one path."""
    modules = qr_modules(text)
    path = "".join(f"M{x} {y}h1v1h-1z" for y, x in zip(*np.nonzero(modules), strict=True))
    size = modules.shape[0]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" shape-rendering="crispEdges">'
        f'<rect width="{size}" height="{size}" fill="#fff"/><path d="{path}" fill="#000"/></svg>'
    )


def qr_lines(text: str) -> list[str]:
    """Return a QR code for a terminal, two modules a character; light modules are the blocks."""
    light = ~qr_modules(text)
    if light.shape[0] % 2:
        light = np.pad(light, ((0, 1), (0, 0)), constant_values=True)
    signs = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
    pairs = zip(light[::2], light[1::2], strict=True)
    return ["".join(signs[bool(a), bool(b)] for a, b in zip(*pair, strict=True)) for pair in pairs]
