"""The device profiles that come with elfowl: YAML files of the package `firmware_configs`."""

from __future__ import annotations

import difflib
from importlib import resources

import yaml
from pydantic import ValidationError

from edge_agent.errors import ConfigError
from edge_agent.wire.profile import DeviceProfile

_PACKAGE = "firmware_configs"
_SUFFIX = ".yaml"


def profile_names() -> tuple[str, ...]:
    """Return the names of all profiles, sorted."""
    names = (entry.name for entry in resources.files(_PACKAGE).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def load_profile(name: str) -> DeviceProfile:
    """Read one profile.

    Args:
        name: For example `pi-4`.

    Raises:
        ConfigError: There is no such profile (the text lists all, nearest first), or its file is wrong.
    """
    known = profile_names()
    if name not in known:
        nearest = difflib.get_close_matches(name.lower(), known, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
        message = f"no device profile {name!r}{hint} Known profiles: {', '.join(known)}"
        raise ConfigError(message)
    text = resources.files(_PACKAGE).joinpath(name + _SUFFIX).read_text("utf-8")
    profile = parse_profile(text, where=name + _SUFFIX)
    if profile.name != name:
        message = f"{name}{_SUFFIX} names itself {profile.name!r}: name and file must be the same"
        raise ConfigError(message)
    return profile


def parse_profile(text: str, where: str) -> DeviceProfile:
    """Check a profile's YAML.

    Args:
        text: The YAML document.
        where: Its file name, for the error.

    Raises:
        ConfigError: It is no YAML, or does not match `DeviceProfile`.
    """
    try:
        return DeviceProfile.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        message = f"{where} is not YAML: {' '.join(str(error).split())}"
        raise ConfigError(message) from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        message = f"{where}: {field}: {first['msg']}"
        raise ConfigError(message) from error
