"""Tables of accounts, their sessions and API tokens, of whose secrets only digests are kept; of requests."""

from __future__ import annotations

from sqlalchemy import ForeignKey, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from cloud.accounts.workspaces import HOME
from cloud.store.owned import Owned
from cloud.store.tables import Base


class AccountRow(Base):
    """A person; `key` is the name by which it is found, whatever its case.

    What it may do stands in `cloud.store.workspace_tables.MembershipRow`.
    """

    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str] = mapped_column(Text)
    created: Mapped[float]
    last_login: Mapped[float | None]


class SessionRow(Base):
    """A browser that is logged in; it ends at `expires`, or when it was not `seen` for too long.

    It is in one workspace at a time.
    """

    __tablename__ = "sessions"

    digest: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    created: Mapped[float]
    seen: Mapped[float]
    expires: Mapped[float]
    address: Mapped[str]
    browser: Mapped[str] = mapped_column(Text)
    workspace_id: Mapped[str] = mapped_column(default=HOME, server_default=HOME)


class ApiTokenRow(Owned, Base):
    """A token of a person for a program in one workspace.

    It may do no more than its `role`, nor than the person may there.
    """

    __tablename__ = "api_tokens"

    id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    role: Mapped[str]
    created: Mapped[float]
    expires: Mapped[float | None]
    seen: Mapped[float | None]


class AnsweredRow(Base):
    """What a request with an Idempotency-Key was answered; `digest` is of caller, address and key.

    `status` is null until the answer is there. `body_sha256` is of the request, so that the key of another
    one is found out.
    """

    __tablename__ = "answered_requests"

    digest: Mapped[str] = mapped_column(primary_key=True)
    body_sha256: Mapped[str]
    created: Mapped[float] = mapped_column(index=True)
    status: Mapped[int | None]
    content_type: Mapped[str | None]
    location: Mapped[str | None]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
