# ruff: noqa: INP001 - one script in a container, no package
"""Starts the agent in an add-on: turns its options, and Home Assistant's broker, into a config file."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

DATA = Path("/data")
SERVICE = "http://supervisor/services/mqtt"
_TIMEOUT_S = 10.0

Json = dict[str, Any]


def agent_config(options: Json, service: Json | None) -> Json:
    """Return the agent's config.

    Args:
        options: The add-on's options.
        service: Home Assistant's own broker, if it has one.
    """
    mqtt = _broker(options, service)
    config: Json = {
        "device": options["device"],
        "profile": options["profile"],
        "state_dir": str(DATA / "state"),
        "cameras": options["cameras"],
        "mqtt": None if mqtt is None else mqtt | _some(options, discovery="discovery", compat="compat"),
        "cloud": _some(options, cloud_url="url", cloud_token="enrol_token") or None,  # noqa: S106 - a key's name
        "snapshots": {"clear": bool(options.get("clear_pictures"))},
    }
    if "cloud_url" not in options or "bundle" in options:
        # Files that it names lie in the add-on's folder in /config.
        config |= {"bundle": options.get("bundle", "starter")} | _some(options, root="root")
    return {key: value for key, value in config.items() if value is not None}


def _broker(options: Json, service: Json | None) -> Json | None:
    if options.get("mqtt_host"):
        names = {"mqtt_host": "host", "mqtt_port": "port"}
        return _some(options, **names, mqtt_username="username", mqtt_password="password")  # noqa: S106 - as above
    if service is None:
        return None
    names = {"host": "host", "port": "port", "username": "username", "ssl": "tls"}
    return _some(service, **names, password="password")  # noqa: S106 - as above


def _some(options: Json, **names: str) -> Json:
    """Return those options that are given, under other names."""
    return {to: options[name] for name, to in names.items() if options.get(name) not in {None, ""}}


def _ask_service() -> Json | None:
    token = os.environ.get("SUPERVISOR_TOKEN", "")
    request = urllib.request.Request(SERVICE, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - fixed
            data: Json = json.load(answer)["data"]
    except (urllib.error.URLError, ValueError, KeyError) as error:
        sys.stderr.write(f"Home Assistant names no MQTT broker ({error}); name one in the add-on's options\n")
        return None
    return data


def main() -> None:
    """Write the config file and become the agent."""
    config = agent_config(json.loads((DATA / "options.json").read_text()), _ask_service())
    # JSON is YAML; relative paths in it start at its folder.
    file = Path("/config") / "agent.yaml"
    file.write_text(json.dumps(config, indent=2))
    file.chmod(0o600)
    os.execvp("elfowl-agent", ["elfowl-agent", "run", "--config", str(file)])  # noqa: S606, S607 - becomes it


if __name__ == "__main__":
    main()
