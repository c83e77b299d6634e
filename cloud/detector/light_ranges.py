"""Finds between which numbers the answers of a subnet's and its neck's layers lie, in photos.

`python -m cloud.detector.light_ranges SUBNET OUT PHOTO...`; `necks/README.md` names the photos.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from cloud.datasets.frames import PictureSource
from cloud.datasets.pictures import read_picture
from cloud.detector.light import light_neck_sha256
from cloud.detector.light_graph import LEVEL_NAMES, levels_graph
from cloud.detector.light_int8 import Int8Ranges
from cloud.detector.light_make import photo_views
from cloud.subnets.features import open_session, run_session
from cloud.subnets.registry import subnet_by_name
from edge_agent.vision.arrays import Rgb

_KEPT = (
    "stem.sum", "stem", "block0.depthwise.sum", "block0.depthwise", "block0.project",
    "block1.expand.sum", "block1.expand", "block1.depthwise.sum",
)  # fmt: skip
"""Measured, one layer after the other: half of what int8 numbers are off by comes from the first ones."""

_DIGITS = 5


def find_ranges(graph: bytes, views: Iterable[Rgb]) -> dict[str, tuple[float, float]]:
    """Return the lowest and highest number that each tensor of a network has in views `(h, w, 3) uint8`."""
    model = onnx.load_from_string(graph)
    names = [name for node in model.graph.node for name in node.output if name not in LEVEL_NAMES]
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    session = open_session(model.SerializeToString())
    ranges = dict.fromkeys(names, (float("inf"), float("-inf")))
    for view in views:
        for name, values in zip(names, run_session(session, names, view[None]), strict=True):
            lowest, highest = ranges[name]
            ranges[name] = min(lowest, float(values.min())), max(highest, float(values.max()))
    return ranges


def main(arguments: Sequence[str]) -> int:
    """Write the ranges of one subnet."""
    parser = argparse.ArgumentParser(prog="python -m cloud.detector.light_ranges", description=__doc__)
    parser.add_argument("subnet")
    parser.add_argument("out", type=Path)
    parser.add_argument("photos", type=Path, nargs="+")
    given = parser.parse_args(arguments)
    subnet = subnet_by_name(given.subnet)
    views = (view for path in given.photos for view in photo_views(read_picture(PictureSource(path))))
    found = find_ranges(levels_graph(subnet), views)
    ranges = Int8Ranges(
        subnet=subnet.sha256,
        neck=light_neck_sha256(subnet),
        photos=tuple(f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}" for path in given.photos),
        kept=_KEPT,
        ranges={name: (round(low, _DIGITS), round(high, _DIGITS)) for name, (low, high) in found.items()},
    )
    given.out.write_text(ranges.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
