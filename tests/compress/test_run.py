"""From a tiny real detector to bundles that the agent runs."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from compress.effort import Effort
from compress.errors import BudgetError, CancelledError
from compress.limits import limits_for
from compress.progress import Progress
from compress.result import Refusal, Result
from compress.run import Budget, compress, compress_for
from compress.students import FoundStudent, Task
from compress.targets import Target
from edge_agent.errors import ConfigError
from edge_agent.pipeline.attributes import open_second_stage
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.runtime.bundle import Bundle
from edge_agent.vision.few_shot import choose_value, similarities
from edge_agent.wire.receipt import Receipt, Removal
from tests.compress.test_choose import MB, profile
from tests.compress.tiny import TinyDetector, scene
from tests.compress.tiny_attributes import crop

ROOT = Path(__file__).parents[2]
FILES = ["litert_int8.zip", "onnx_int8.zip", "receipt.html", "receipt.json"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment in which the tiny detector's loader is installed as an entry point."""
    site = tmp_path_factory.mktemp("site")
    info = site / "tiny_detector-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-detector\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[elfowl.detector_loaders]\ntiny = tests.compress.tiny_attributes:load_tiny\n"
    )
    return {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}


def command(out: Path) -> list[str]:
    arguments = ["run", "tiny", "--profile", "pi-4", "--out", str(out), "--json"]
    return [sys.executable, "-m", "compress.cli", *arguments]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_cli_run_makes_bundles_that_answer_as_the_full_detector(
    tmp_path: Path, installed: dict[str, str]
) -> None:
    done = subprocess.run(
        command(tmp_path / "out"), env=installed, capture_output=True, text=True, check=False, timeout=390
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES
    assert told["chosen"] == "litert_int8"
    assert told["full"]["max_abs_error"] < 1e-4
    assert told["ap50"]["full"] > 0.9
    for form in ("litert_int8", "onnx_int8"):
        measured = told["bundles"][form]
        assert measured["ap50"] == pytest.approx(told["ap50"]["full"], abs=0.05)
        assert measured["agreement_f1"] > 0.95
        assert measured["max_abs_error"] < 0.5
        assert measured["bytes"] == Path(measured["path"]).stat().st_size
        _bundle_is_sound(Path(measured["path"]), measured["sha256"])
    receipt = Receipt.from_json(Path(told["receipt"]).read_bytes())
    assert receipt.after[0].bundle_sha256 == told["bundles"]["litert_int8"]["sha256"]
    for measurement in receipt.after:
        assert measurement.embedding is not None
        assert measurement.embedding.cosine_least > 0.95
        assert measurement.embedding.same_value == 1.0
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[0].endswith("s left")


def _bundle_is_sound(file: Path, sha256: str) -> None:
    detector = BundleDetector.open(file)
    bundle = detector.bundle
    assert bundle.sha256 == sha256
    assert len(bundle.manifest.golden) == 3
    assert bundle.manifest.measured is not None
    assert len(detector.detect(scene(2001).rgb)) == len(scene(2001).boxes_px)
    detector.close()
    _second_stage_tells_bright_from_dark(bundle)


def _second_stage_tells_bright_from_dark(bundle: Bundle) -> None:
    stage = open_second_stage(bundle)
    assert stage is not None
    rule = stage.rules.attributes[0]
    for bright in (True, False):
        embedding = stage.embedder.embed(crop(77, bright=bright), (0.0, 0.0, 1.0, 1.0))
        similar = similarities(embedding[None], np.array(rule.centre), np.array(rule.means))[0]
        assert choose_value(similar, rule.least_similarity, rule.least_margin) == (0 if bright else 1)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_cli_run_when_interrupted_ends_its_children_and_leaves_nothing(
    tmp_path: Path, installed: dict[str, str]
) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(
        command(out), env=installed, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()  # the first line of progress: it is at work
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert "cancelled" in process.stderr.read()
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_cli_run_after_a_kill_takes_over_what_was_finished(tmp_path: Path, installed: dict[str, str]) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(
        command(out), env=installed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while len(list(out.glob(".working/*/int8.*.finished"))) < 2:
            assert process.poll() is None
            time.sleep(0.1)
        process.kill()
    assert [path.name for path in out.iterdir()] == [".working"]
    done = subprocess.run(
        command(out), env=installed, capture_output=True, text=True, check=False, timeout=390
    )
    assert done.returncode == 0, done.stderr
    steps = json.loads(done.stdout)["seconds"]
    assert not [name for name in steps if "convert" in name or "quantize" in name]
    assert any("litert_measure" in name for name in steps)
    assert sorted(path.name for path in out.iterdir()) == FILES


class Nearly(TinyDetector):
    """The tiny detector with weights a little off: a student that has learned well."""

    def network(self) -> torch.nn.Module:
        network = copy.deepcopy(super().network())
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(1.001)
        return network


def find_one(task: Task, **_: object) -> list[FoundStudent]:
    assert task.folder.is_dir()
    assert 0 < task.budget_s < TRIAL.budget_s
    return [FoundStudent("nearly", Nearly(), (Removal(stage="test", what="a thousandth"),))]


TRIAL = Effort("normal", 900.0, searches=True, unlabelled=20, turns=3)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_compress_tries_students_beside_the_detector_and_refuses_what_breaks_a_limit(tmp_path: Path) -> None:
    out, device, tiny = tmp_path / "out", profile("litert"), TinyDetector(calibration=40)
    hard = limits_for(device, max_ms=0.001)
    with pytest.raises(BudgetError, match=r"nothing fits .* ms, allowed are 0\.0 ms .*refused\.html"):
        compress(tiny, device, out, Budget(hard, TRIAL, find_one))
    refused = Receipt.from_json((out / "refused.json").read_bytes())
    assert {one.candidate for one in refused.tried} == {"", "nearly"}
    assert not list(out.glob("*.zip"))

    result = compress(tiny, device, out, Budget(None, TRIAL, find_one, files=("tflite-float", "onnx-int8")))
    assert not [name for name in result.receipt.seconds if "convert" in name]
    assert sorted(path.name for path in out.iterdir()) == sorted(["files", *FILES])
    assert {"float.tflite", "int8.onnx"} <= {path.name for path in (out / "files").iterdir()}
    chosen = result.receipt.after[0]
    # Of the 40 pictures the first 16 were learned from and calibrated with.
    assert chosen.agreement_images == 12 + 24
    assert chosen.agreement_f1 is not None
    assert chosen.agreement_f1 > 0.95
    assert chosen.memory_limit_bytes == device.ram_for_us_bytes
    by_form = {(one.candidate, one.form): one.ap50 or 0.0 for one in result.receipt.tried}
    for name in ("", "nearly"):
        assert by_form[name, "litert_int8"] == pytest.approx(by_form[name, "onnx_int8"], abs=0.05)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_compress_for_several_devices_teaches_once_and_gives_each_what_fits(tmp_path: Path) -> None:
    out, asked = tmp_path / "out", list[Task]()

    def find(task: Task, **_: object) -> list[FoundStudent]:
        asked.append(task)
        return [FoundStudent("nearly", Nearly(), (Removal(stage="test", what="a thousandth"),))]

    targets = []
    for name, ram_bytes in (("tiny-memory", 20 * MB), ("large", 256 * MB), ("usual", 128 * MB)):
        device = profile("litert", ram_bytes=ram_bytes).model_copy(update={"name": name})
        targets.append(Target(device, limits_for(device), out / name))
    outcomes = compress_for(TinyDetector(calibration=40), targets, out, Budget(effort=TRIAL, find=find))

    assert [[one.name for one in task.profiles] for task in asked] == [["tiny-memory", "large", "usual"]]
    refused = outcomes["tiny-memory"]
    assert isinstance(refused, Refusal)
    assert "allowed are 20.0 MB" in refused.message
    assert not list((out / "tiny-memory").glob("*.zip"))
    for name in ("large", "usual"):
        result = outcomes[name]
        assert isinstance(result, Result)
        assert sorted(path.name for path in (out / name).iterdir()) == FILES
        assert result.receipt.profile == name
        assert BundleDetector.open(result.chosen).bundle.manifest.profile == name
        # Held under the stricter limit of the two, so it stays under both.
        assert result.receipt.after[0].memory_limit_bytes == 128 * MB
        assert "--profile tiny-memory --profile large --profile usual" in result.receipt.reproduce
    measured = [outcomes[name].receipt.tried for name in ("large", "usual")]
    assert [one.ms_p50 for one in measured[0]] == [one.ms_p50 for one in measured[1]]
    assert (out / ".working").exists(), "what was refused may be tried again with looser limits"


def test_compress_asked_for_accuracy_that_cannot_be_measured_says_so_at_once(tmp_path: Path) -> None:
    device = profile("litert")
    budget = Budget(limits_for(device, min_ap50=0.8))
    with pytest.raises(ConfigError, match="no test frames"):
        compress(TinyDetector(held_out=0), device, tmp_path / "out", budget)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_compress_when_cancelled_stops_soon_and_leaves_nothing(tmp_path: Path) -> None:
    seen: list[Progress] = []
    seen_when_cancelled: list[int] = []

    def cancelled() -> bool:
        if any(progress.stage == "export" for progress in seen) and not seen_when_cancelled:
            seen_when_cancelled.append(len(seen))
        return bool(seen_when_cancelled)

    with pytest.raises(CancelledError):
        compress(
            TinyDetector(), profile("litert"), tmp_path / "out", progress=seen.append, cancelled=cancelled
        )
    assert len(seen) <= seen_when_cancelled[0] + 1, "nothing further was begun"
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_compress_for_a_device_that_is_too_small_says_what_it_lacks(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(BudgetError, match=r"the nearest, litert_int8, needs .* allowed are 20\.0 MB"):
        compress(TinyDetector(), profile("litert", ram_bytes=20 * MB), out)
    assert sorted(path.name for path in out.iterdir()) == [".working", "refused.html", "refused.json"]
    refused = Receipt.from_json((out / "refused.json").read_bytes())
    assert [one.limit for one in refused.broken] == ["memory"]
    assert refused.broken[0].value > 30 * MB
    assert all(one.ended for one in refused.tried)
