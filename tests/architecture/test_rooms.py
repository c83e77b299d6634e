"""The rules of the rooms that a linter does not know."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("edge_agent", "compress", "cloud", "firmware_configs", "bench")
MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
BANNED_NAMES = {"utils.py", "helpers.py", "common.py", "manager.py", "misc.py"}
MOST_LINES = 450


def test_modules_are_found() -> None:
    assert len(MODULES) > 40


def test_package_inits_hold_a_docstring_and_nothing_else() -> None:
    inits = [path for path in MODULES if path.name == "__init__.py"]
    assert [str(path.relative_to(ROOT)) for path in inits if not _is_docstring_alone(path)] == []


def test_modules_have_telling_names() -> None:
    assert [str(path.relative_to(ROOT)) for path in MODULES if path.name in BANNED_NAMES] == []


def test_modules_fit_a_head() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert [str(f) for f in folders if not (f / "__init__.py").is_file()] == []


def _is_docstring_alone(path: Path) -> bool:
    body = ast.parse(path.read_text()).body
    return len(body) == 1 and isinstance(body[0], ast.Expr)
