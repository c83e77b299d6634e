"""Content for the pictures of the pages: cameras, events, a roll-out, alerts, around a taught detector."""

from __future__ import annotations

import base64
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud.actions.open_home import open_home
from cloud.client import CloudClient
from cloud.datasets.coco import CocoImage
from cloud.datasets.frames import PictureSource
from cloud.datasets.pictures import read_picture
from cloud.demo.patience import PatientCloud
from cloud.demo.screen import screen_for
from cloud.demo.teach import enrol_student, read_lessons
from cloud.ingest.batches import store_batch
from cloud.samples.catalog import find_sample_task
from cloud.samples.footage import SystemCommandRunner, obtain_clip
from cloud.settings import Settings
from cloud.store import bundles, devices
from cloud.store.database import open_database
from cloud.store.tables import Device
from edge_agent.clock import SystemClock
from edge_agent.report.snapshots import encode_jpeg, make_snapshot
from edge_agent.wire.detection import DetectorRef, FrameSize
from edge_agent.wire.event import Zones
from edge_agent.wire.rules import CameraRules, ZoneRule
from edge_agent.wire.status import CameraStats, Stats
from edge_agent.wire.sync import BatchItem, BundleTarget, CameraSettings, EventBatch, Reported
from tests.fakes.events import make_event
from tests.system.portal_server import PortalServer
from tests.system.streaming import add_seeing_detector

CAMERAS = {"porch": "front", "barn": "aisle", "gate": "drive"}
"""Device to its camera."""
CLOCK = SystemClock()
_TASK = find_sample_task("persons")
_LESSONS = read_lessons(_TASK)
_DAY_S, _HOUR_S = 86_400.0, 3600.0
_DAYS, _EVENTS_A_DAY = 7, 9
_PROFILE = "pi-4"
_JOB_S = 900.0

Scene = tuple[NDArray[np.uint8], CocoImage]


def obtain_footage(cache: Path) -> Path:
    """Return the clip that the sample task's labels belong to."""
    return obtain_clip(_TASK, cache_dir=cache, runner=SystemCommandRunner(), report=lambda _line: None)


