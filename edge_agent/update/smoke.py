"""Tries a new bundle on its golden pictures, in a process of its own, for there it may crash or hang.

`python -m edge_agent.update.smoke BUNDLE SCORE IOU` is that process; it writes one JSON document to standard
output. `… --time BUNDLE OTHER` only measures, on the golden pictures of another bundle.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edge_agent.clock import SystemClock
from edge_agent.errors import ArtifactError, BackendError, ElfowlError
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.pipeline.detector import label_rules
from edge_agent.runtime.bundle import Bundle, open_bundle
from edge_agent.update.pace import ms_per_picture
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.base import Document, XyxyNorm
from edge_agent.wire.detection import Detection

_LOGGER = logging.getLogger(__name__)
_MODULE: Final = "edge_agent.update.smoke"
_OUTPUT_LIMIT_CHARS: Final = 300
_TIME: Final = "--time"


@dataclass(frozen=True)
class SmokeLimits:
    """How far the device's answers may be from those of the machine that made the bundle."""

    score: float = 0.1
    iou: float = 0.8
    timeout_s: float = 120.0


class SmokeReport(Document):
    """What the process found: `problem` is one line, or none when all is well."""

    problem: str | None = None
    unsupported: bool = False
    pictures: int = 0
    ms_per_picture: float = 0.0


def smoke_test(bundle_path: Path, limits: SmokeLimits | None = None) -> SmokeReport:
    """Run the golden pictures of a bundle in a child process.

    Raises:
        ArtifactError: Its answers differ, or it crashed, or was too slow.
        BackendError: This machine lacks the runtime for it.
    """
    limits = limits or SmokeLimits()
    command = [sys.executable, "-m", _MODULE, str(bundle_path), str(limits.score), str(limits.iou)]
    return run_smoke(command, bundle_path.name, limits.timeout_s)


def time_bundle(bundle_path: Path, pictures_of: Path) -> float:
    """Return how many milliseconds a bundle takes for a golden picture of another, in a child process.

    Raises:
        ArtifactError: It crashed, or took far too long.
        BackendError: This machine lacks the runtime for it.
    """
    command = [sys.executable, "-m", _MODULE, _TIME, str(bundle_path), str(pictures_of)]
    return run_smoke(command, bundle_path.name, SmokeLimits().timeout_s).ms_per_picture


def run_smoke(command: list[str], name: str, timeout_s: float) -> SmokeReport:
    """Run a smoke test process and judge how it ended; errors as `smoke_test`."""
    try:
        ended = subprocess.run(  # noqa: S603 - our own module
            command, capture_output=True, timeout=timeout_s, check=False, text=True
        )
    except subprocess.TimeoutExpired as error:
        message = f"{name}: its golden pictures took longer than {timeout_s:.0f} s"
        raise ArtifactError(message) from error
    try:
        report = SmokeReport.from_json(ended.stdout)
    except ValueError as error:
        last = (ended.stderr.strip().splitlines() or [""])[-1][:_OUTPUT_LIMIT_CHARS]
        message = f"{name}: crashed on its golden pictures (exit code {ended.returncode}) {last}".strip()
        raise ArtifactError(message) from error
    if report.problem is not None:
        raise (BackendError if report.unsupported else ArtifactError)(report.problem)
    _LOGGER.info("%s answers its %d golden pictures as it should", name, report.pictures)
    return report


def golden_mismatch(
    expected: tuple[Detection, ...],
    found: list[Detection],
    thresholds: dict[str, float],
    limits: SmokeLimits,
) -> str | None:
    """Return how answers differ, or none when they agree.

    A detection counts when its score is clear of its label's threshold by `limits.score`: those at the edge
    may come and go between machines. Each must have a partner of its label with nearly its box and score.
    """
    for title, these, those in (("missing", expected, found), ("unexpected", found, expected)):
        for detection in these:
            clear = detection.score >= thresholds.get(detection.label, 0.0) + limits.score
            if clear and not any(_agree(detection, other, limits) for other in those):
                box = ", ".join(f"{edge:.2f}" for edge in detection.box)
                return f"{title} {detection.label} of score {detection.score:.2f} at ({box})"
    return None


def iou(first: XyxyNorm, second: XyxyNorm) -> float:
    """Return the overlap of two boxes: intersection over union, 0 to 1."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0.0 or height <= 0.0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return width * height / (areas - width * height)


def main(arguments: list[str]) -> int:
    """Try a bundle (`BUNDLE SCORE IOU`) or time it (`--time BUNDLE OTHER`); write a report; return 0."""
    try:
        if arguments[0] == _TIME:
            report = _time_bundle(Path(arguments[1]), Path(arguments[2]))
        else:
            limits = SmokeLimits(score=float(arguments[1]), iou=float(arguments[2]))
            report = _try_bundle(Path(arguments[0]), limits)
    except BackendError as error:
        report = SmokeReport(problem=str(error), unsupported=True)
    except ElfowlError as error:
        report = SmokeReport(problem=str(error))
    sys.stdout.write(report.to_json())
    return 0


def _agree(first: Detection, second: Detection, limits: SmokeLimits) -> bool:
    return (
        first.label == second.label
        and abs(first.score - second.score) <= limits.score
        and iou(first.box, second.box) >= limits.iou
    )


def _try_bundle(bundle_path: Path, limits: SmokeLimits) -> SmokeReport:
    bundle = open_bundle(bundle_path)
    detector = BundleDetector.open(bundle)
    rules = label_rules(detector)
    thresholds = {slug: rule.threshold for slug, rule in rules.items()}
    thresholds |= {rule.name: rule.threshold for rule in rules.values()}
    pictures = _golden_pictures(bundle)
    for golden, rgb in zip(bundle.manifest.golden, pictures, strict=False):
        difference = golden_mismatch(golden.detections, detector.detect(rgb), thresholds, limits)
        if difference is not None:
            where = f"{bundle_path.name}: golden picture {golden.image_file}"
            return SmokeReport(problem=f"{where} is answered otherwise: {difference}")
    return SmokeReport(pictures=len(bundle.manifest.golden), ms_per_picture=_measured(detector, pictures))


def _time_bundle(bundle_path: Path, pictures_of: Path) -> SmokeReport:
    pictures = _golden_pictures(open_bundle(pictures_of))
    return SmokeReport(ms_per_picture=_measured(BundleDetector.open(bundle_path), pictures))


def _measured(detector: BundleDetector, pictures: list[Rgb]) -> float:
    detector.detect(pictures[0])
    return ms_per_picture(detector.detect, pictures, SystemClock())


def _golden_pictures(bundle: Bundle) -> list[Rgb]:
    """Return the golden pictures of a bundle, each `(h, w, 3) uint8`; a black one when it has none.

    Raises:
        ArtifactError: One cannot be read.
    """
    files = [golden.image_file for golden in bundle.manifest.golden]
    size = bundle.manifest.input
    black = np.zeros((size.height_px, size.width_px, 3), np.uint8)
    return [_read_picture(bundle.read(file), file) for file in files] or [black]


def _read_picture(data: bytes, name: str) -> Rgb:
    import cv2

    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        message = f"golden picture {name} cannot be read"
        raise ArtifactError(message)
    return np.ascontiguousarray(bgr[:, :, ::-1], np.uint8)


if __name__ == "__main__":
    # Who waits for this process may be killed first; then nobody would end one that hangs.
    signal.alarm(round(2 * SmokeLimits().timeout_s))
    sys.exit(main(sys.argv[1:]))
