"""The first accounts of a broker that elfowl starts by itself: the cloud's own, and one for what is at home.

Mosquitto's dynamic security plugin keeps accounts in a file of its own, which is made here once; from then on
the plugin writes it. Passwords are made here too, and lie beside it for the owner of the home folder only.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cloud.store.files import write_file
from edge_agent.errors import ConfigError, StorageError

CLOUD: Final = "elfowl-cloud"
HOME: Final = "home"
_PLUGINS: Final = ("/usr/lib", "/usr/local/lib", "/opt/homebrew/lib", "/usr/lib64")
_ITERATIONS: Final = 1000
_SALT_BYTES: Final = 12


def find_plugin() -> Path:
    """Return where Mosquitto's plugin lies.

    Raises:
        ConfigError: It is not installed.
    """
    name = "mosquitto_dynamic_security.so"
    found = (
        path for folder in _PLUGINS for place in (name, f"*/{name}") for path in Path(folder).glob(place)
    )
    plugin = next(found, None)
    if plugin is None:
        message = (
            f"ELFOWL_BROKER_ACCOUNTS=dynsec needs Mosquitto's plugin {name}, which is not installed; "
            "install Mosquitto 2, or leave the setting away"
        )
        raise ConfigError(message)
    return plugin


def make_accounts(folder: Path) -> tuple[Path, str]:
    """Return the plugin's file, made if it is not there, and the password of the cloud's own account.

    Raises:
        StorageError: The disk is full or read-only.
    """
    file = folder / "dynamic-security.json"
    passwords = {name: _password(folder / f"{name}-password") for name in (CLOUD, HOME)}
    if not file.is_file():
        salts = {name: secrets.token_bytes(_SALT_BYTES) for name in passwords}
        write_file(file, json.dumps(first_accounts(passwords, salts), indent=2).encode())
        file.chmod(0o600)
    return file, passwords[CLOUD]


def first_accounts(passwords: Mapping[str, str], salts: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the plugin's document: the cloud administers, `home` hears all but does not speak for others."""
    roles = {CLOUD: "admin", HOME: HOME}
    denied = ("publishClientSend", "publishClientReceive", "subscribe")
    names = passwords.items()
    return {
        "defaultACLAccess": {**dict.fromkeys(denied, False), "unsubscribe": True},
        "clients": [_client(name, password, salts[name], roles[name]) for name, password in names],
        "groups": [],
        "roles": [
            {"rolename": "admin", "acls": [_row(kind, "$CONTROL/dynamic-security/#") for kind in _KINDS]},
            {"rolename": HOME, "acls": [*(_row(kind, "#") for kind in _KINDS), *_NOT_AT_HOME]},
        ],
    }


def _client(name: str, password: str, salt: bytes, role: str) -> dict[str, Any]:
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return {
        "username": name,
        "password": base64.b64encode(digest).decode(),
        "salt": base64.b64encode(salt).decode(),
        "iterations": _ITERATIONS,
        "roles": [{"rolename": role}],
    }


def _row(kind: str, topic: str, *, allow: bool = True, priority: int = 0) -> dict[str, object]:
    return {"acltype": kind, "topic": topic, "allow": allow, "priority": priority}


_KINDS: Final = ("publishClientSend", "publishClientReceive", "subscribePattern")
_NOT_AT_HOME: Final = tuple(
    _row("publishClientSend", topic, allow=False, priority=10) for topic in ("+/+/up/#", "+/+/down/#")
)


def _password(path: Path) -> str:
    """Return what is in a file for its owner only; it is made at the first call."""
    try:
        if path.is_file():
            return path.read_text().strip()
        path.parent.mkdir(parents=True, exist_ok=True)
        password = secrets.token_urlsafe(24)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(password + "\n")
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise StorageError(message) from error
    return password
