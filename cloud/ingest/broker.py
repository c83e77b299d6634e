"""The MQTT broker: an existing one, or one that elfowl starts on loopback and keeps alive."""

from __future__ import annotations

import getpass
import importlib.util
import logging
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cloud.ingest.broker_config import AccountsPlugin, iotcore_config, mosquitto_config
from cloud.ingest.first_accounts import CLOUD, find_plugin, make_accounts
from cloud.processes import Supervisor, foreign, start_child
from cloud.settings import Settings
from cloud.store.files import write_file
from edge_agent.clock import Clock
from edge_agent.errors import ConfigError, LinkError

_LOG = logging.getLogger(__name__)
_LOOPBACK = "127.0.0.1"
_PORT = 1883
_TLS_PORT = 8883
_START_S = 15.0
_POLL_S = 0.05
# Debian puts Mosquitto where users without root rights do not look.
_SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"


@dataclass(frozen=True)
class BrokerAddress:
    """Where a broker listens."""

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    tls: bool = False


class Broker:
    """A broker that is there between `start` and `stop`."""

    def __init__(self, address: BrokerAddress, supervisor: Supervisor | None, kind: str) -> None:
        self.address = address
        self.kind = kind
        self._supervisor = supervisor

    @property
    def process_id(self) -> int | None:
        """Return the process id of a broker of ours."""
        return None if self._supervisor is None else self._supervisor.process_id

    def start(self, clock: Clock) -> None:
        """Start the broker, unless it is an existing one, and wait until it listens.

        Raises:
            ConfigError: It does not start.
        """
        if self._supervisor is None:
            return
        self._supervisor.start()
        deadline_s = clock.monotonic_s() + _START_S
        while clock.monotonic_s() < deadline_s:
            if is_listening(self.address):
                return
            clock.sleep(_POLL_S)
        self.stop()
        message = (
            f"the MQTT broker ({self.kind}) does not start on port {self.address.port}; its words stand above"
        )
        raise ConfigError(message)

    def stop(self) -> None:
        """End a broker of ours."""
        if self._supervisor is not None:
            self._supervisor.stop()


def choose_broker(settings: Settings, clock: Clock) -> Broker:
    """Return the broker that the settings ask for, not started yet.

    Raises:
        ConfigError: The address is wrong, the port is taken, no broker program is installed, or it is to keep
            accounts and cannot.
        StorageError: The home folder cannot be written.
    """
    if settings.broker != "auto":
        return Broker(parse_broker(settings.broker), None, "existing")
    port = _free_port() if settings.broker_port == 0 else settings.broker_port
    refuse_taken(_LOOPBACK, port, _broker_advice(port))
    folder = settings.home / "broker"
    address = BrokerAddress(_LOOPBACK, port)
    if (program := find_mosquitto()) is not None and settings.broker_accounts == "dynsec":
        plugin = find_plugin()
        file, password = make_accounts(folder)
        address = BrokerAddress(_LOOPBACK, port, CLOUD, password)
        accounts = AccountsPlugin(plugin, file)
        command, kind = _mosquitto_command(program, port, folder, accounts), "mosquitto"
    elif program is not None:
        command, kind = _mosquitto_command(program, port, folder), "mosquitto"
    elif settings.broker_accounts == "dynsec":
        message = "ELFOWL_BROKER_ACCOUNTS=dynsec needs Mosquitto 2, which is not installed"
        raise ConfigError(message)
    elif importlib.util.find_spec("iotcore") is not None:
        command, kind = _iotcore_command(port, folder), "iotcore"
    else:
        message = (
            "no MQTT broker is installed: install mosquitto, or `pip install elfowl[broker]`, "
            "or name one with --broker mqtt://HOST:PORT"
        )
        raise ConfigError(message)

    def start() -> subprocess.Popen[str]:
        return start_child(command)

    return Broker(address, Supervisor(kind, start, clock), kind)


def with_free_broker_port(settings: Settings) -> Settings:
    """Return the settings with any free port for the broker, when the one they name is taken.

    Many machines run a Mosquitto of their own on the usual port; who did not ask for a port wants it to work.
    """
    try:
        refuse_taken(_LOOPBACK, settings.broker_port, "")
    except ConfigError:
        return settings.model_copy(update={"broker_port": 0})
    return settings


def parse_broker(url: str) -> BrokerAddress:
    """Parse `mqtt://[user:password@]host[:port]`, or `mqtts://` for TLS.

    Raises:
        ConfigError: It is not of that form.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
        message = f"broker {url!r}: write 'auto' or mqtt://HOST:PORT"
        raise ConfigError(message)
    tls = parts.scheme == "mqtts"
    return BrokerAddress(
        parts.hostname, port or (_TLS_PORT if tls else _PORT), parts.username, parts.password, tls
    )


def find_mosquitto() -> str | None:
    """Return the path of an installed Mosquitto."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=_SYSTEM_FOLDERS)


def is_listening(address: BrokerAddress) -> bool:
    """Return whether something accepts connections there."""
    try:
        with socket.create_connection((address.host, address.port), timeout=1.0):
            return True
    except OSError:
        return False


def refuse_taken(host: str, port: int, advice: str) -> None:
    """Raise ConfigError when the port cannot be listened on.

    Raises:
        ConfigError: It is in use, or not allowed.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            message = f"port {port} of {host}: {error.strerror or error}; {advice}"
            raise ConfigError(message) from error


def require_reachable(address: BrokerAddress) -> None:
    """Raise LinkError when nobody listens there.

    Raises:
        LinkError: Nobody listens.
    """
    if not is_listening(address):
        message = f"no MQTT broker answers at {address.host}:{address.port}"
        raise LinkError(message)


def _broker_advice(port: int) -> str:
    return (
        f"if that is a broker, use it with --broker mqtt://{_LOOPBACK}:{port}, "
        "else choose another port with --broker-port"
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _mosquitto_command(
    program: str, port: int, folder: Path, accounts: AccountsPlugin | None = None
) -> list[str]:
    config = folder / "mosquitto.conf"
    write_file(config, mosquitto_config(port, folder, getpass.getuser(), accounts).encode())
    return foreign(program, "-c", str(config))


def _iotcore_command(port: int, folder: Path) -> list[str]:
    config = folder / "rumqttd.toml"
    write_file(config, iotcore_config(port).encode())
    return [sys.executable, "-m", "cloud.ingest.iotcore_child", str(config)]
