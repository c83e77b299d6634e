"""Measures the machine that it runs on, for a device profile.

`python -m compress.profile_measure RUNTIME` is the process of its own that runs the starter bundle in
one runtime; it prints one JSON document: `{"ms": [...], "peak_bytes": ...}`.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np
import psutil

from compress.errors import ExportError
from compress.machine import processor
from compress.profile_new import MachineFacts, RuntimeFacts
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.runtime.bundle import open_bundle
from edge_agent.runtime.select import open_backend
from edge_agent.starter.location import starter_bundle_path
from edge_agent.wire.manifest import RuntimeName

_PACKAGES: dict[RuntimeName, tuple[str, str]] = {
    "litert": ("ai_edge_litert", "ai-edge-litert"),
    "tflite": ("tflite_runtime", "tflite-runtime"),
    "onnx": ("onnxruntime", "onnxruntime"),
}
_TIMED: tuple[RuntimeName, ...] = ("litert", "tflite")
_WARM_UPS = 3
_PICTURES = 30
_TIMEOUT_S = 300.0
_V1_UNLIMITED_BYTES = 1 << 60


def measure_machine(storage: Path) -> MachineFacts:
    """Return what this machine is and how fast it runs the starter network.

    Args:
        storage: A folder on the disk that the agent would use.

    Raises:
        ExportError: A runtime is installed but cannot run the starter network.
    """
    memory = psutil.virtual_memory()
    return MachineFacts(
        processor=processor(),
        arch=_arch(platform.machine(), is_64_bit=sys.maxsize > 1 << 32),
        cores=os.cpu_count() or 1,
        memory_available_bytes=int(memory.available),
        memory_total_bytes=int(memory.total),
        cgroup_limit_bytes=cgroup_limit_bytes(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")),
        storage_free_bytes=shutil.disk_usage(storage).free,
        has_systemd=Path("/run/systemd/system").is_dir(),
        python=platform.python_version(),
        runtimes=tuple(_runtime_facts(runtime) for runtime in _PACKAGES if find_spec(_PACKAGES[runtime][0])),
    )


def cgroup_limit_bytes(mount: Path, membership: Path) -> int | None:
    """Return the smallest memory limit of this process's cgroups, or none when there is none.

    Args:
        mount: Where the cgroups are mounted, version 2 or 1.
        membership: The process's `/proc/self/cgroup`.
    """
    files = [mount / "memory" / "memory.limit_in_bytes"]
    for line in _text(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            own = mount / path.strip("/")
            files += [folder / "memory.max" for folder in (own, *own.parents) if folder.is_relative_to(mount)]
    limits = [int(text) for text in (_text(file).strip() for file in files) if text.isdigit()]
    return min((limit for limit in limits if limit < _V1_UNLIMITED_BYTES), default=None)


def main(arguments: list[str]) -> int:
    """Run the starter bundle in one runtime and print what that took; return the exit code."""
    runtime = cast("RuntimeName", arguments[0])
    importlib.import_module("cv2").setNumThreads(1)
    bundle = open_bundle(starter_bundle_path())
    # The same file runs in both; the manifest says which of them is asked first.
    bundle = replace(bundle, manifest=bundle.manifest.model_copy(update={"runtime": runtime}))
    detector = BundleDetector(bundle, open_backend(bundle, threads=1))
    picture = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    times_ms = []
    for _ in range(_WARM_UPS + _PICTURES):
        detector.detect(picture)
        times_ms.append(detector.inference_ms)
    print(json.dumps({"ms": times_ms[_WARM_UPS:], "peak_bytes": _peak_bytes()}))  # noqa: T201 - the answer
    return 0


def _runtime_facts(runtime: RuntimeName) -> RuntimeFacts:
    version = metadata.version(_PACKAGES[runtime][1])
    if runtime not in _TIMED:
        return RuntimeFacts(runtime, version)
    command = [sys.executable, "-m", "compress.profile_measure", runtime]
    quiet = os.environ | {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        ended = subprocess.run(  # noqa: S603 - our own module
            command, capture_output=True, timeout=_TIMEOUT_S, check=True, text=True, env=quiet
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        last = (str(error.stderr or "").strip().splitlines() or [str(error)])[-1]
        message = f"{runtime} {version} cannot run the starter network: {last[:300]}"
        raise ExportError(message) from error
    answer = json.loads(ended.stdout.splitlines()[-1])
    return RuntimeFacts(runtime, version, statistics.median(answer["ms"]), answer["peak_bytes"] or None)


def _arch(machine: str, *, is_64_bit: bool) -> str:
    """Return the architecture of this Python: a 32-bit system may run on a 64-bit kernel."""
    if machine in {"aarch64", "armv8l"} and not is_64_bit:
        return "armv7l"
    return machine


def _peak_bytes() -> int:
    """Return the peak of this process's resident set; 0 where the system does not tell."""
    lines = _text(Path("/proc/self/status")).splitlines()
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
