"""A captured network, written by a runtime's tools in one piece, or as a trunk and its heads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from compress.capture import INPUT_NAME, normalised
from compress.parts import MAP_NAME, head_file, head_files, map_file
from compress.processes import Job
from compress.protocol import Rgb
from edge_agent.runtime.backend import Network, network_input
from edge_agent.vision.arrays import Float32
from edge_agent.wire.inputs import InputSpec
from edge_agent.wire.manifest import TrunkMap

Announce = Callable[[str], None]


@dataclass(frozen=True)
class Samples:
    """What a network is fed with, to trace it and to calibrate it.

    `each` gives the inputs, `(1, h, w, channels) float32`. `steps` is the scale and zero point that the int8
    input must have; none: whatever fits.
    """

    input_name: str
    each: Callable[[], Iterator[Float32]]
    steps: tuple[float, int] | None = None

    def first(self) -> Float32:
        """Return the first input."""
        return next(self.each())


class Tools(Protocol):
    """How one runtime's files are written and read."""

    def convert(self, program: Path, out: Path, samples: Samples, outputs: list[str]) -> None:
        """Write an export archive as a float file."""
        ...

    def quantize(self, float_file: Path, out: Path, samples: Samples) -> None:
        """Write the int8 form of a float file."""
        ...

    def load(self, model: Path) -> Network:
        """Load a file."""
        ...

    def steps_of(self, model: Path, output: str) -> tuple[float, int]:
        """Return scale and zero point of an int8 file's output."""
        ...


def export_job(tools: Tools, job: Job, converting: Announce, quantizing: Announce) -> None:
    """Write what a job asks for: all, or with `trunk` only new heads for it.

    Args:
        tools: Of the runtime.
        job: `program`, `pixels`, `outputs`, `float_out`, `int8_out`, perhaps `trunk`.
        converting: Told before the float form is written.
        quantizing: Told before the int8 form is written.
    """
    program, float_out, int8_out = (Path(job[name]) for name in ("program", "float_out", "int8_out"))
    pixels: Rgb = np.load(job["pixels"])
    heads = head_files(program)
    trunk = Path(job["trunk"]) if "trunk" in job else None
    if trunk is None:
        pictures = Samples(INPUT_NAME, lambda: (normalised(picture)[None] for picture in pixels))
        converting("")
        tools.convert(program, float_out, pictures, [MAP_NAME] if heads else job["outputs"])
        quantizing("")
        tools.quantize(float_out, int8_out, pictures)
        trunk = int8_out
    if not heads:
        return
    maps = _run_trunk(tools.load(trunk), pixels)
    steps = tools.steps_of(trunk, MAP_NAME)
    samples = Samples(MAP_NAME, lambda: iter(maps), steps)
    each = len(job["outputs"]) // len(heads)
    for index, head in enumerate(heads):
        names = job["outputs"][index * each : (index + 1) * each]
        tools.convert(head, head_file(float_out, index), samples, names)
        tools.quantize(head_file(float_out, index), head_file(int8_out, index), samples)
    _write_map(tools, float_out, maps[0], (0.0, 0))
    _write_map(tools, int8_out, maps[0], steps)


def _run_trunk(trunk: Network, pixels: Rgb) -> list[Float32]:
    """Return a trunk's maps as real numbers, `(1, h, w, channels)` each."""
    takes, gives = trunk.input, trunk.outputs([MAP_NAME])[MAP_NAME]
    _, height_px, width_px, _ = takes.shape
    spec = InputSpec.model_validate(
        {"name": INPUT_NAME, "width_px": width_px, "height_px": height_px, "dtype": takes.dtype}
    )
    scale = np.float32(gives.scale or 1.0)
    raw = [trunk.run(network_input(picture[None], spec), [MAP_NAME])[MAP_NAME] for picture in pixels]
    return [(array.astype(np.float32) - np.float32(gives.zero_point)) * scale for array in raw]


def _write_map(tools: Tools, model: Path, mixed: Float32, steps: tuple[float, int]) -> None:
    _, height, width, channels = mixed.shape
    dtype = tools.load(head_file(model, 0)).input.dtype
    between = TrunkMap.model_validate(
        {
            "output": MAP_NAME,
            "height": height,
            "width": width,
            "channels": channels,
            "dtype": dtype,
            "scale": steps[0],
            "zero_point": steps[1],
        }
    )
    map_file(model).write_text(between.to_json(), "utf-8")
