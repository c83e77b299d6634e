"""`elfowl-cloud demo`: examples → detector → bundle → camera → events → correction → better detector."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from cloud.client import CloudClient
from cloud.datasets.coco import CocoImage
from cloud.datasets.frames import PictureSource
from cloud.datasets.pictures import read_picture
from cloud.demo.listener import EventListener
from cloud.demo.patience import PatientCloud
from cloud.demo.person import Mistakes, choose_worst, find_mistakes
from cloud.demo.report import DemoReport
from cloud.demo.screen import Screen, screen_for
from cloud.demo.stack import CameraPlan, Stack, end_by_signal
from cloud.demo.teach import Student, a_few_of, enrol_student, find_student, read_lessons
from cloud.errors import InputError
from cloud.samples.catalog import SampleTask, find_sample_task
from cloud.samples.footage import SystemCommandRunner, obtain_clip
from cloud.settings import Settings
from edge_agent.clock import Clock, SystemClock
from edge_agent.errors import ElfowlError
from edge_agent.pipeline.detect import BundleDetector

DEVICE = "demo-camera"
PROFILE = "pi-4"
_FIRST_FRAMES = 3
_CORRECTED_FRAMES = 10
_WATCH_S = 45.0
_ENOUGH_EVENTS = 12
_DRAIN_S = 30.0


@dataclass(frozen=True)
class DemoOptions:
    """What the command line asked for."""

    settings: Settings
    once: bool = False
    json_path: Path | None = None
    footage: Path | None = None


def main_demo(options: DemoOptions, clock: Clock | None = None) -> int:
    """Run the demo; return the exit code.

    Raises:
        ElfowlError: A step failed; the text says which, and what to do.
    """
    clock = clock or SystemClock()
    end_by_signal()
    screen = screen_for(sys.stderr, clock)
    stack = Stack(options.settings, clock)
    try:
        demo = Demo(options, stack, screen, clock)
        demo.run()
        if not options.once:
            demo.go_on_watching()
            screen.say(f"\nThe portal stays open at {stack.url} ; Ctrl-C ends it.")
            while True:
                clock.sleep(3600)
    except KeyboardInterrupt:
        screen.say("Stopping ...")
        return 0 if not options.once else 130
    finally:
        stack.stop()
    return 0


class Demo:
    """The steps in their order; each leaves its figures in the report."""

    def __init__(self, options: DemoOptions, stack: Stack, screen: Screen, clock: Clock) -> None:
        self._options = options
        self._home = options.settings.home
        self._stack = stack
        self._screen = screen
        self._clock = clock
        self._start_s = clock.monotonic_s()
        self._start_utc_s = clock.now_s()
        self._report = DemoReport(portal=stack.url)
        self._task = find_sample_task("persons")
        self._lessons = read_lessons(self._task)
        self._cloud = PatientCloud(CloudClient(stack.url), clock)

    def run(self) -> DemoReport:
        """Run all steps and write the report."""
        self._screen.say(f"elfowl demo. Everything it makes lies in {self._home}")
        clip = self._get_footage(self._task)
        with self._screen.step("Start broker and cloud"):
            self._stack.start_server_side()
        self._screen.say(
            f"  portal: {self._stack.url}   MQTT: mosquitto_sub -p {self._stack.broker_port} -v -t '#'"
        )
        listener = EventListener(self._stack.broker_port)
        stored_before = self._stored()
        student, found = self._create(clip)
        if found is None or len(found["versions"]) < 2:
            self._first_round(student, clip)
            self._correct(student, clip)
        else:
            self._resume(student, clip)
        self._teach_product()
        self._count_events(listener, stored_before)
        self._report.seconds["total"] = self._elapsed_s()
        self._show()
        return self._report

    def go_on_watching(self) -> None:
        """Start the camera again, so that there is something to look at in the portal."""
        self._start_camera(self._get_footage(self._task))

    def _get_footage(self, task: SampleTask) -> Path:
        with self._report.timed("footage", self._clock):
            if self._options.footage is not None:
                return self._own_footage(self._options.footage, task)
            folder = self._options.settings.cache_path / "footage"
            return obtain_clip(task, cache_dir=folder, runner=SystemCommandRunner(), report=self._screen.say)

    def _own_footage(self, footage: Path, task: SampleTask) -> Path:
        clip = footage / task.clip_file_name if footage.is_dir() else footage
        if not clip.is_file():
            message = f"--footage {footage}: there is no {task.clip_file_name} (from the package opencv-doc)"
            raise InputError(message)
        return clip

    def _create(self, clip: Path) -> tuple[Student, dict[str, Any] | None]:
        found = find_student(self._cloud, self._task.title)
        if found is not None:
            self._report.reused.append("create")
            self._recall()
            return found
        # So few as people begin with: what they correct later is to make a difference.
        examples = a_few_of(self._lessons.teach, _FIRST_FRAMES)
        title = f"Teach '{self._task.title}' from {len(examples)} frames"
        with self._screen.step(title) as step, self._report.timed("create", self._clock):
            student = enrol_student(self._cloud, self._task.title, clip, self._lessons, step)
            student.label(examples)
            student.train(step)
        return student, None

    def _first_round(self, student: Student, clip: Path) -> None:
        with self._report.timed("compress", self._clock):
            result = self._compress(student, f"Shrink it for a camera ({PROFILE})")
        self._note_bundle(result)
        self._report.ap50["before_correction"] = result["ap50"]["full"]
        with (
            self._report.timed("deploy", self._clock),
            self._screen.step("Sign, enrol a camera, send") as step,
        ):
            self._start_camera(clip)
            step.update(0.3, "the camera joins")
            self._wait_until_enrolled()
            step.update(0.6, "it fetches, verifies and tries the bundle")
            self._wait_until_installed(student.send(result["bundle"], DEVICE))
        self._watch(student)

    def _watch(self, student: Student, enough_events: int = _ENOUGH_EVENTS) -> None:
        with self._screen.step("Watch what it sees") as step:
            self._cloud.wait_for("the first event", lambda: self._events(student) or None, 120.0)
            self._report.seconds["first_event"] = self._elapsed_s()
            end_s = self._clock.monotonic_s() + _WATCH_S
            while (left_s := end_s - self._clock.monotonic_s()) > 0:
                events = self._events(student)
                asked = [event for event in events if event["answered_by"] == "cloud"]
                words = f"{len(events)} events, {len(asked)} answered by the cloud"
                step.update(1 - left_s / _WATCH_S, words, left_s)
                if len(events) >= enough_events and asked:
                    break
                self._clock.sleep(1.0)

    def _correct(self, student: Student, clip: Path) -> None:
        before = self._mistakes(student, clip)
        worst = choose_worst(before, _CORRECTED_FRAMES)
        self._report.mistakes["before"] = sum(m.count for m in before)
        self._screen.say(
            f"  a person looks at {len(before)} frames: {sum(len(m.missed) for m in before)} missed, "
            f"{sum(len(m.wrong) for m in before)} wrong; corrects the {len(worst)} worst"
        )
        self._mark_a_live_event(student)
        with self._report.timed("correction_to_camera", self._clock):
            chosen = {m.frame_index for m in worst}
            student.label(image for image in self._lessons.correct if image.frame_index in chosen)
            with self._screen.step("Retrain with the corrections") as step:
                compared = student.train(step).get("compared")
            if self._is_worse(compared):
                self._report.ap50["after_correction"] = self._report.ap50["before_correction"]
                self._report.mistakes["after"] = self._report.mistakes["before"]
                return
            result = self._compress(student, "Shrink the new one")
            with self._screen.step("Send it to the camera"):
                self._wait_until_installed(student.send(result["bundle"], DEVICE))
        self._note_bundle(result)
        self._report.ap50["after_correction"] = result["ap50"]["full"]
        self._report.mistakes["after"] = sum(m.count for m in self._mistakes(student, clip))

    def _is_worse(self, compared: dict[str, Any] | None) -> bool:
        """Say how the new version compares with the old one; a worse one is not sent."""
        if compared is None:
            return False
        self._screen.say(f"  {compared['words']}")
        self._report.verdict = compared["verdict"]
        return bool(compared["verdict"] == "worse")

    def _mark_a_live_event(self, student: Student) -> None:
        events = self._events(student)
        if events:
            self._cloud.post("/corrections", {"verdict": "right", "event_id": events[0]["id"]})

    def _resume(self, student: Student, clip: Path) -> None:
        self._report.reused += ["compress", "deploy", "correction_to_camera"]
        self._start_camera(clip)
        self._watch(student, enough_events=1)

    def _teach_product(self) -> None:
        task = find_sample_task("biscuit-box")
        if find_student(self._cloud, task.title) is not None:
            return
        lessons = read_lessons(task)
        clip = self._get_footage(task)
        with self._screen.step(f"Teach '{task.title}' from {len(lessons.teach)} frames") as step:
            student = enrol_student(self._cloud, task.title, clip, lessons, step)
            student.label(lessons.teach)
            self._report.products[task.name] = student.train(step).get("ap50")

    def _compress(self, student: Student, title: str) -> dict[str, Any]:
        with self._screen.step(title) as step:
            return student.compress(PROFILE, step)

    def _note_bundle(self, result: dict[str, Any]) -> None:
        ap50 = result["ap50"]
        self._report.ap50 |= {
            "full": ap50["full"], "tflite_int8": ap50["litert_int8"], "onnx_int8": ap50["onnx_int8"],
        }  # fmt: skip
        self._report.bundle_bytes = {form: made["bytes"] for form, made in result["bundles"].items()}

    def _start_camera(self, clip: Path) -> None:
        token_file = self._home / "demo" / "enrol-token"
        token_file.parent.mkdir(parents=True, exist_ok=True)
        token_file.write_text(self._cloud.post("/enrolment-tokens")["token"])
        token_file.chmod(0o600)
        self._stack.start_camera(CameraPlan(DEVICE, PROFILE, clip, token_file))

    def _wait_until_enrolled(self) -> None:
        def look() -> str | None:
            names = [device["name"] for device in self._cloud.get("/devices")]
            return DEVICE if DEVICE in names else None

        self._cloud.wait_for(f"the camera (log: {self._stack.log_of('agent')})", look, 60.0)

    def _wait_until_installed(self, sha256: str) -> None:
        def look() -> bool | None:
            reported = self._cloud.get(f"/devices/{DEVICE}")["reported"] or {}
            for outcome in reported.get("outcomes", []):
                if outcome["bundle_sha256"] == sha256 and outcome["outcome"] == "failure":
                    message = f"the camera refused the bundle: {outcome['reason']}"
                    raise ElfowlError(message)
            return True if (reported.get("installed") or {}).get("sha256") == sha256 else None

        self._cloud.wait_for(f"the camera's new detector (log: {self._stack.log_of('agent')})", look, 120.0)

    def _events(self, student: Student) -> list[dict[str, Any]]:
        """Return what the camera saw since this demo began, newest first."""
        rows = self._cloud.get("/events", detector=student.detector_id, limit=500)
        return [row["event"] for row in rows if row["event"]["start_time"] > self._start_utc_s]

    def _mistakes(self, student: Student, clip: Path) -> list[Mistakes]:
        """Run the camera's bundle on frames whose truth is known, and compare."""
        bundles = self._cloud.get(f"/detectors/{student.detector_id}/bundles")
        path = self._home / "demo" / "newest-bundle.zip"
        path.write_bytes(self._cloud.download(f"/bundles/{bundles[0]['id']}/bundle.zip"))
        detector = BundleDetector.open(path)
        return [_look_at(detector, clip, image) for image in self._lessons.correct]

    def _count_events(self, listener: EventListener, stored_before: int) -> None:
        """Stop the camera so that its spool drains, then compare what was said with what is stored."""
        with self._screen.step("Let the camera send all it has"):
            self._stack.stop_camera()
            deadline_s = self._clock.monotonic_s() + _DRAIN_S
            while self._stored() - stored_before < listener.count and self._clock.monotonic_s() < deadline_s:
                self._clock.sleep(0.5)
        listener.close()
        self._report.events = {"published": listener.count, "stored": self._stored() - stored_before}
        self._report.offloads = self._cloud.get("/health")["offload"]["answered"]

    def _stored(self) -> int:
        return int(self._cloud.get("/health")["event_documents"])

    def _recall(self) -> None:
        """Take over the figures of the run that made what is reused."""
        path = self._home / "demo" / "report.json"
        if path.is_file():
            earlier = json.loads(path.read_text())
            for field in fields(DemoReport):
                if field.name in {"seconds", "ap50", "bundle_bytes", "mistakes", "products", "verdict"}:
                    setattr(
                        self._report, field.name, earlier.get(field.name, getattr(self._report, field.name))
                    )

    def _elapsed_s(self) -> float:
        return round(self._clock.monotonic_s() - self._start_s, 2)

    def _show(self) -> None:
        report = self._report
        report.write(self._home / "demo" / "report.json")
        if self._options.json_path is not None:
            report.write(self._options.json_path)
        for name, value in asdict(report).items():
            self._screen.say(f"  {name}: {value}")


def _look_at(detector: BundleDetector, clip: Path, image: CocoImage) -> Mistakes:
    rgb = read_picture(PictureSource(clip, image.frame_index))
    truth = [box.box_xyxy_norm for box in image.boxes]
    return find_mistakes(image.frame_index or 0, truth, detector.detect(rgb))
