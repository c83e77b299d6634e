"""The browser's modules in Node: their syntax, and tests of the pure ones. Users need no Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from cloud.portal.pages import STATIC_PATH

_NODE = shutil.which("node")
_TESTS = sorted(Path(__file__).parent.glob("*.test.mjs"))

pytestmark = pytest.mark.skipif(_NODE is None, reason="Node is not installed")


# One process for all: reads each module as far as its syntax, runs nothing.
_READ_ALL = """
const [fs, vm] = [require("fs"), require("vm")];
for (const path of process.argv.slice(1)) {
  try { new vm.SourceTextModule(fs.readFileSync(path, "utf-8"), { identifier: path }); }
  catch (error) { console.error(`${path}: ${error.message}`); process.exitCode = 1; }
}
"""


def _run_node(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert _NODE is not None
    return subprocess.run([_NODE, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_modules_are_read_by_node_without_a_mistake() -> None:
    modules = [str(path) for path in sorted(STATIC_PATH.glob("*.js"))]

    done = _run_node("--experimental-vm-modules", "--no-warnings", "-e", _READ_ALL, *modules)

    assert done.returncode == 0, done.stderr


def test_reader_notices_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "wrong.js").write_text('import { a } from "b";\nconst x = ;\n')

    done = _run_node(
        "--experimental-vm-modules", "--no-warnings", "-e", _READ_ALL, str(tmp_path / "wrong.js")
    )

    assert done.returncode == 1
    assert "wrong.js" in done.stderr


@pytest.mark.parametrize("tests", _TESTS, ids=lambda path: path.name)
def test_pure_modules_pass_their_own_tests(tests: Path, tmp_path: Path) -> None:
    shutil.copytree(STATIC_PATH, tmp_path / "static")
    # Node takes `.js` for modules only where a package.json says so; browsers need none.
    (tmp_path / "package.json").write_text(json.dumps({"type": "module"}))
    shutil.copy(tests, tmp_path)

    done = _run_node("--test", "--test-reporter=tap", str(tmp_path / tests.name))

    assert done.returncode == 0, done.stdout
    assert "# fail 0" in done.stdout
    assert "# pass 0" not in done.stdout
