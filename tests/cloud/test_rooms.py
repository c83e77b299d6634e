"""docs/architecture.md names every room and module of the cloud, and none that is gone."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_architecture_names_exactly_the_rooms_that_there_are() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text()
    table = text.partition("## cloud\n")[2]
    first_cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = {name for cell in first_cells for name in re.findall(r"`([^`]+)`", cell)}
    entries = [path for path in (REPOSITORY / "cloud").iterdir() if not path.name.startswith(("_", "."))]
    there = {path.name for path in entries if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert named == there
