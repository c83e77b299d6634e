"""Accounts of devices at a Mosquitto with the dynamic security plugin: each may speak for itself only.

A device gets a name, a password and a client id of its own; with its password other client ids are refused.
Its role lets it publish and subscribe under its own topics. Taking the account ends its connection at once.
"""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from cloud.ingest.broker import BrokerAddress
from cloud.settings import Settings
from edge_agent.errors import ConfigError, LinkError
from edge_agent.wire.sync import MqttAccess
from edge_agent.wire.topics import DEFAULT_DISCOVERY_PREFIX, DEFAULT_PREFIX

_LOG = logging.getLogger(__name__)
_CONTROL: Final = "$CONTROL/dynamic-security/v1"
_ANSWER_S: Final = 5.0
_EXISTS: Final = "already exists"
_UNKNOWN: Final = "not found"
CLOUD_ROLE: Final = "elfowl-cloud"

Command = dict[str, Any]
Ask = Callable[[Sequence[Command]], list[Command]]
"""Sends commands to the broker; returns the answer to each, with an `error` where it was not obeyed."""


class Accounts(Protocol):
    """Who may connect to the broker."""

    def prepare(self) -> None:
        """Get the broker ready; may be called again."""
        ...

    def give(self, device: str, access: MqttAccess) -> MqttAccess:
        """Give a device an account, with a new password if it has one; return how it reaches the broker."""
        ...

    def take(self, device: str) -> None:
        """Take the account of a device; a connection that it has ends."""
        ...


class OpenDoor:
    """A broker that elfowl does not manage: all devices use what the settings say."""

    def prepare(self) -> None:
        """Do nothing."""

    def give(self, _device: str, access: MqttAccess) -> MqttAccess:
        """Return what the settings say."""
        return access

    def take(self, _device: str) -> None:
        """Do nothing: there is no account."""


class DynamicSecurity:
    """Accounts kept by Mosquitto's dynamic security plugin.

    Args:
        ask: Sends commands to it.
        admin: The name under which the cloud itself connects.
    """

    def __init__(self, ask: Ask, admin: str) -> None:
        self._ask = ask
        self._admin = admin

    def prepare(self) -> None:
        """Deny what no role allows, and let the cloud talk to devices.

        Raises:
            LinkError: The broker cannot be reached, or has no dynamic security.
        """
        self._obeyed([denies_by_default(), cloud_role()], tolerated=_EXISTS)
        if CLOUD_ROLE in self._own_roles():
            return
        with contextlib.suppress(LinkError):
            # Whose roles change is disconnected, before the answer comes.
            self._ask([{"command": "addClientRole", "username": self._admin, "rolename": CLOUD_ROLE}])
        if CLOUD_ROLE not in self._own_roles():
            message = f"the MQTT broker does not give {self._admin!r} the role {CLOUD_ROLE}"
            raise LinkError(message)

    def give(self, device: str, access: MqttAccess) -> MqttAccess:
        """Give a device an account, with a new password if it has one; return how it reaches the broker.

        Raises:
            LinkError: The broker cannot be reached, or refused.
        """
        password = secrets.token_urlsafe(24)
        self.take(device)
        self._obeyed([device_role(device), device_account(device, password)])
        return access.model_copy(update={"username": device, "password": password, "client_id": device})

    def take(self, device: str) -> None:
        """Take the account of a device; a connection that it has ends.

        Raises:
            LinkError: The broker cannot be reached, or refused.
        """
        gone = [
            {"command": "disableClient", "username": device},
            {"command": "deleteClient", "username": device},
            {"command": "deleteRole", "rolename": role_of(device)},
        ]
        self._obeyed(gone, tolerated=_UNKNOWN)

    def _obeyed(self, commands: Sequence[Command], tolerated: str | None = None) -> None:
        for command, answer in zip(commands, self._ask(commands), strict=True):
            error = answer.get("error")
            if error is not None and (tolerated is None or tolerated not in error.lower()):
                message = f"the MQTT broker refused {command['command']}: {error}"
                raise LinkError(message)

    def _own_roles(self) -> set[str]:
        (answer,) = self._ask([{"command": "getClient", "username": self._admin}])
        roles = answer.get("data", {}).get("client", {}).get("roles", [])
        return {str(role.get("rolename")) for role in roles}


