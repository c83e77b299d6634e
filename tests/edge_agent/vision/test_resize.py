"""Pictures in other sizes: the same without OpenCV as with it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.vision.resize import by_numpy

cv2 = pytest.importorskip("cv2")
SIDES = st.integers(1, 40)


def noise(height: int, width: int) -> np.typing.NDArray[np.uint8]:
    return np.random.default_rng(height * 100 + width).integers(0, 256, (height, width, 3), np.uint8)


@given(SIDES, SIDES, st.data())
def test_by_numpy_shrinks_as_opencv_does(height: int, width: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, width)), data.draw(st.integers(1, height))
    rgb = noise(height, width)
    expected = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    assert np.abs(by_numpy(rgb, *size).astype(int) - expected).max() <= 1


@given(SIDES, SIDES, st.integers(0, 30), st.integers(0, 30))
def test_by_numpy_enlarges_as_opencv_does(height: int, width: int, more_x: int, more_y: int) -> None:
    size, rgb = (width + more_x, height + more_y), noise(height, width)
    expected = cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR)
    assert np.abs(by_numpy(rgb, *size).astype(int) - expected).max() <= 2


LEAN = """
import sys
from edge_agent.main import spare_memory
spare_memory()
import numpy as np
import edge_agent.agent.runner
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.report.snapshots import make_snapshot
from edge_agent.starter.location import starter_bundle_path
rgb = np.zeros((360, 640, 3), np.uint8)
BundleDetector.open(starter_bundle_path()).detect(rgb)
assert make_snapshot(rgb, np.array([[0.1, 0.1, 0.5, 0.5]], np.float32))[:2] == b"\\xff\\xd8"
print(*sorted({"cv2", "httpx", "tuf", "psutil", "jwt"} & {name.split(".")[0] for name in sys.modules}))
"""


@pytest.mark.slow
def test_lean_agent_looks_and_shows_without_what_takes_memory() -> None:
    done = subprocess.run([sys.executable, "-c", LEAN], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
