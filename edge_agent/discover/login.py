"""Where a camera's password comes from: a file, the environment, or who types it; never the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from edge_agent.discover.found import Login
from edge_agent.errors import ConfigError

PASSWORD_VARIABLE = "ELFOWL_CAMERA_PASSWORD"  # noqa: S105 - the name of the place where it stands
_MAX_BYTES = 1_000


def find_login(
    user: str | None, file: Path | None, environment: Mapping[str, str], ask: Callable[[str], str] | None
) -> Login | None:
    """Return who we are to cameras; none without a user.

    Args:
        user: The name.
        file: A text file with the password.
        environment: Looked at if there is no file.
        ask: Asks a person, if the environment has none either; none: nobody is there.

    Raises:
        ConfigError: There is no password to be had, or one without a user.
    """
    if user is None:
        if file is not None:
            message = "--password-file needs --user NAME"
            raise ConfigError(message)
        return None
    if file is not None:
        return Login(user, _read(file))
    if (password := environment.get(PASSWORD_VARIABLE)) is not None:
        return Login(user, password)
    if ask is None:
        message = f"no password for {user}: name --password-file FILE, or set {PASSWORD_VARIABLE}"
        raise ConfigError(message)
    return Login(user, ask(f"Password of {user}: "))


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(_MAX_BYTES).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"--password-file: {file} cannot be read: {error}; name a readable text file"
        raise ConfigError(message) from error
