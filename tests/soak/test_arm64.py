"""The agent on 64-bit ARM: the wheel installs there, and the starter bundle answers right."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edge_agent.runtime.bundle import open_bundle
from edge_agent.runtime.profiles import load_profile
from edge_agent.starter.location import starter_bundle_path
from edge_agent.update.smoke import SmokeLimits, golden_mismatch
from edge_agent.wire.detection import Detection
from tests.soak import arm_root

# The picture is read by OpenCV, the network run by LiteRT, both compiled for ARM.
LOOK = """
import json, platform
import cv2, numpy as np
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.runtime.bundle import open_bundle
from edge_agent.starter.location import starter_bundle_path
bundle = open_bundle(starter_bundle_path())
data = np.frombuffer(bundle.read(bundle.manifest.golden[0].image_file), np.uint8)
rgb = np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1])
found = [detection.to_json() for detection in BundleDetector.open(bundle).detect(rgb)]
print(json.dumps({"machine": platform.machine(), "detections": found}))
"""


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_starter_bundle_on_arm64_answers_its_golden_picture_right(tmp_path: Path) -> None:
    if missing := arm_root.what_is_missing():
        pytest.skip(missing)
    assert load_profile("arm64-128mb").arch == "aarch64"
    root, wheels = tmp_path / "root", tmp_path / "wheels"
    arm_root.make_root(root)
    wheels.mkdir()
    arm_root.fetch_wheels(wheels)
    shutil.copytree(wheels, root / "wheels", ignore=shutil.ignore_patterns("sources"))
    options = ["--no-index", "--find-links=/wheels", "--no-compile", "--target=/opt/elfowl"]
    arm_root.run_python(root, "-m", "pip", "install", "--quiet", *options, "elfowl[litert]")

    answer = json.loads(arm_root.run_python(root, "-c", LOOK))

    assert answer["machine"] == "aarch64"
    found = [Detection.from_json(text) for text in answer["detections"]]
    manifest = open_bundle(starter_bundle_path()).manifest
    thresholds = {label.slug: label.threshold for head in manifest.heads for label in head.labels}
    expected = manifest.golden[0].detections
    assert golden_mismatch(expected, [], thresholds, SmokeLimits()) is not None
    assert golden_mismatch(expected, found, thresholds, SmokeLimits()) is None
