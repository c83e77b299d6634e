"""Makes the light neck of a subnet from photos: principal components of what the subnet sees in them.

`python -m cloud.detector.light_make SUBNET OUT PHOTO...`; `necks/README.md` names the photos of the necks
that come with elfowl.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save as save_tensors

from cloud.datasets.frames import PictureSource
from cloud.datasets.pictures import read_picture
from cloud.detector.light import NECK_WIDTHS, LightNeck
from cloud.subnets.features import FeatureExtractor, shared_extractor
from cloud.subnets.registry import subnet_by_name
from edge_agent.vision.arrays import Float32, Rgb

VIEW_WIDTH_PX, VIEW_HEIGHT_PX = 512, 384
_LONG_SIDES_PX = (640, 1280)
_STEP_SHARE = 0.75
_LEAST_SPREAD = 0.05


@dataclass
class Moments:
    """Running sums of vectors `(channels,)`: enough for mean and covariance."""

    count: int
    total: npt.NDArray[np.float64]
    products: npt.NDArray[np.float64]

    @classmethod
    def of(cls, channels: int) -> Moments:
        """Return the moments of nothing."""
        return cls(0, np.zeros(channels), np.zeros((channels, channels)))

    def add(self, vectors: Float32) -> None:
        """Count vectors `(n, channels)` in."""
        exact = vectors.astype(np.float64)
        self.count += len(exact)
        self.total += exact.sum(0)
        self.products += exact.T @ exact


def photo_views(rgb: Rgb) -> Iterator[Rgb]:
    """Yield parts of a photo `(h, w, 3) uint8`, each 512x384, at two scales, overlapping a little."""
    import cv2

    for long_side in _LONG_SIDES_PX:
        scale = max(
            long_side / max(rgb.shape[:2]), VIEW_WIDTH_PX / rgb.shape[1], VIEW_HEIGHT_PX / rgb.shape[0]
        )
        if scale > 1.5:
            continue
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        size = (
            max(VIEW_WIDTH_PX, round(rgb.shape[1] * scale)),
            max(VIEW_HEIGHT_PX, round(rgb.shape[0] * scale)),
        )
        large = np.asarray(cv2.resize(rgb, size, interpolation=method), np.uint8)
        for top in _starts(size[1], VIEW_HEIGHT_PX):
            for left in _starts(size[0], VIEW_WIDTH_PX):
                yield large[top : top + VIEW_HEIGHT_PX, left : left + VIEW_WIDTH_PX]


def _starts(length_px: int, part_px: int) -> list[int]:
    step_px = round(part_px * _STEP_SHARE)
    return list(range(0, length_px - part_px + 1, step_px))


def projection(moments: Moments, width: int) -> tuple[Float32, Float32]:
    """Return weight `(width, channels)` and bias `(width,)` to the strongest components.

    Channels are first brought to a spread of 1, so that none is heard only because it is loud; the components
    come out with mean 0 and spread 1 over what was counted.
    """
    mean = moments.total / moments.count
    covariance = moments.products / moments.count - np.outer(mean, mean)
    scale = 1 / np.maximum(np.sqrt(np.clip(np.diag(covariance), 0, None)), _LEAST_SPREAD)
    values, vectors = np.linalg.eigh(covariance * np.outer(scale, scale))
    strongest = np.argsort(-values)[:width]
    weight = (vectors[:, strongest] * scale[:, None] / np.sqrt(values[strongest])).T
    # An eigenvector's sign is arbitrary: fix it, so that every machine makes the same neck.
    weight *= np.sign(weight[np.arange(len(weight)), np.abs(weight).argmax(1)])[:, None]
    return weight.astype(np.float32), (-weight @ mean).astype(np.float32)


def make_neck(extractor: FeatureExtractor, photos: Sequence[Rgb]) -> LightNeck:
    """Return the neck for a subnet, fitted to photos."""
    channels = [level.channels for level in extractor.subnet.levels]
    moments = [Moments.of(count) for count in channels]
    for rgb in photos:
        for view in photo_views(rgb):
            for sums, level in zip(moments, extractor.features(view[None]), strict=True):
                sums.add(level.reshape(-1, level.shape[-1]))
    neck = LightNeck(channels)
    state = {}
    for index, (sums, width) in enumerate(zip(moments, NECK_WIDTHS, strict=True)):
        weight, bias = projection(sums, width)
        state[f"projections.{index}.weight"] = torch.from_numpy(weight)[:, :, None, None]
        state[f"projections.{index}.bias"] = torch.from_numpy(bias)
    neck.load_state_dict(state)
    return neck.eval()


def neck_bytes(neck: LightNeck, subnet_sha256: str, sources: Sequence[str]) -> bytes:
    """Return the neck's file: half precision, with what it was made of and for."""
    tensors = {name: value.half().contiguous() for name, value in neck.state_dict().items()}
    facts = {"format": "elfowl-light-neck-1", "subnet": subnet_sha256, "photos": "\n".join(sources)}
    return bytes(save_tensors(tensors, facts))


def main(arguments: Sequence[str]) -> int:
    """Make one neck."""
    parser = argparse.ArgumentParser(prog="python -m cloud.detector.light_make", description=__doc__)
    parser.add_argument("subnet")
    parser.add_argument("out", type=Path)
    parser.add_argument("photos", type=Path, nargs="+")
    given = parser.parse_args(arguments)
    subnet = subnet_by_name(given.subnet)
    photos = [read_picture(PictureSource(path)) for path in given.photos]
    sources = [f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}" for path in given.photos]
    neck = make_neck(shared_extractor(subnet), photos)
    given.out.write_bytes(neck_bytes(neck, subnet.sha256, sources))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
