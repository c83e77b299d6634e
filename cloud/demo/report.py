"""What the demo measured, as the JSON that `elfowl-cloud demo --once --json FILE` writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from edge_agent.clock import Clock


@dataclass
class DemoReport:
    """`seconds` are durations, but `first_event` and `total` count from the start.

    `verdict` is how the corrected version compares with the one before, on the same test frames; a worse one
    is not sent to the camera. `reused` names steps whose result was there from an earlier run; their seconds
    are of that run.
    """

    portal: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    ap50: dict[str, float | None] = field(default_factory=dict)
    bundle_bytes: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=lambda: {"published": 0, "stored": 0})
    offloads: int = 0
    mistakes: dict[str, int] = field(default_factory=dict)
    verdict: str | None = None
    products: dict[str, float | None] = field(default_factory=dict)
    reused: list[str] = field(default_factory=list)

    @contextmanager
    def timed(self, name: str, clock: Clock) -> Iterator[None]:
        """Note how long a step takes."""
        start_s = clock.monotonic_s()
        yield
        self.seconds[name] = round(clock.monotonic_s() - start_s, 2)

    def write(self, path: Path) -> None:
        """Write the JSON, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_text(json.dumps(asdict(self), indent=2) + "\n")
        part.replace(path)
