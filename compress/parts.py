"""A network in two parts on the disk: the trunk's file, beside it the heads' files and what lies between.

    int8.tflite            the trunk
    int8.tflite.map.json   what it answers and the heads take
    int8.head_0.tflite     the heads, in the manifest's order

A model file without such a map is a network in one piece.
"""

from __future__ import annotations

from pathlib import Path

from edge_agent.wire.manifest import TrunkMap

MAP_NAME = "map"
"""Output of a trunk, input of a head."""


def map_file(model: Path) -> Path:
    """Return where the map of a trunk's file is written down."""
    return model.with_name(f"{model.name}.map.json")


def head_file(model: Path, index: int) -> Path:
    """Return where the head at this index lies, beside the trunk."""
    return model.with_name(f"{model.stem}.head_{index}{model.suffix}")


def head_files(model: Path) -> tuple[Path, ...]:
    """Return the files of all heads of a trunk, in order; none for a network in one piece."""
    files: list[Path] = []
    while (file := head_file(model, len(files))).exists():
        files.append(file)
    return tuple(files)


def read_map(model: Path) -> TrunkMap | None:
    """Return what lies between a trunk and its heads, or none when the network is in one piece."""
    file = map_file(model)
    return TrunkMap.from_json(file.read_text("utf-8")) if file.exists() else None


def model_bytes(model: Path) -> int:
    """Return the size of a network on the disk, all its parts together."""
    return sum(file.stat().st_size for file in (model, *head_files(model)))
