"""The one form of a benchmark's result, and how it is printed and kept."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from edge_agent.clock import Clock

RESULTS = Path(__file__).parent / "results"
_MULTIPLYING = frozenset(
    ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "asimd", "asimddp")
)
Metric = float | int | str | None | dict[str, "Metric"] | list["Metric"]


@dataclass(frozen=True)
class Result:
    """What was measured; `ratios` are against the baseline that `baseline` names, in the same run.

    `pictures` are SVG documents by file name, kept beside the JSON.
    """

    name: str
    baseline: str
    metrics: dict[str, Metric]
    ratios: dict[str, Metric] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    pictures: dict[str, str] = field(default_factory=dict)

    def document(self, clock: Clock) -> dict[str, object]:
        """Return the JSON document."""
        return {
            "name": self.name,
            "when": round(clock.now_s()),
            "machine": machine(),
            "baseline": self.baseline,
            "metrics": self.metrics,
            "ratios": self.ratios,
            "notes": list(self.notes),
        }

    def write(self, clock: Clock, folder: Path = RESULTS) -> Path:
        """Keep the result as `NAME.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, svg in self.pictures.items():
            (folder / name).write_text(svg)
        path = folder / f"{self.name}.json"
        path.write_text(json.dumps(self.document(clock), indent=2) + "\n")
        return path

    def table(self) -> str:
        """Return the result for people."""
        rows = [*_flatten("", self.metrics), *_flatten("ratio ", self.ratios)]
        width = max(len(name) for name, _ in rows)
        lines = [f"{self.name}  (baseline: {self.baseline})"]
        lines += [f"  {name.ljust(width)}  {value}" for name, value in rows]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def machine() -> str:
    """Return what the numbers were measured on."""
    return f"{processor(_cpuinfo())}, {os.cpu_count()} cores, Python {platform.python_version()}"


def processor(cpuinfo: str) -> str:
    """Return a processor's name, and which instructions it has that decide how fast it multiplies.

    Those for bytes halve the time of int8 networks, and two processors of one name may differ there.

    Args:
        cpuinfo: What `/proc/cpuinfo` says; empty where there is none.
    """
    told = [line.partition(":") for line in cpuinfo.splitlines()]
    names = [value.strip() for key, _, value in told if key.startswith(("model name", "Model"))]
    flags = {
        flag for key, _, value in told if key.startswith(("flags", "Features")) for flag in value.split()
    }
    name = names[0] if names else platform.machine()
    return f"{name} ({', '.join(sorted(flags & _MULTIPLYING)) or 'nothing special'})"


def spread(values: list[float]) -> dict[str, Metric]:
    """Return median, smallest and largest of repeated measurements."""
    return {"median": median(values), "min": min(values), "max": max(values), "n": len(values)}


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.is_file() else ""


def _flatten(prefix: str, values: dict[str, Metric]) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            rows += _flatten(f"{prefix}{key}.", value)
        else:
            rows.append((f"{prefix}{key}", _text(value)))
    return rows


def _text(value: Metric) -> str:
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value)
    if isinstance(value, dict):
        return "; ".join(f"{name} {_text(one)}" for name, one in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)
