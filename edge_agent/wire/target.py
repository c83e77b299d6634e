"""What is signed about a bundle beside its length and digest, and how a signed kit is laid out."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from edge_agent.wire.base import Document, RelativePath, Sha256
from edge_agent.wire.sync import BundleTarget

KIT_INDEX: Final = "kit.json"
KIT_METADATA: Final = "metadata"
KIT_BUNDLE: Final = "bundle.zip"

# `?from=N` asks for a signed file from its byte N on, also through servers that take the Range header away.
# Who knows it answers 200 with `X-Elfowl-From: N`; without that header a body begins where HTTP says it does.
PART_QUERY: Final = "from"
PART_HEADER: Final = "X-Elfowl-From"


class HeadUpdateTarget(Document):
    """A small file that makes the bundle on a device that has its trunk; signed with the bundle's entry."""

    path: RelativePath
    sha256: Sha256
    length_bytes: int = Field(gt=0)
    trunk_sha256: Sha256 = Field(description="digest of the trunk's file; a bundle with it is the base")


class TargetCustom(Document):
    """What the publisher signs about a bundle: for which device, from which agent on, which release.

    It is the field `custom` of the TUF target. A device believes this, not the unsigned desired state.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    profile: str
    min_agent_version: str = "0.1.0"
    release: int = Field(ge=1, description="grows with each publication of the repository")
    detector_id: str
    detector_name: str
    detector_version: int = Field(ge=1)
    head_update: HeadUpdateTarget | None = Field(None, description="none: only the whole bundle is offered")


class KitIndex(Document):
    """`kit.json` of a signed kit: a zip that installs one bundle on a device without any cloud.

    Beside it are `metadata/<n>.root.json` (every root, oldest first), `metadata/targets.json` (which keys may
    sign bundles), `metadata/<bin_role>.json` (the signed entry of the bundle) and `bundle.zip`.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    target: BundleTarget
    bin_role: str = Field(pattern=r"^[a-z]{1,16}-[0-9a-f]{1,8}$")
