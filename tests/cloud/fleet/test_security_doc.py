"""The threat model: every promise names a test, and every test that it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
ROWS = [
    line
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith(("| promise", "| ---"))
]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)(?:\[([^\]]+)\])?`")


def test_every_promise_names_a_test() -> None:
    assert len(ROWS) > 40
    assert [row for row in ROWS if not NAMED.search(row)] == []


def test_every_named_test_and_case_is_there() -> None:
    missing = []
    for file, name, case in NAMED.findall(PAGE):
        text = (ROOT / file).read_text("utf-8") if (ROOT / file).is_file() else ""
        names = {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)}
        if name not in names or (case and f'"{case}":' not in text):
            missing.append(f"{file}::{name}[{case}]")
    assert missing == []
