"""Joining the cloud that the config file names, as soon as it can be reached."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import httpx

from edge_agent.agent.device import agent_version, arch
from edge_agent.config import AgentConfig, CloudConfig
from edge_agent.errors import ConfigError, ElfowlError
from edge_agent.update.enrol import DeviceFacts, enrol
from edge_agent.update.identity import Identity, load_identity

_log = logging.getLogger(__name__)

_RETRY_S = 15.0


def known_identity(config: AgentConfig) -> Identity | None:
    """Return who this device is at its cloud; none when it has no cloud, or did not join it yet.

    Raises:
        ConfigError: What is stored is damaged.
        StorageError: It cannot be read.
    """
    if config.cloud is None:
        return None
    identity = load_identity(config.state_dir)
    if identity is not None and _other_cloud(identity, config.cloud):
        if config.cloud.read_token() is not None:
            return None
        _log.warning(
            "enrolled at %s, but the config names %s; give an enrol_token to change over",
            identity.enrolment.cloud_url, config.cloud.url,
        )  # fmt: skip
    return identity


def join(config: AgentConfig, http: httpx.Client) -> Identity:
    """Enrol with the token of the config file.

    Raises:
        ConfigError: There is no token, or the cloud refused it.
        LinkError: The cloud cannot be reached.
        ProtocolError: What answers is no elfowl cloud.
        StorageError: The disk is full or read-only.
    """
    cloud = config.cloud
    token = cloud.read_token() if cloud is not None else None
    if cloud is None or token is None:
        message = "not enrolled: make a token in the portal (Devices), then run: elfowl-agent enrol"
        raise ConfigError(message)
    facts = DeviceFacts(config.device, config.profile, arch(), agent_version())
    return enrol(cloud.url, token, facts, config.state_dir, client=http)


class Joiner:
    """Tries to join again and again, in a thread, while the camera runs by itself."""

    def __init__(self, config: AgentConfig, http: httpx.Client, on_joined: Callable[[], None]) -> None:
        """Prepare; `start` begins, and `on_joined` is called once."""
        self._config = config
        self._http = http
        self._on_joined = on_joined
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="joiner", daemon=True)

    def start(self) -> None:
        """Begin to try."""
        self._thread.start()

    def stop(self) -> None:
        """Stop trying."""
        self._stopping.set()

    def _run(self) -> None:
        said = ""
        while not self._stopping.wait(_RETRY_S if said else 0.0):
            try:
                join(self._config, self._http)
            except ElfowlError as error:
                if str(error) != said:
                    _log.warning("%s", error)
                said = str(error)
            else:
                self._on_joined()
                return


def _other_cloud(identity: Identity, cloud: CloudConfig) -> bool:
    return identity.enrolment.cloud_url.rstrip("/") != cloud.url.rstrip("/")
