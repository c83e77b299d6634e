"""New models that are broken, each in its way: the old detector runs on, and the cloud is told once."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edge_agent.agent.installer import HealthWatch, load_best
from edge_agent.agent.local_detector import LocalDetector, OpenedBundle
from edge_agent.update.assembly import paced_smoke_test
from edge_agent.update.disk import sha256_of
from edge_agent.update.pace import Pace
from edge_agent.update.smoke import run_smoke
from edge_agent.update.updater import Updater
from edge_agent.wire.sync import BundleTarget
from tests.edge_agent.update.scene import Scene, runs
from tests.edge_agent.update.test_smoke import constant_network
from tests.fakes.looking_clock import LookingClock
from tests.fakes.squares import SquareDetector, open_square_bundle, square_picture

SCORES = [[0.0, -20.0, -20.0]] * 3
WORK = 384

IN_THE_SMOKE_TEST = {
    "crashes": ("import os; os.abort()", "crashed on its golden pictures"),
    "takes all memory": ("raise MemoryError", "crashed on its golden pictures"),
    "hangs": ("import time; time.sleep(600)", "took longer than 1 s"),
    "is wrong": ("""print('{"problem": "golden.png is answered otherwise"}')""", "answered otherwise"),
}


def refused_once(updater: Updater, bad: BundleTarget, old: BundleTarget) -> str:
    """Return why a bundle was refused; what ran runs, and there is one outcome to tell."""
    outcome = updater.apply(bad)
    assert outcome.outcome == "failure"
    assert runs(updater, old)
    assert updater.apply(bad) == outcome
    assert updater.outcomes() == (outcome,)
    return str(outcome.reason)


@pytest.mark.parametrize("way", IN_THE_SMOKE_TEST)
def test_model_that_breaks_on_its_golden_pictures_leaves_the_old_one(tmp_path: Path, way: str) -> None:
    code, reason = IN_THE_SMOKE_TEST[way]
    scene = Scene(tmp_path)
    old = scene.publisher.publish()
    scene.install(old)
    scene.smoke_test = lambda path: run_smoke(
        [sys.executable, "-S", "-c", code], path.name, 1.0 if way == "hangs" else 60.0
    )
    assert reason in refused_once(scene.start(), scene.publisher.publish(), old)
    assert runs(scene.start(), old)


def slow_network() -> bytes:
    """Return an ONNX network that answers as the constant one does, after billions of multiplications."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(constant_network(SCORES))
    make, numpy_helper = onnx.helper.make_node, onnx.numpy_helper
    weights = np.full((WORK, WORK), 1.0 / WORK, np.float32)
    constants = {
        "weights": weights,
        "zero": np.zeros(1, np.float32),
        "square": np.array([WORK, WORK], np.int64),
        "sides": np.array([0, 1, 2, 3], np.int64),
    }
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    work = [
        make("ReduceMean", ["image"], ["mean"], keepdims=0),
        make("Expand", ["mean", "square"], ["map0"]),
        *(make("MatMul", [f"map{n}", "weights"], [f"map{n + 1}"]) for n in range(20)),
        make("ReduceMean", ["map20"], ["worked"], keepdims=0),
        make("Mul", ["worked", "zero"], ["nothing"]),
        make("Add", ["still_boxes", "nothing"], ["boxes"]),
    ]
    del model.graph.initializer[-1]
    (boxes,) = (node for node in model.graph.node if node.output[0] == "boxes")
    boxes.output[0] = "still_boxes"
    model.graph.node.extend(work)
    return bytes(model.SerializeToString())


@pytest.mark.slow
def test_model_that_is_far_too_slow_on_its_golden_pictures_is_refused(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    old = scene.publisher.publish(constant_network(SCORES))
    current = scene.install(old).current()
    assert current is not None
    scene.smoke_test = paced_smoke_test(Pace(camera_ms=1.0, factor=3.0), lambda: current.path)
    slow = scene.publisher.publish(slow_network())
    assert "far too slow" in refused_once(scene.start(), slow, old)


@pytest.mark.parametrize(
    ("way", "reason"),
    [("slow", "on the camera's own pictures it takes 900 ms for a picture"), ("broken", "it failed on")],
)
def test_model_that_breaks_in_service_only_is_rolled_back(tmp_path: Path, way: str, reason: str) -> None:
    scene = Scene(tmp_path)
    old, bad = scene.publisher.publish(), scene.publisher.publish()

    def opener(path: Path, threads: int) -> OpenedBundle:
        is_bad = sha256_of(path) == bad.sha256
        opened = open_square_bundle(
            Path("broken1.zip" if is_bad and way == "broken" else "good1.zip"), threads
        )
        assert isinstance(opened.detector, SquareDetector)
        opened.detector.inference_ms = 900.0 if is_bad else 10.0
        return opened

    detector = LocalDetector(opener)
    current = scene.install(old).current()
    assert current is not None
    detector.load(current.path)
    detector.detect(square_picture(0))
    scene.health_check = HealthWatch(detector, LookingClock(detector), Pace(camera_ms=200.0, factor=3.0))
    updater = scene.start()
    assert reason in refused_once(updater, bad, old)
    current = updater.current()
    assert current is not None
    assert load_best(detector, [current.path])
    assert detector.detect(square_picture(0)), "what ran before looks again"
    good = scene.publisher.publish()
    assert updater.apply(good).outcome == "success"
