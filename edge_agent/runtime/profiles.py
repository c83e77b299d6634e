"""The device profiles that come with elfowl: YAML files of the package `firmware_configs`; and users' own."""

from __future__ import annotations

import difflib
from importlib import resources
from pathlib import Path

from edge_agent.errors import ConfigError
from edge_agent.strict_yaml import parse_strictly, read_yaml_text
from edge_agent.wire.profile import DeviceProfile

_PACKAGE = "firmware_configs"
_SUFFIX = ".yaml"
_SMALL_BYTES = 160_000_000


def profile_names() -> tuple[str, ...]:
    """Return the names of all profiles, sorted."""
    names = (entry.name for entry in resources.files(_PACKAGE).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def load_profile(name: str) -> DeviceProfile:
    """Read one profile that comes with elfowl; safe for names that strangers send.

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


def find_profile(reference: str) -> DeviceProfile:
    """Read a profile by its name, or a user's own from a file; only for what the user of this machine writes.

    Args:
        reference: A known name, or the path of a `.yaml` file.

    Raises:
        ConfigError: There is no such profile or file, or it is wrong; a file's error names the line.
    """
    if not is_profile_file(reference):
        return load_profile(reference)
    path = Path(reference)
    return parse_profile(read_yaml_text(path, "a device profile"), where=str(path))


def is_small(ram_for_us_bytes: int) -> bool:
    """Return whether a device has so little memory that the agent does without what only saves milliseconds.

    Args:
        ram_for_us_bytes: What its profile allows; 0: nobody knows.
    """
    return 0 < ram_for_us_bytes <= _SMALL_BYTES


def is_profile_file(reference: str) -> bool:
    """Return whether a reference means a file rather than a known profile."""
    return reference.endswith(_SUFFIX)


def parse_profile(text: str, where: str) -> DeviceProfile:
    """Check a profile's YAML.

    Args:
        text: The YAML document.
        where: Its file name, for the error.

    Raises:
        ConfigError: It is no YAML, or does not match `DeviceProfile`; names line and cure.
    """
    return parse_strictly(DeviceProfile, text, where, first_line="schema: 1")
