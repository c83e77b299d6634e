"""Chooses between the home folder and a running cloud."""

from __future__ import annotations

from pathlib import Path

from cloud.commands.backend import Backend
from cloud.commands.local import LocalCloud
from cloud.commands.options import read_settings
from edge_agent.clock import SystemClock


def connect(home: Path | None, url: str | None, token: str | None = None) -> Backend:
    """Return what `--url` names, else the home folder.

    Raises:
        ConfigError: A setting is wrong.
        StorageError: The home folder cannot be used.
    """
    if url is None:
        return local(home)
    from cloud.client import CloudClient
    from cloud.commands.remote import RemoteCloud

    return RemoteCloud(CloudClient(url, token=token), SystemClock())


def local(home: Path | None) -> LocalCloud:
    """Return the home folder.

    Raises:
        ConfigError: A setting is wrong.
        StorageError: The home folder cannot be used.
    """
    return LocalCloud(read_settings(home))
