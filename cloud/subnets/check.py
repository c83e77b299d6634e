"""Tests a subnet: is it what its manifest says, and does it behave as feature extraction needs?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from cloud.errors import InputError
from cloud.subnets.count import Cost, count
from cloud.subnets.features import FeatureExtractor, Features, OnnxExtractor
from cloud.subnets.manifest import MACS_AT_PX, SubnetManifest
from cloud.subnets.trunks import load_graph, load_trunk
from cloud.subnets.weights import licence_text, weights_path
from edge_agent.clock import Clock
from edge_agent.vision.arrays import Rgb

_SIZES_PX = ((96, 128), (160, 64))
_SHIFT_PX = 32
_NUMERIC = 1e-3
"""How far two ways to the same numbers may differ, as a share of the largest."""
_MOVED = (0.02, 0.02, 0.2)
"""How much features of a moved picture may differ at strides 8, 16 and 32: borders reach the last."""
_MOVED_SIDE_PX = 512
_TIMED_RUNS = 3


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    check: str
    ok: bool
    detail: str


def check_subnet(subnet: SubnetManifest, clock: Clock) -> list[Finding]:
    """Return what was found, in order; checks that cannot run are findings that are not ok.

    Args:
        subnet: Any subnet.
        clock: Times the extraction of one picture of 512x384.
    """
    findings = [_tried("digest", partial(_digest, subnet)), _tried("licence", partial(_licence, subnet))]
    if not findings[0].ok:
        return findings
    try:
        extractor = OnnxExtractor(subnet)
    except (InputError, RuntimeError) as error:
        return [*findings, Finding("loads", ok=False, detail=str(error))]
    checks: dict[str, Callable[[], Finding]] = {
        "levels": partial(_levels, extractor),
        "finite": partial(_finite, extractor),
        "deterministic": partial(_deterministic, extractor),
        "batch": partial(_batch, extractor),
        "torch": partial(_torch, extractor),
        "translation": partial(_translation, extractor),
        "cost": partial(_cost, subnet),
        "time": partial(_time, extractor, clock),
    }
    return findings + [_tried(name, check) for name, check in checks.items()]


def _tried(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except (InputError, RuntimeError, ValueError) as error:
        return Finding(name, ok=False, detail=" ".join(str(error).split())[:200])


def _digest(subnet: SubnetManifest) -> Finding:
    path = weights_path(subnet)
    return Finding("digest", ok=True, detail=f"{subnet.sha256[:12]}, {path.stat().st_size} bytes")


def _licence(subnet: SubnetManifest) -> Finding:
    return Finding("licence", ok=True, detail=f"{subnet.licence}, {len(licence_text(subnet))} characters")


def _levels(extractor: FeatureExtractor) -> Finding:
    for height_px, width_px in _SIZES_PX:
        maps = extractor.features(_picture(1, height_px, width_px))
        for level, features in zip(extractor.subnet.levels, maps, strict=True):
            told = (1, height_px // level.stride_px, width_px // level.stride_px, level.channels)
            if features.shape != told:
                detail = f"stride {level.stride_px}: {features.shape} where the manifest says {told}"
                return Finding("levels", ok=False, detail=detail)
    text = ", ".join(f"{level.channels} at {level.stride_px}" for level in extractor.subnet.levels)
    return Finding("levels", ok=True, detail=text)


def _finite(extractor: FeatureExtractor) -> Finding:
    flat = [np.full((1, 64, 64, 3), value, np.uint8) for value in (0, 255)]
    pictures = [*flat, _picture(1, 96, 128)]
    finite = all(np.isfinite(one).all() for picture in pictures for one in extractor.features(picture))
    return Finding("finite", ok=finite, detail="black, white and random pictures")


def _deterministic(extractor: FeatureExtractor) -> Finding:
    picture = _picture(1, 96, 128)
    first, second = extractor.features(picture), extractor.features(picture)
    same = all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    return Finding("deterministic", ok=same, detail="the same bits twice")


def _batch(extractor: FeatureExtractor) -> Finding:
    pictures = _picture(3, 96, 128)
    alone = [extractor.features(pictures[[index]]) for index in range(len(pictures))]
    single = tuple(np.concatenate(level) for level in zip(*alone, strict=True))
    return _near("batch", extractor.features(pictures), single, "three pictures at once and one by one")


def _torch(extractor: FeatureExtractor) -> Finding:
    pictures = _picture(1, 96, 128)
    image = (torch.from_numpy(pictures).float().permute(0, 3, 1, 2) - 127) / 128
    with torch.inference_mode():
        maps = load_trunk(extractor.subnet)(image)
    expected = tuple(level.permute(0, 2, 3, 1).numpy() for level in maps)
    return _near("torch", extractor.features(pictures), expected, "ONNX Runtime and torch")


def _near(name: str, found: Features, expected: Features, what: str) -> Finding:
    differences = [
        float(np.abs(one - other).max() / max(np.abs(other).max(), 1e-9))
        for one, other in zip(found, expected, strict=True)
    ]
    worst = max(differences)
    return Finding(name, ok=worst < _NUMERIC, detail=f"{what} differ by {worst:.1e}")


def _translation(extractor: FeatureExtractor) -> Finding:
    """Look at a picture and at the same shifted by 32 px: features must have moved by whole cells.

    Only the middle is compared, because borders reach far into the coarsest level of a deep network.
    """
    wide = _picture(1, _MOVED_SIDE_PX + _SHIFT_PX, _MOVED_SIDE_PX + _SHIFT_PX)
    here = extractor.features(wide[:, :_MOVED_SIDE_PX, :_MOVED_SIDE_PX])
    there = extractor.features(wide[:, _SHIFT_PX:, _SHIFT_PX:])
    changes = []
    for level, one, other in zip(extractor.subnet.levels, here, there, strict=True):
        cells, size = _SHIFT_PX // level.stride_px, _MOVED_SIDE_PX // level.stride_px
        first, last = size * 3 // 8, size * 5 // 8
        before = one[:, first + cells : last + cells, first + cells : last + cells]
        after = other[:, first:last, first:last]
        changes.append(float(np.abs(after - before).mean() / max(np.abs(before).mean(), 1e-9)))
    ok = all(change < limit for change, limit in zip(changes, _MOVED, strict=True))
    told = ", ".join(f"{change:.1%}" for change in changes)
    return Finding("translation", ok=ok, detail=f"features of a picture moved by 32 px differ by {told}")


def _cost(subnet: SubnetManifest) -> Finding:
    found = count(load_graph(subnet))
    told = Cost(subnet.parameters, subnet.macs)
    text = f"{found.parameters / 1e6:.2f} M parameters, {found.macs / 1e9:.2f} G multiply-accumulates"
    if found != told:
        text += f"; the manifest says {told.parameters} and {told.macs}"
    return Finding("cost", ok=found == told, detail=text)


def _time(extractor: FeatureExtractor, clock: Clock) -> Finding:
    width_px, height_px = MACS_AT_PX
    picture = _picture(1, height_px, width_px)
    extractor.features(picture)
    times_s = []
    for _ in range(_TIMED_RUNS):
        start_s = clock.monotonic_s()
        extractor.features(picture)
        times_s.append(clock.monotonic_s() - start_s)
    median_ms = sorted(times_s)[_TIMED_RUNS // 2] * 1e3
    detail = f"{median_ms:.0f} ms for a picture of {width_px}x{height_px}, one thread"
    return Finding("time", ok=True, detail=detail)


def _picture(pictures: int, height_px: int, width_px: int) -> Rgb:
    return np.random.default_rng(11).integers(0, 256, (pictures, height_px, width_px, 3), dtype=np.uint8)
