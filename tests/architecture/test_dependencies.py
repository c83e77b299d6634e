"""What each room imports is installed with it: with that room's extra alone nothing is missing."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OWN = {"edge_agent", "cloud", "compress", "firmware_configs"}
EXTRAS = {
    "edge_agent": {"litert", "onnx", "tflite", "onvif"},
    "compress": {"compress", "tflite"},
    "cloud": {"cloud", "cluster", "broker", "litert"},
}
"""What may be installed with a room; of its optional extras each use is behind a check of its own."""

PARTS_OF = {
    "anyio": "httpx",
    "markupsafe": "jinja2",
    "protobuf": "onnx",
    "pydantic-core": "pydantic",
    "starlette": "fastapi",
}
"""What a package always brings along and speaks in."""


@pytest.mark.parametrize("room", EXTRAS)
def test_packages_that_a_room_imports_are_among_its_dependencies(room: str) -> None:
    declared, known = _declared(EXTRAS[room]), packages_distributions()
    missing = {
        f"{path.relative_to(ROOT)}: {package}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for package in _imported(path)
        if not {PARTS_OF.get(name, name) for name in map(_plain, known.get(package, [package]))} & declared
    }
    assert not missing


def _declared(extras: set[str]) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(one for extra in extras for one in project["optional-dependencies"][extra]),
    ]
    return {_plain(re.split(r"[\s<>=~!;\[]", one, maxsplit=1)[0]) for one in wanted}


def _imported(path: Path) -> Iterator[str]:
    """Yield the first name of each package of others that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names = [node.module]
        for name in names:
            package = name.partition(".")[0]
            if package not in sys.stdlib_module_names and package not in OWN:
                yield package


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
