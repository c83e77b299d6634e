"""`elfowl-cloud demo --once`, as a person starts it: what it writes, says on MQTT, and leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import psutil
import pytest

from edge_agent.wire.base import Document
from edge_agent.wire.schemas import DOCUMENTS
from edge_agent.wire.topics import TopicSpec, match_topic
from tests.system.loop import Ear, Heard, wait_until
from tests.system.mosquitto import free_port

# Idle, the first run takes about five minutes; nothing here depends on how long.
pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1500)]

_DOCS = Path(__file__).parents[2] / "docs" / "wire"
_MARK = "ELFOWL_TEST_MARK"
_RUN_S = 1400.0
_LEAVE_S = 60.0
_LITERALS = {"online | offline": {b"online", b"offline"}, "install": {b"install"}}


class DemoProcess:
    """One start of the demo; all its processes are known by a mark in their environment."""

    def __init__(self, home: Path, folder: Path) -> None:
        self._mark = uuid.uuid4().hex
        self._json = folder / "demo.json"
        self._log = folder / "demo.log"
        port, broker_port = free_port(), free_port()
        self.ear = Ear(broker_port)
        program = str(Path(sys.executable).with_name("elfowl-cloud"))
        options = [
            "--once",
            "--json",
            str(self._json),
            "--port",
            str(port),
            "--broker-port",
            str(broker_port),
        ]
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
            # Tests run in the background of a shell: the demo would inherit deafness to Ctrl-C.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self.url = f"http://127.0.0.1:{port}"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, "demo", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "ELFOWL_HOME": str(home), _MARK: self._mark},
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def report(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self._json.read_text())
        return loaded

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def wait(self, limit_s: float = _RUN_S) -> int:
        code = self._process.wait(limit_s)
        self.ear.close()
        return code

    def processes(self) -> dict[int, str]:
        """Return everything that the demo started and that still runs: process id → command."""
        found = {}
        for process in psutil.process_iter():
            try:
                if process.environ().get(_MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE:
                    found[process.pid] = " ".join(process.cmdline())
            except psutil.Error:
                continue
        return found

    def wait_for_process(self, words: str, *, other_than: int | None = None) -> int:
        """Return the process id of a program that the demo runs, as soon as it does."""

        def find() -> list[int]:
            assert self._process.poll() is None, self.log
            own = self.processes().items()
            return [
                pid
                for pid, line in own
                if words in line and "cloud.processes" not in line and pid != other_than
            ]

        wait_until(lambda: bool(find()), _RUN_S, lambda: self.log)
        return find()[0]

    def wait_until_gone(self) -> None:
        wait_until(lambda: not self.processes(), _LEAVE_S, self.processes)

    def end(self) -> None:
        """Let nothing live on when a test fails in the middle."""
        if self._process.poll() is None:
            self.interrupt()
            self.wait(60.0)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "home"


@dataclass(frozen=True)
class Ended:
    """How a start of the demo ended."""

    demo: DemoProcess
    code: int


@pytest.fixture(scope="module")
def interrupted(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    """A first start: the cloud is killed while it trains, and trains again; then comes Ctrl-C."""
    demo = DemoProcess(home, tmp_path_factory.mktemp("interrupted"))
    try:
        training = demo.wait_for_process("cloud.worker train")
        os.kill(demo.wait_for_process("elfowl-cloud serve"), signal.SIGKILL)
        demo.wait_for_process("cloud.worker train", other_than=training)
        demo.interrupt()
        yield Ended(demo, demo.wait(60.0))
    finally:
        demo.end()


@pytest.fixture(scope="module")
def first(home: Path, interrupted: Ended, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    """The whole demo, on a home folder where it was interrupted before."""
    assert interrupted.code != 0
    yield from run_to_the_end(home, tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def second(home: Path, first: Ended, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    """The demo once more on the same home folder."""
    assert first.code == 0, first.demo.log
    yield from run_to_the_end(home, tmp_path_factory.mktemp("second"))


def run_to_the_end(home: Path, folder: Path) -> Iterator[Ended]:
    demo = DemoProcess(home, folder)
    try:
        yield Ended(demo, demo.wait())
    finally:
        demo.end()


def test_training_goes_on_after_kill_9_and_ctrl_c_leaves_no_process_behind(interrupted: Ended) -> None:
    assert interrupted.code != 0
    interrupted.demo.wait_until_gone()
    assert "Traceback" not in interrupted.demo.log


def test_demo_ends_by_itself_and_leaves_no_process_behind(first: Ended) -> None:
    assert first.code == 0, first.demo.log
    first.demo.wait_until_gone()
    assert "Traceback" not in first.demo.log


def test_report_has_what_is_promised(first: Ended) -> None:
    report = first.demo.report()

    assert set(report["seconds"]) == {
        "footage", "create", "compress", "deploy", "first_event", "correction_to_camera", "total",
    }  # fmt: skip
    assert all(seconds >= 0 for seconds in report["seconds"].values())
    assert set(report["ap50"]) == {
        "full", "tflite_int8", "onnx_int8", "before_correction", "after_correction",
    }  # fmt: skip
    assert report["bundle_bytes"]
    assert all(size > 0 for size in report["bundle_bytes"].values())
    assert report["offloads"] > 0
    assert report["portal"] == first.demo.url


def test_detector_is_good_and_its_bundles_are_as_good(first: Ended) -> None:
    ap50 = first.demo.report()["ap50"]

    assert ap50["full"] >= 0.85
    assert ap50["tflite_int8"] == pytest.approx(ap50["full"], abs=0.02)
    assert ap50["onnx_int8"] == pytest.approx(ap50["full"], abs=0.02)


def test_every_event_published_is_stored(first: Ended) -> None:
    report = first.demo.report()

    assert report["events"]["published"] == len(first.demo.ear.events()) > 0
    assert report["events"]["stored"] == report["events"]["published"]
    assert [event for event in first.demo.ear.events() if event.answered_by == "cloud"] != []


def test_everything_said_on_mqtt_is_as_documented(first: Ended) -> None:
    heard = first.demo.ear.heard

    assert {spec.pattern for one in heard if (spec := match_topic(one.topic))} >= {
        "<p>/<device>/available",
        "<p>/<device>/detector/state",
        "<p>/<device>/stats",
        "<p>/<device>/cam/<camera>/status",
        "<p>/<device>/cam/<camera>/event",
        "<p>/<device>/cam/<camera>/label/<slug>",
        "<p>/<device>/cam/<camera>/switch/<feature>/state",
        "<p>/<device>/up/events",
        "<p>/<device>/down/ack",
        "<h>/<component>/<node>/<object>/config",
    }
    assert [problem for one in heard if (problem := fault_of(one)) is not None] == []


def test_demo_started_again_takes_over_what_is_there(second: Ended, first: Ended) -> None:
    assert second.code == 0, second.demo.log
    report, before = second.demo.report(), first.demo.report()

    assert "create" in report["reused"]
    assert report["ap50"] == before["ap50"]
    assert report["events"]["stored"] == report["events"]["published"] == len(second.demo.ear.events()) > 0
    second.demo.wait_until_gone()


def fault_of(one: Heard) -> str | None:
    """Return what is wrong with a message by the reference in docs/wire, or none."""
    spec = match_topic(one.topic)
    if spec is None:
        return f"{one.topic}: unknown topic"
    if one.retained is not None and one.retained != spec.retained:
        return f"{one.topic}: retained is {one.retained}"
    if one.qos != spec.qos:
        return f"{one.topic}: QoS {one.qos}"
    if not one.payload:
        return None if spec.retained else f"{one.topic}: nothing in it"
    return fault_in_payload(spec, one)


def fault_in_payload(spec: TopicSpec, one: Heard) -> str | None:
    if isinstance(spec.payload, str):
        return None if is_literal(spec.payload, one.payload) else f"{one.topic}: {one.payload[:40]!r}"
    errors = schema_of(spec.payload).iter_errors(json.loads(one.payload))
    return next((f"{one.topic}: {error.json_path}: {error.message}" for error in errors), None)


def is_literal(form: str, payload: bytes) -> bool:
    if form == "JPEG":
        return payload.startswith(b"\xff\xd8\xff") and payload.endswith(b"\xff\xd9")
    if form == "integer as text":
        return payload.isdigit()
    if form == "ON | OFF | number":
        return payload in {b"ON", b"OFF"} or 0.0 <= float(payload) <= 1.0
    return payload in _LITERALS[form]


@cache
def schema_of(model: type[Document]) -> jsonschema.Draft202012Validator:
    name = next(name for name, candidate in DOCUMENTS.items() if candidate is model)
    return jsonschema.Draft202012Validator(json.loads((_DOCS / f"{name}.schema.json").read_text()))
