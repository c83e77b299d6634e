"""Measures a bundle as a camera runs it: `python -m compress.starter.measure BUNDLE PICTURE` prints JSON.

A process of its own, so that neither torch nor the exporter counts as the camera's memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from compress.starter.photos import read_photo
from edge_agent.pipeline.detect import BundleDetector

_WARM_UP, _RUNS = 10, 200


def measure_here(bundle: Path, picture: Path) -> dict[str, float]:
    """Run a picture through the bundle many times.

    Returns:
        Milliseconds of processor time of `detect`, which other work hardly disturbs; peak memory in bytes.
    """
    detector = BundleDetector.open(bundle)
    rgb = read_photo(picture)
    spent_ms = []
    for _ in range(_WARM_UP + _RUNS):
        started_s = time.process_time()
        detector.detect(rgb)
        spent_ms.append(1000 * (time.process_time() - started_s))
    return {
        "ms_p50": float(np.median(spent_ms[_WARM_UP:])),
        "ms_p99": float(np.percentile(spent_ms[_WARM_UP:], 99)),
        "peak_memory_bytes": float(_peak_memory_bytes()),
    }


def _peak_memory_bytes() -> int:
    # getrusage would count what the parent had before this process was started.
    status = Path("/proc/self/status").read_text("ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def measure_apart(bundle: Path, picture: Path) -> dict[str, float]:
    """Measure in a fresh process; see `measure_here`."""
    command = [sys.executable, "-m", "compress.starter.measure", str(bundle), str(picture)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own module
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure_here(Path(sys.argv[1]), Path(sys.argv[2]))) + "\n")
