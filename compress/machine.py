"""What a receipt says of the machine and the software that made it."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

_PACKAGES = (
    "elfowl",
    "torch",
    "litert-torch",
    "ai-edge-quantizer",
    "ai-edge-litert",
    "onnx",
    "onnxruntime",
    "numpy",
    "opencv-python-headless",
)


def machine() -> str:
    """Return processor, architecture and number of cores in one line."""
    return f"{processor()}, {platform.machine()}, {os.cpu_count()} cores"


def versions() -> dict[str, str]:
    """Return the versions of Python and of every package that shapes the result."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """Return the processor's name, or the board's where the processor has none."""
    lines = _text("/proc/cpuinfo").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    # ARM boards say what they are in the device tree.
    board = _text("/proc/device-tree/model").strip("\0 \n")
    return next(iter(names), board or platform.processor() or "unknown processor")


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError:
        return ""
