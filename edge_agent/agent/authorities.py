"""Private certificate authorities that the config file names."""

from __future__ import annotations

import ssl
from pathlib import Path

from edge_agent.config import AgentConfig
from edge_agent.errors import ConfigError


def check_authorities(config: AgentConfig) -> None:
    """See that every `ca_file` of the config file can be used.

    Raises:
        ConfigError: One cannot; names the key, the file and the cure.
    """
    sections = {"mqtt": config.mqtt, "cloud": config.cloud}
    for name, section in sections.items():
        if section is not None and section.ca_file is not None:
            check_authority(section.ca_file, f"{name}.ca_file")


def check_authority(file: Path, key: str) -> None:
    """See that a file holds certificates; `key` is what the person calls it.

    Raises:
        ConfigError: It cannot be read, or holds none.
    """
    try:
        ssl.create_default_context(cafile=file)
    except ssl.SSLError as error:
        message = f"{key}: {file} holds no certificate; name the PEM file of the authority"
        raise ConfigError(message) from error
    except OSError as error:
        message = f"{key}: {file}: {error.strerror}; name the PEM file of the authority"
        raise ConfigError(message) from error
