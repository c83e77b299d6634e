"""What a table has whose rows belong to a workspace by themselves."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from cloud.accounts.workspaces import HOME


class Owned:
    """What belongs to a workspace by itself; see `cloud.store.scope`, which sets and compares it."""

    workspace_id: Mapped[str] = mapped_column(default=HOME, server_default=HOME)