def choose_accounts(settings: Settings, address: BrokerAddress) -> Accounts:
    """Return who keeps the accounts of devices.

    Raises:
        ConfigError: The settings ask for accounts without naming the broker and its administrator.
    """
    if settings.broker_accounts == "none":
        return OpenDoor()
    if address.username is None:
        message = "ELFOWL_BROKER_ACCOUNTS=dynsec needs --broker mqtts://ADMIN:PASSWORD@HOST"
        raise ConfigError(message)
    return DynamicSecurity(asking(address), address.username)


def role_of(device: str) -> str:
    """Return the name of a device's role."""
    return f"device-{device}"


def denies_by_default() -> Command:
    """Return the command that denies what no role allows."""
    kinds = {
        "publishClientSend": False,
        "publishClientReceive": False,
        "subscribe": False,
        "unsubscribe": True,
    }
    acls = [{"acltype": kind, "allow": allow} for kind, allow in kinds.items()]
    return {"command": "setDefaultACLAccess", "acls": acls}


def cloud_role(prefix: str = DEFAULT_PREFIX) -> Command:
    """Return the command that makes the cloud's own role: hears every device, answers under `down`."""
    rows = [
        _row("publishClientSend", f"{prefix}/+/down/#"),
        _row("publishClientReceive", f"{prefix}/#"),
        _row("subscribePattern", f"{prefix}/#"),
    ]
    return {"command": "createRole", "rolename": CLOUD_ROLE, "acls": rows}


def device_role(
    device: str, prefix: str = DEFAULT_PREFIX, discovery: str = DEFAULT_DISCOVERY_PREFIX
) -> Command:
    """Return the command that makes the role of a device: its own topics, and no other's."""
    own = f"{prefix}/{device}/#"
    rows = [
        _row("publishClientSend", f"{prefix}/{device}/down/#", allow=False, priority=10),
        _row("publishClientSend", own),
        _row("publishClientSend", f"{discovery}/+/{device}/#"),
        *(_row(kind, topic) for topic in (own, f"{discovery}/status") for kind in _HEARS),
    ]
    return {"command": "createRole", "rolename": role_of(device), "acls": rows}


def device_account(device: str, password: str) -> Command:
    """Return the command that makes the account of a device; its client id is bound to it."""
    return {
        "command": "createClient",
        "username": device,
        "password": password,
        "clientid": device,
        "roles": [{"rolename": role_of(device)}],
    }


_HEARS = ("publishClientReceive", "subscribePattern")


def _row(kind: str, topic: str, *, allow: bool = True, priority: int = 0) -> dict[str, object]:
    return {"acltype": kind, "topic": topic, "allow": allow, "priority": priority}


def asking(address: BrokerAddress) -> Ask:
    """Return what sends commands to the plugin of a broker, each time over a connection of its own."""

    def ask(commands: Sequence[Command]) -> list[Command]:
        return _Call(address).ask(commands)

    return ask


class _Call:
    """One question to the plugin."""

    def __init__(self, address: BrokerAddress) -> None:
        self._address = address
        self._ready, self._answered = threading.Event(), threading.Event()
        self._answer: dict[str, Any] = {}
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{_CONTROL}/response", 1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._hear
        if address.username is not None:
            self._client.username_pw_set(address.username, address.password)
        if address.tls:
            self._client.tls_set()

    def ask(self, commands: Sequence[Command]) -> list[Command]:
        where = f"{self._address.host}:{self._address.port}"
        try:
            self._client.connect(self._address.host, self._address.port, keepalive=15)
        except OSError as error:
            message = f"the MQTT broker {where} cannot be reached: {error}"
            raise LinkError(message) from error
        self._client.loop_start()
        try:
            if self._ready.wait(_ANSWER_S):
                self._client.publish(_CONTROL, json.dumps({"commands": list(commands)}), qos=1)
                self._answered.wait(_ANSWER_S)
        finally:
            self._client.disconnect()
            self._client.loop_stop()
        answers = self._answer.get("responses", [])
        if len(answers) != len(commands):
            message = f"the MQTT broker {where} does not answer as one with dynamic security"
            raise LinkError(message)
        return list(answers)

    def _hear(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        try:
            self._answer = json.loads(bytes(message.payload))
        except ValueError:
            _LOG.warning("the answer of the MQTT broker is not JSON")
        self._answered.set()
