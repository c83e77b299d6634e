"""Configuration files of the brokers that elfowl starts by itself; pure.

Both listen on loopback only. They let everybody on this machine in, unless Mosquitto is to keep accounts;
whoever needs more runs a broker of their own and names it with `--broker`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_MAX_PACKET_BYTES = 4_194_304
# Mosquitto writes its state after this many changes; acknowledged events do not depend on it.
_CHANGES_PER_SAVE = 10
# What waits for one client, at most; what finds no room is not acknowledged by the cloud and comes again.
_MAX_QUEUED = 10_000
_MAX_QUEUED_BYTES = 268_435_456


@dataclass(frozen=True)
class AccountsPlugin:
    """Mosquitto's dynamic security plugin, and the file in which it keeps accounts."""

    plugin: Path
    file: Path


def mosquitto_config(port: int, folder: Path, user: str, accounts: AccountsPlugin | None = None) -> str:
    """Return the configuration of Mosquitto; it keeps retained states and sessions in `folder`.

    Args:
        port: Where it listens, on loopback.
        folder: Its own.
        user: As whom it runs.
        accounts: Who may come in; none: everybody on this machine.
    """
    door = (
        "allow_anonymous true"
        if accounts is None
        else f"allow_anonymous false\nplugin {accounts.plugin}\nplugin_opt_config_file {accounts.file}"
    )
    return f"""\
listener {port} 127.0.0.1
{door}
user {user}
persistence true
persistence_location {folder}/
autosave_on_changes true
autosave_interval {_CHANGES_PER_SAVE}
max_packet_size {_MAX_PACKET_BYTES}
max_queued_messages {_MAX_QUEUED}
max_queued_bytes {_MAX_QUEUED_BYTES}
log_dest stderr
log_type error
log_type warning
"""


def iotcore_config(port: int) -> str:
    """Return the configuration of rumqttd; it forgets all at its end, and agents publish again."""
    return f"""\
id = 0

[router]
id = 0
max_connections = 2000
max_outgoing_packet_count = 200
max_segment_size = 16777216
max_segment_count = 10

[v4.1]
name = "v4"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1

[v4.1.connections]
connection_timeout_ms = 60000
max_payload_size = {_MAX_PACKET_BYTES}
max_inflight_count = 100
dynamic_filters = true
"""
