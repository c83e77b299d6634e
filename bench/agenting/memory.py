"""Memory of a process with libraries of its own: shared pages make it look smaller than on a camera."""

from __future__ import annotations

import compileall
import re
import shutil
import sysconfig
import threading
from pathlib import Path

_HEAVY = (
    "numpy", "numpy.libs", "av", "av.libs", "cv2", "opencv_python_headless.libs", "ai_edge_litert", "paho",
    "pydantic", "pydantic_core", "cryptography", "httpx", "yaml",
)  # fmt: skip
_OURS = ("edge_agent", "firmware_configs")


def own_packages(folder: Path) -> Path:
    """Copy the agent and its libraries there; with it first on the path, a process shares them with nobody.

    They are translated as on a device, where code lies both with and without the explanations in it.
    """
    site = Path(sysconfig.get_path("purelib"))
    for name in _HEAVY:
        if (site / name).is_dir():
            shutil.copytree(site / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in _OURS:
        shutil.copytree(Path.cwd() / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for level in (0, 2):
        # Some libraries carry templates that are no Python.
        compileall.compile_dir(folder, quiet=2, optimize=level, workers=1)
    return folder


class PeakMemory:
    """Looks at a process four times a second; the peaks of its PSS and of all its resident memory."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.pss_bytes = self.resident_bytes = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(0.25):
            try:
                text = Path(f"/proc/{self._pid}/smaps_rollup").read_text()
            except OSError:
                return
            self.pss_bytes = max(self.pss_bytes, _kilobytes(text, "Pss") * 1024)
            self.resident_bytes = max(self.resident_bytes, _kilobytes(text, "Rss") * 1024)


def _kilobytes(text: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) if found else 0
