"""The base install is the camera's: alone in an environment of its own, it has no torch and no web server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import importlib.metadata, sys
import edge_agent.main, edge_agent.agent.runner, edge_agent.pipeline.detect, edge_agent.runtime.litert
from edge_agent.starter.location import starter_bundle_path
from edge_agent.pipeline.detect import BundleDetector
import numpy
BundleDetector.open(starter_bundle_path()).detect(numpy.zeros((240, 320, 3), numpy.uint8))
installed = {d.metadata["Name"].lower() for d in importlib.metadata.distributions()}
loaded = {m.split(".")[0] for m in sys.modules}
heavy = {"torch", "fastapi", "starlette", "sqlalchemy", "onnx", "jax", "tensorflow", "onnxruntime"}
print("installed:", *sorted(heavy & installed))
print("loaded:", *sorted(heavy & loaded))
"""


def _run(*command: str | Path, cwd: Path) -> str:
    words = list(map(str, command))
    done = subprocess.run(words, capture_output=True, text=True, timeout=280, cwd=cwd, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.system
def test_base_install_with_litert_alone_runs_the_starter_without_torch_or_web_server(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    _run(sys.executable, "-m", "venv", venv, cwd=tmp_path)
    # From a wheel, as a camera gets it: an editable install would hide files that are missing in the package.
    _run(
        venv / "bin" / "pip", "install", "-q", "-c", ROOT / "constraints.txt", f"{ROOT}[litert]", cwd=tmp_path
    )
    report = _run(venv / "bin" / "python", "-c", SCRIPT, cwd=tmp_path)
    assert report.splitlines() == ["installed:", "loaded:"]
    help_text = _run(venv / "bin" / "elfowl-agent", "--help", cwd=tmp_path)
    assert "try" in help_text
