"""Finds between which numbers the answers of a subnet's and its neck's layers lie in photos, and their means.

`python -m cloud.detector.light_ranges SUBNET FOLDER PHOTO...`; `necks/README.md` names the photos.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from safetensors.numpy import save as save_tensors

from cloud.datasets.frames import PictureSource
from cloud.datasets.pictures import read_picture
from cloud.detector.light import light_neck_sha256
from cloud.detector.light_graph import LEVEL_NAMES, levels_graph
from cloud.detector.light_int8 import Int8Ranges
from cloud.detector.light_make import photo_views
from cloud.subnets.features import Features, open_session, run_session
from cloud.subnets.graph import INPUT_NAME
from cloud.subnets.registry import subnet_by_name
from edge_agent.vision.arrays import Float32, Rgb

_KEPT = ("stem.sum", "stem", "block0.depthwise.sum", "block0.depthwise", "block0.project")
"""Measured: with these int8, too, what the heads read is off by a quarter more, for hardly less time."""

_DIGITS = 5


def find_ranges(graph: bytes, views: Iterable[Rgb]) -> dict[str, tuple[float, float]]:
    """Return the lowest and highest number that each tensor of a network has in views `(h, w, 3) uint8`."""
    names = [name for node in onnx.load_from_string(graph).graph.node for name in node.output]
    names = [name for name in names if name not in LEVEL_NAMES]
    ranges = dict.fromkeys(names, (float("inf"), float("-inf")))
    for answers in _answers(graph, names, views):
        for name, values in zip(names, answers, strict=True):
            lowest, highest = ranges[name]
            ranges[name] = min(lowest, float(values.min())), max(highest, float(values.max()))
    return ranges


def find_means(graph: bytes, views: Iterable[Rgb]) -> dict[str, Float32]:
    """Return the means `(channels,)` of what each convolution but the first is given, in such views."""
    nodes = onnx.load_from_string(graph).graph.node
    names = sorted({node.input[0] for node in nodes if node.op_type == "Conv"} - {INPUT_NAME})
    of_views = [
        [values.mean(axis=(0, 2, 3)) for values in answers] for answers in _answers(graph, names, views)
    ]
    return {
        name: np.mean(of_one, axis=0, dtype=np.float32)
        for name, of_one in zip(names, zip(*of_views, strict=True), strict=True)
    }


def _answers(graph: bytes, names: Sequence[str], views: Iterable[Rgb]) -> Iterator[Features]:
    """Yield what tensors of a network are in each view."""
    model = onnx.load_from_string(graph)
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    session = open_session(model.SerializeToString())
    for view in views:
        yield run_session(session, names, view[None])


def main(arguments: Sequence[str]) -> int:
    """Write ranges and means of one subnet."""
    parser = argparse.ArgumentParser(prog="python -m cloud.detector.light_ranges", description=__doc__)
    parser.add_argument("subnet")
    parser.add_argument("folder", type=Path)
    parser.add_argument("photos", type=Path, nargs="+")
    given = parser.parse_args(arguments)
    subnet = subnet_by_name(given.subnet)
    views = [view for path in given.photos for view in photo_views(read_picture(PictureSource(path)))]
    found, means = find_ranges(levels_graph(subnet), views), find_means(levels_graph(subnet), views)
    stored_means = save_tensors({name: values.astype(np.float16) for name, values in means.items()})
    ranges = Int8Ranges(
        subnet=subnet.sha256,
        neck=light_neck_sha256(subnet),
        means=hashlib.sha256(stored_means).hexdigest(),
        photos=tuple(f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}" for path in given.photos),
        kept=_KEPT,
        ranges={name: (round(low, _DIGITS), round(high, _DIGITS)) for name, (low, high) in found.items()},
    )
    (given.folder / f"{subnet.name}.means.safetensors").write_bytes(stored_means)
    text = ranges.model_dump_json(indent=1) + "\n"
    (given.folder / f"{subnet.name}.ranges.json").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
