"""Makes a package: what `elfowl-agent package` does."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edge_agent.packaging.folder import write_package
from edge_agent.packaging.request import PackageRequest, read_order
from edge_agent.packaging.templates import render


def make_package(request: PackageRequest) -> tuple[Path, ...]:
    """Write the package and return its files; the same request gives the same bytes.

    Raises:
        ConfigError: Something in the request is wrong, or a foreign file is in the way.
        StorageError: The folder cannot be written.
    """
    return write_package(request.out, render(read_order(request), _version()))


def _version() -> str:
    try:
        return version("elfowl")
    except PackageNotFoundError:
        return "0.0.0"
