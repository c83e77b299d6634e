"""Ids of things that the cloud makes."""

from __future__ import annotations

import secrets


def new_id(prefix: str) -> str:
    """Return a fresh id such as `det_3f9a0c1b2d4e`; safe in paths, URLs and MQTT topics."""
    return f"{prefix}_{secrets.token_hex(6)}"
