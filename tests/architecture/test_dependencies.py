"""What each room imports is installed with it: with that room's extra alone nothing is missing."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OWN = {"edge_agent", "cloud", "compress", "firmware_configs"}
EXTRAS = {
    "edge_agent": {"litert", "onnx", "tflite", "onvif"},
    "compress": {"compress", "tflite"},
    "cloud": {"cloud", "cluster", "broker"},
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
        for path in _modules(room)
        for package in _others(path)
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


def _modules(room: str) -> list[Path]:
    """Return the modules of a room, and those of other rooms that they load, wherever that is asked for."""
    found: list[Path] = []
    waiting = sorted((ROOT / room).rglob("*.py"))
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.append(path)
            names = {name for name in _imported(path) if name.partition(".")[0] in OWN}
            files = {ROOT / f"{name.replace('.', '/')}.py" for name in names}
            waiting += [file for file in files if file.is_file()]
    return found


def _others(path: Path) -> set[str]:
    """Return the packages of others that a module imports."""
    packages = {name.partition(".")[0] for name in _imported(path)}
    return packages - OWN - sys.stdlib_module_names


@cache
def _imported(path: Path) -> frozenset[str]:
    """Return the full name of each module that a module imports, wherever in it."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    parts = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return frozenset(plain | {name for name in parts if name})


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
