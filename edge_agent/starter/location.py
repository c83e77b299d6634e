"""Where the starter bundle lies."""

from __future__ import annotations

from pathlib import Path

from edge_agent.errors import ConfigError


def starter_bundle_path() -> Path:
    """Return the starter bundle's zip: a small general detector that needs no training.

    Raises:
        ConfigError: It was left out of this installation.
    """
    path = Path(__file__).with_name("starter.zip")
    if not path.is_file():
        message = f"the starter bundle is missing from this installation ({path}): install elfowl again"
        raise ConfigError(message)
    return path
