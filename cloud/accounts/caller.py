"""Who calls, as the door found out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cloud.accounts.roles import Role
from cloud.accounts.workspaces import HOME

How = Literal["session", "api token", "access token", "open door"]


@dataclass(frozen=True)
class Caller:
    """Who calls and what it may do.

    `name` and `account_id` are null for whoever holds the server's access token, or came through a door that
    has no lock: no accounts; they are in the workspace `home`. `session` is the digest of the session's id.
    """

    role: Role
    how: How
    name: str | None = None
    account_id: str | None = None
    session: str | None = None
    workspace: str = HOME


OPEN_DOOR = Caller("owner", "open door")
BY_ACCESS_TOKEN = Caller("owner", "access token")
