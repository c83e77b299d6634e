"""Every subnet that there is: those that come with elfowl, and those that users added."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from cloud.errors import InputError, NotFoundError
from cloud.settings import settings_from
from cloud.subnets.manifest import SubnetManifest, read_manifest

MANIFEST_FILE = "manifest.yaml"

_LIBRARY = Path(__file__).parent / "library"


@cache
def built_in() -> tuple[SubnetManifest, ...]:
    """Return the subnets that come with elfowl, by name."""
    return tuple(read_manifest(path) for path in sorted(_LIBRARY.glob("*.yaml")))


def subnets_path(home: Path) -> Path:
    """Return the folder of the subnets that users added."""
    return home / "subnets"


def look_in(home: Path) -> None:
    """Look for subnets in this home folder too, wherever none is named.

    A process that opens another home than the environment's says so once. Subnets are found by the digest of
    what they are, so that looking in more places cannot give another answer.
    """
    _opened.setdefault(home)


_opened: dict[Path, None] = {}


def all_subnets(home: Path | None = None) -> tuple[SubnetManifest, ...]:
    """Return all subnets, those of elfowl first.

    Args:
        home: The home folder that the user's subnets lie in; none = that of the environment, and those that
            `look_in` was told.

    Raises:
        InputError: A manifest in the home folder is damaged.
    """
    homes = [home] if home else [settings_from().home, *_opened]
    found = {
        path: read_manifest(path)
        for one in homes
        for path in sorted(subnets_path(one).glob(f"[!.]*/{MANIFEST_FILE}"))
    }
    return built_in() + tuple(found.values())


def subnet_by_name(name: str, home: Path | None = None) -> SubnetManifest:
    """Return the subnet of this name.

    Raises:
        NotFoundError: There is none.
    """
    for subnet in built_in():
        if subnet.name == name:
            return subnet
    for subnet in all_subnets(home):
        if subnet.name == name:
            return subnet
    known = ", ".join(subnet.name for subnet in all_subnets(home))
    message = f"there is no subnet {name!r}; there are {known}"
    raise NotFoundError(message)


def subnet_by_digest(sha256: str, home: Path | None = None) -> SubnetManifest:
    """Return the subnet whose weights have this digest.

    Raises:
        InputError: This elfowl does not have it.
    """
    for subnet in built_in():
        if subnet.sha256 == sha256:
            return subnet
    for subnet in all_subnets(home):
        if subnet.sha256 == sha256:
            return subnet
    known = ", ".join(f"{subnet.name} ({subnet.sha256[:8]})" for subnet in all_subnets(home))
    message = f"the detector builds on subnet {sha256[:8]}, which this elfowl lacks; it has {known}"
    raise InputError(message)
