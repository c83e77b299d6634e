"""One run of the agent with a fixed set of peers: put together, started, watched, stopped."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.agent.brokers import BrokerPlan
from edge_agent.agent.camera_worker import CameraPorts, CameraWorker
from edge_agent.agent.cure_store import CureStore
from edge_agent.agent.device import boot_id
from edge_agent.agent.home_face import HomeFace
from edge_agent.agent.installer import load_best
from edge_agent.agent.local_detector import LocalDetector
from edge_agent.agent.looks import Looks, make_live_view
from edge_agent.agent.main_streams import MainStreams
from edge_agent.agent.parts import AgentParts
from edge_agent.agent.self_care import SelfCare
from edge_agent.agent.settings import SettingsStore
from edge_agent.agent.speech import make_reporter, plan_speech
from edge_agent.agent.states import OPERATION, Happening, Operation
from edge_agent.agent.stores import (
    make_shadow_trial,
    open_keyframes,
    open_updater_for,
    ram_for_us_bytes,
    snapshot_maker,
)
from edge_agent.agent.vitals import Organs, stats_of
from edge_agent.config import AgentConfig, CameraConfig
from edge_agent.errors import ElfowlError, StorageError
from edge_agent.pipeline.camera_pipeline import CameraPipeline
from edge_agent.pipeline.cure import CureMemory
from edge_agent.pipeline.decide import OffloadSettings
from edge_agent.pipeline.events import CameraIdentity
from edge_agent.pipeline.result import PipelineSettings
from edge_agent.report.commands import (
    Command,
    ForgetCorrections,
    InstallDetector,
    SetSwitch,
    SetThreshold,
)
from edge_agent.report.link import Message
from edge_agent.report.snapshots import encode_jpeg
from edge_agent.wire.correction import Feedback
from edge_agent.wire.live import LookWanted
from edge_agent.wire.offload import OffloadReply
from edge_agent.wire.status import Stats
from edge_agent.wire.sync import CameraSettings, DesiredHint

if TYPE_CHECKING:
    from edge_agent.agent.cloud_peer import CloudPeer
    from edge_agent.offload.client import Question
    from edge_agent.update.identity import Identity

_log = logging.getLogger(__name__)

_FIRST_STATS_S = 5.0
_SOON_STATS_S = 10.0
_STATS_S = 60.0
_MEND_S = 30.0


class Session:
    """Cameras, detector, home and (once enrolled) cloud."""

    def __init__(
        self,
        config: AgentConfig,
        identity: Identity | None,
        parts: AgentParts,
        base: Path | None,
        *,
        safe: bool,
    ) -> None:
        """Put everything together; `start` begins.

        Args:
            config: The config file.
            identity: Who this device is at its cloud, once it joined.
            parts: The outside world.
            base: The bundle of the config file, verified.
            safe: Run that one, and install nothing.
        """
        self._config = config
        self._parts = parts
        self._clock = parts.clock
        self._operation = OPERATION[Operation.BOOT, Happening.CRASH_LOOP] if safe else Operation.BOOT
        self._detector = LocalDetector(parts.open_bundle)
        self._settings = SettingsStore(config.state_dir / "settings.json", config.cameras)
        self._keyframes = open_keyframes(config, parts.clock)
        self._main_streams = MainStreams(config, parts.clock)
        self._looks = Looks(parts.clock)
        self._memory = CureMemory()
        self._cure_store = CureStore(config.state_dir, self._memory, parts.clock)
        self._updater = (
            open_updater_for(identity, config, parts, self._detector)
            if identity is not None and not safe
            else None
        )
        self._base = base
        self._plan = plan_speech(config, identity)
        self._reporter = make_reporter(config, parts, self._plan, self._obey)
        self._care = SelfCare(
            parts.sensors, parts.notifier, parts.clock, ram_bytes=ram_for_us_bytes(config.profile)
        )
        self._shadow = make_shadow_trial(config, parts, self._pipeline_settings(), self._is_free)
        self._peer = self._make_peer(identity)
        self._face = self._make_face(self._plan)
        self._cameras = {camera.name: self._make_camera(camera) for camera in config.cameras}
        self._started_s = self._clock.monotonic_s()
        self._stats_at_s = self._started_s + _FIRST_STATS_S
        self._mend_at_s = 0.0
        self.stats: Stats | None = None
        """As last told."""
        self._organs = Organs(
            config.device, self._cameras, self._reporter, self._care, self._peer, self._shadow
        )
        self._generation_shown = -1
        self._was_installing = self._awaits_first = False
        self._settings.on_change = self._setting_changed

    @property
    def operation(self) -> Operation:
        """Return what the agent does for its owner now."""
        return self._operation

    @property
    def looked(self) -> bool:
        """Return whether the local detector has looked at a picture."""
        return self._detector.looks > 0

    @property
    def outdated(self) -> bool:
        """Return whether cameras came or went, which a new session opens."""
        return self._peer is not None and self._peer.cameras_changed

    def start(self) -> None:
        """Load the detector and begin: to look first, then to speak."""
        candidates = [self._recover_installed(), self._base]
        self._awaits_first = candidates == [None, None]
        load_best(self._detector, candidates)
        if not self._detector.ready and self._operation is Operation.SAFE:
            self._happened(Happening.DETECTOR_LOST)
        self._show_home()
        self._reporter.start()
        for camera in self._cameras.values():
            camera.start()
        if self._peer is not None:
            self._shadow.start()
            self._peer.start()

    def _recover_installed(self) -> Path | None:
        if self._updater is None:
            return None
        try:
            self._updater.recover()
            installed = self._updater.current()
        except StorageError as error:
            _log.error("%s; what is installed cannot be used", error)
            return None
        return installed.path if installed is not None else None

    def tick(self) -> None:
        """Watch; call each second or two.

        Raises:
            BackendError: A camera's thread stands still for so long that only a new start helps.
        """
        self._care.tick(f"operation: {self._operation.value}")
        self._happened(Happening.DETECTOR_READY if self._detector.ready else Happening.DETECTOR_LOST)
        if self._peer is not None:
            installing = self._peer.installing
            self._happened(Happening.CLOUD_UP if self._peer.reachable else Happening.CLOUD_DOWN)
            if installing != self._was_installing:
                self._was_installing = installing
                self._show_detector()
        elif self._config.cloud is not None:
            self._happened(Happening.NOT_ENROLLED)
        if self._detector.generation != self._generation_shown:
            self._show_home()
        now_s = self._clock.monotonic_s()
        if self._detector.failing and now_s >= self._mend_at_s:
            self._mend_at_s = now_s + _MEND_S
            self._mend_detector()
        if now_s >= self._stats_at_s:
            self._stats_at_s = now_s + _STATS_S
            self._cure_store.tick()
            self._reporter.do(self._tell_stats)

    def stop(self) -> None:
        """End events, store everything, say goodbye."""
        self._care.stopping()
        for camera in self._cameras.values():
            camera.stop()
        if self._peer is not None:
            self._peer.stop()
        self._shadow.stop()
        self._reporter.stop()
        self._cure_store.close()
        self._detector.unload()

    def _mend_detector(self) -> None:
        """Load the failing network anew; runtimes do recover from that."""
        path = self._detector.path
        try:
            if path is not None:
                self._detector.load(path)
        except ElfowlError as error:
            _log.error("bundle %s cannot be loaded again: %s", path, error)

    def _happened(self, happening: Happening) -> None:
        before, self._operation = self._operation, OPERATION[self._operation, happening]
        if self._operation is before:
            return
        if self._operation is Operation.BLIND and self._awaits_first and self._detector.generation == 0:
            # How every device begins that just joined its cloud; nothing to be alarmed about.
            _log.info("waiting for the first detector")
            return
        say = _log.error if self._operation in {Operation.BLIND, Operation.SAFE} else _log.info
        say("operation: %s → %s (%s)", before.value, self._operation.value, happening.value)

    def _make_peer(self, identity: Identity | None) -> CloudPeer | None:
        cloud = self._config.cloud
        if identity is None or cloud is None:
            return None
        from edge_agent.agent.cloud_peer import CloudPeer, CloudPorts  # noqa: PLC0415 - only with a cloud

        ports = CloudPorts(
            updater=self._updater,
            detector=self._detector,
            settings=self._settings,
            keyframes=self._keyframes,
            fallback=self._base,
            on_answer=self._answered,
            on_change=self._show_detector,
            shadow=self._shadow,
        )
        return CloudPeer(self._config, cloud, identity, self._parts, ports)

    def _make_face(self, plan: BrokerPlan) -> HomeFace | None:
        if plan.home is None:
            return None
        can_offload = self._peer is not None and self._peer.offload is not None
        return HomeFace(
            self._reporter,
            plan.home[1],
            profile=self._config.profile,
            can_offload=can_offload,
            discovery=plan.discovery,
            frigate=plan.frigate,
        )

    def _is_free(self) -> bool:
        return not self._care.hot and not self._care.pace.interval_s and not self._detector.behind

    def _pipeline_settings(self) -> PipelineSettings:
        cloud = self._config.cloud
        if cloud is None:
            return PipelineSettings()
        return PipelineSettings(offload=OffloadSettings(band=cloud.offload.unsure_band))

    def _make_camera(self, camera: CameraConfig) -> CameraWorker:
        identity = CameraIdentity(self._config.device, camera.name, boot_id())
        pipeline = CameraPipeline(identity, None, {}, rng=self._parts.rng, settings=self._pipeline_settings())
        peer = self._peer
        ports = CameraPorts(
            detector=self._detector,
            reporter=self._reporter,
            settings=self._settings,
            offload=peer.offload if peer is not None else None,
            keyframes=self._keyframes,
            snapshot=snapshot_maker(self._config.snapshots),
            keyframe_jpeg=encode_jpeg,
            offload_detector=peer.offload_detector if peer is not None else lambda: None,
            is_hot=lambda: self._care.hot,
            clock=self._clock,
            blurred=not self._config.snapshots.clear,
            memory=self._memory,
            shadow=self._shadow,
            beat=self._care.progress.watch(f"camera {camera.name}"),
            pace=lambda: self._care.pace,
            live=make_live_view(self._config, self._looks, self._reporter),
            main_stream=self._main_streams.of(camera),
        )
        return CameraWorker(camera, self._parts.open_camera(camera), pipeline, ports)

    def _show_home(self) -> None:
        self._generation_shown = self._detector.generation
        if self._face is not None:
            self._face.show_cameras(list(self._cameras.values()))
            self._face.show_settings(self._settings)
        self._show_detector()

    def _show_detector(self) -> None:
        if self._face is not None:
            self._face.show_detector(self._detector.manifest, self._peer)

    def _setting_changed(self, camera: str, settings: CameraSettings) -> None:
        if self._face is not None:
            self._face.show_setting(camera, settings)
        if self._peer is not None:
            self._peer.wake()

    def _answered(self, question: Question, reply: OffloadReply) -> None:
        self._cameras[question.camera].answer(question.wanted, reply)

    def _obey(self, command: Command) -> None:
        match command:
            case SetSwitch(camera, feature, on):
                self._settings.change(camera, **{feature: on})
            case SetThreshold(camera, threshold):
                self._settings.change(camera, threshold=threshold)
            case InstallDetector() if self._peer is not None:
                self._peer.install()
            case DesiredHint() if self._peer is not None:
                self._peer.wake()
            case LookWanted(camera=camera) if camera in self._cameras:
                self._looks.want(command)
            case ForgetCorrections():
                self._cure_store.forget()
            case Feedback():
                self._cure(command)
                self._pass_on(command)
            case _:
                pass

    def _cure(self, feedback: Feedback) -> None:
        """Take a word on an event to heart here and now, whether or not the cloud hears of it."""
        if (camera := self._cure_store.hear(feedback)) in self._cameras:
            self._cameras[camera].correct(feedback.event_id or "")
            # Who called something wrong wants to see soon what that does.
            self._stats_at_s = min(self._stats_at_s, self._clock.monotonic_s() + _SOON_STATS_S)

    def _pass_on(self, feedback: Feedback) -> None:
        """Bring feedback given at home to the cloud; at a shared broker the cloud hears it by itself."""
        if self._plan.cloud is not None and not self._plan.shared:
            topic = self._plan.cloud[1].feedback
            self._reporter.to_cloud(Message(topic, feedback.to_json().encode()))

    def _tell_stats(self) -> None:
        stats = stats_of(self._organs, self._operation, self._clock.monotonic_s() - self._started_s)
        self.stats = stats
        self._reporter.publish(lambda home: home.stats(stats))
