"""What a fresh interpreter loads: import-linter does not look inside third-party packages, so this does."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"torch", "fastapi", "starlette", "sqlalchemy", "onnx", "tensorflow", "jax"}
CASES = {
    "edge_agent.main": HEAVY | {"cloud", "compress", "onnxruntime", "ai_edge_litert"},
    "edge_agent.cli": HEAVY | {"cloud", "compress", "av", "cv2", "tuf"},
    "cloud.app": {"torch", "compress", "onnx", "jax", "litert_torch"},
    "cloud.cli": HEAVY | {"litert_torch", "dbos", "alembic", "av", "cv2"},
    "cloud.commands.watching": {"torch", "fastapi", "dbos", "alembic", "av", "cv2"},
    "cloud.streams.worker": {"torch", "fastapi", "dbos", "alembic"},
    "compress.cli": {"torch", "cloud", "litert_torch", "jax"},
}


@pytest.mark.slow
@pytest.mark.parametrize("module", CASES)
def test_module_in_a_fresh_interpreter_loads_nothing_heavy(module: str) -> None:
    script = f"import {module}, sys; print(*sorted(m.split('.')[0] for m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not CASES[module] & set(done.stdout.split())