def scenes(clip: Path, count: int) -> list[Scene]:
    """Return labelled frames of the clip with somebody in them, spread over it."""
    images = [one for one in (*_LESSONS.teach, *_LESSONS.correct, *_LESSONS.test) if one.boxes]
    chosen = images[:: max(1, len(images) // count)][:count]
    return [(read_picture(PictureSource(clip, one.frame_index)), one) for one in chosen]


class PicturedHome:
    """Fills the home of a server in which somebody is logged in."""

    def __init__(self, server: PortalServer, token: str, clip: Path) -> None:
        self._server, self._clip = server, clip
        self._cloud = PatientCloud(CloudClient(server.url, token=token), CLOCK)
        self._scenes = scenes(clip, 16)
        self.detector: dict[str, Any] = {}
        self.bundle_id = ""
        self.event_id = ""
        self.labelled_frame = 0

    @property
    def path(self) -> str:
        return f"/detectors/{self.detector['id']}"

    def fill(self) -> None:
        """Add all that the pages show; a detector too, when the home has none with two versions."""
        found = [self._cloud.get(f"/detectors/{one['id']}") for one in self._cloud.get("/detectors")]
        taught = [one for one in found if len(one["versions"]) >= 2]
        self.detector = taught[0] if taught else self._teach()
        made = self._cloud.get(f"{self.path}/bundles")
        self.bundle_id, self._old_bundle_id = made[0]["id"], made[-1]["id"]
        self._old, self._new = self._publish(self._old_bundle_id), self._publish(self.bundle_id)
        self._begin_another()
        self._add_cameras()
        self._add_events()
        self._add_fleet()
        self._add_words()
        self._add_attribute()
        self._measure()

    def fill_few(self) -> None:
        """Add a detector that nobody taught, and events: all that some pages need."""
        home = open_home(Settings(home=self._server.home), CLOCK)
        detector = add_seeing_detector(home, _TASK.title, ("person", "dog"), threshold=0.6)
        home.database.close()
        self.detector = self._cloud.get(f"/detectors/{detector}")
        self._add_events()

    def _teach(self) -> dict[str, Any]:
        with screen_for(sys.stderr, CLOCK).step("Teach a detector") as step:
            student = enrol_student(self._cloud, _TASK.title, self._clip, _LESSONS, step)
            student.label(_LESSONS.teach[:6])
            student.train(step)
            student.compress(_PROFILE, step)
            student.label(_LESSONS.teach)
            student.train(step)
            student.compress(_PROFILE, step)
        made: dict[str, Any] = self._cloud.get(f"/detectors/{student.detector_id}")
        return made

    def _publish(self, bundle_id: str) -> BundleTarget:
        self._cloud.post(f"{self.path}/publish", {"bundle": bundle_id})
        with open_database(self._server.home / "elfowl.sqlite").read() as session:
            return BundleTarget.from_json(bundles.find(session, bundle_id).target or "")

    def _begin_another(self) -> None:
        """Begin a detector that nobody has trained yet."""
        made = self._cloud.post("/detectors", {"name": "parcel at the door", "labels": ["parcel"]})
        for number, (rgb, _image) in enumerate(self._scenes[-3:]):
            files = {"file": (f"door-{number}.jpg", encode_jpeg(rgb[180:430, 380:720].copy(), 90))}
            self._server.http.post(f"/detectors/{made['id']}/media", files=files).raise_for_status()

    def _add_cameras(self) -> None:
        now_s = CLOCK.now_s()
        with open_database(self._server.home / "elfowl.sqlite").write() as session:
            for number, (name, camera) in enumerate(CAMERAS.items()):
                online = name != "barn"
                devices.enrol(
                    session,
                    Device(
                        name=name, public_key_pem="none", profile=_PROFILE, arch="aarch64",
                        agent_version="0.1.0",
                        state="enrolled", enrolled=now_s - 30 * _DAY_S, online=online, group="yard",
                        last_seen=now_s - (8 if online else 5 * _HOUR_S), labels=["outdoors"],
                        stats=_stats(name, camera, number).to_json(),
                    ),
                )  # fmt: skip
                # The first camera has got already what the roll-out brings.
                target = self._new if number == 0 else self._old
                devices.put_reported(session, _reported(name, camera, target), now_s=now_s)

    def _add_events(self) -> None:
        now_s = CLOCK.now_s()
        for place, (device, camera) in enumerate(CAMERAS.items()):
            items = tuple(self._items(device, camera, now_s, place))
            with open_database(self._server.home / "elfowl.sqlite").write() as session:
                store_batch(session, EventBatch(device=device, epoch="epoch-1", items=items), now_s=now_s)
            self.event_id = items[-1].event.id

    def _items(self, device: str, camera: str, now_s: float, place: int) -> Iterator[BatchItem]:
        """Give events by day more than by night, the last of them some minutes ago."""
        random, least = np.random.default_rng(place), self._least_score()
        ago_s = [
            day * _DAY_S + float(random.triangular(0.1, 5, 14)) * _HOUR_S
            for day in range(_DAYS)
            for _ in range(_EVENTS_A_DAY - place * 2)
        ]
        for number, start_s in enumerate(sorted(now_s - one for one in ago_s)):
            rgb, image = self._scenes[(number * 3 + place) % len(self._scenes)]
            box = image.boxes[number % len(image.boxes)].box_xyxy_norm
            end_s = start_s + float(random.uniform(4, 90))
            event = make_event(number + 1, camera=camera, event_type="end", label=self.detector["labels"][0])
            event = event.model_copy(
                update={
                    "id": f"{start_s:.3f}-{camera}-{number + 1}", "device": device, "start_time": start_s,
                    "frame_time": end_s, "end_time": end_s, "box": box,
                    "top_score": round(float(random.uniform(least, 0.97)), 2), "score": least,
                    "frame_size": FrameSize(width_px=rgb.shape[1], height_px=rgb.shape[0]),
                    "zones": Zones(entered=("door",) if number % 3 == 0 else ()),
                    "answered_by": "cloud" if number % 5 == 0 else "local",
                    "detector": DetectorRef(
                        id=self.detector["id"], name=self.detector["name"], version=1, precision="int8"
                    ),
                }
            )  # fmt: skip
            jpeg = make_snapshot(rgb, np.asarray([box], np.float32), style="boxes")
            yield BatchItem(
                seq=number + 1, event=event, thumbnail_jpeg_base64=base64.b64encode(jpeg).decode()
            )

    def _least_score(self) -> float:
        """Return from which score the detector in use counts: some events are near it, to be reviewed."""
        used = [one for one in self.detector["versions"] if one["version"] == self.detector["in_use"]]
        known = used[0]["metrics"].get("threshold") if used else None
        return round(float(known or 0.55), 2)

    def _add_fleet(self) -> None:
        for name in list(CAMERAS)[1:]:
            self._cloud.post(f"/devices/{name}/assign", {"bundle_id": self._old_bundle_id})
        plan = {
            "name": f"{self.detector['name']} on all yards", "bundle_ids": [self.bundle_id],
            "selector": {"groups": ["yard"]}, "canary_devices": ["porch"], "shares": [0.5, 1.0],
        }  # fmt: skip
        self._cloud.post("/rollouts", plan)
        self._cloud.post("/accounts", {"name": "Bert", "password": "wrong donkey charger", "role": "viewer"})

    def _add_words(self) -> None:
        """Save a search, and make alerts."""
        label = self.detector["labels"][0]
        search = self._cloud.post(
            "/searches", {"name": "at the door", "query": f"{label} in zone door", "timezone": "UTC"}
        )
        channel = "json://127.0.0.1:9/doorbell"
        self._cloud.post(
            "/alerts",
            {"name": "Somebody at night", "labels": [label], "hours": ["22:00-06:00"], "channels": [channel]},
        )
        self._cloud.post(
            "/alerts",
            {"name": "Door", "search": search["id"], "quiet": ["23:00-06:00"], "channels": [channel]},
        )
        self._cloud.post("/corrections", {"verdict": "right", "event_id": self.event_id, "device": "gate"})

    def _add_attribute(self) -> None:
        path = f"{self.path}/attributes"
        label = self.detector["labels"][0]
        body = {"name": "coat", "labels": [label], "values": ["dark", "light"], "allow_people_by": "Anna"}
        self._cloud.post(path, body)
        unsorted = self._cloud.get(f"{path}/coat/unsorted", limit=40)["boxes"]
        self.labelled_frame = unsorted[0]["frame_index"]
        for number, one in enumerate(unsorted[::4]):
            example = {name: one[name] for name in ("media_id", "frame_index", "box")}
            value = ("dark", "light")[number % 2]
            self._cloud.post(f"{path}/coat/examples", {**example, "value": value})

    def add_streams(self) -> None:
        """Let the cloud watch; what it sees soon fills all other pages, so these come first."""
        folder = self._server.home / "recordings"
        folder.mkdir(exist_ok=True)
        shutil.copy(self._clip, folder / "yard.avi")
        addresses = {"yard": "yard.avi", "street": "rtsp://192.168.1.20/street"}
        for name, address in addresses.items():
            body = {"name": name, "address": address, "detectors": [self.detector["id"]]}
            self._cloud.post("/streams", {**body, "settings": {"fps": 1.0}})
        self._cloud.post("/streams/street/pause")

    def _measure(self) -> None:
        """Let both versions be measured and compared, and a video be watched: what these pages show."""
        media = self._cloud.get(f"{self.path}/media")
        teach = next(one["id"] for one in media if one["role"] == "teach")
        self._cloud.post(f"{self.path}/watch", {"media_id": teach, "frames": "motion"})
        self._cloud.post(f"{self.path}/versions/2/evaluate")
        self._cloud.post(f"{self.path}/compare?a=1&b=2")

    def wait_for_jobs(self) -> None:
        """Wait until what was begun is done."""

        def look() -> bool | None:
            states = {job["state"] for job in self._cloud.get(f"{self.path}/jobs")}
            return None if states & {"queued", "running"} else True

        self._cloud.wait_for("the jobs", look, _JOB_S)


def _reported(name: str, camera: str, target: BundleTarget) -> Reported:
    zone = ZoneRule(name="door", corners=((0.55, 0.45), (0.95, 0.45), (0.95, 0.95), (0.55, 0.95)))
    settings = CameraSettings(rules=CameraRules(zones=(zone,)))
    return Reported(
        device=name, desired_version=0, agent_version="0.1.0", profile=_PROFILE, installed=target,
        cameras={camera: settings},
    )  # fmt: skip


def _stats(name: str, camera: str, number: int) -> Stats:
    shown = CameraStats(
        fps_captured=9.8 + number / 10, fps_inferred=2.1, frames_skipped=81_200, frames_dropped=3,
        gate_ratio=0.21 + number / 20, inference_ms_p50=92.0, inference_ms_p99=118.0,
    )  # fmt: skip
    return Stats(
        device=name, agent_version="0.1.0", uptime_s=9 * _DAY_S, cameras={camera: shown},
        rss_bytes=310_000_000, temperature_c=51.0 + number,
    )  # fmt: skip
