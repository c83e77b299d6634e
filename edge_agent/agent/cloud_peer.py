"""Everything that an enrolled agent has with its cloud: desired state, bundles, questions, frames."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_agent.agent.cloud_sync import CloudSync, SyncPorts
from edge_agent.agent.device import agent_version
from edge_agent.agent.installer import Installer
from edge_agent.agent.local_detector import LocalDetector
from edge_agent.agent.nearby import Nearby
from edge_agent.agent.nearby_ask import ProcessAsker
from edge_agent.agent.parts import AgentParts
from edge_agent.agent.settings import SettingsStore
from edge_agent.agent.shadow import ShadowTrial
from edge_agent.config import STARTER, AgentConfig, CloudConfig
from edge_agent.offload.client import OffloadClient, OffloadSite, Question
from edge_agent.offload.quota import ByteQuota
from edge_agent.report.keyframes import KeyFrames
from edge_agent.report.snapshots import encode_jpeg, shrink
from edge_agent.update.identity import Identity
from edge_agent.update.updater import Updater
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.offload import OffloadReply
from edge_agent.wire.sync import BundleTarget, Desired, FrameWanted, Reported

_log = logging.getLogger(__name__)

_OFFLOAD_PX = 320
_OFFLOAD_QUALITY = 80


@dataclass(frozen=True)
class CloudPorts:
    """What the cloud's side works with.

    Attributes:
        updater: Installs bundles; none in safe operation.
        detector: What runs on the camera.
        settings: What people switched.
        keyframes: Clear pictures on the camera.
        fallback: The bundle to run when no installed one is sound.
        on_answer: Takes answers about pictures.
        on_change: Told when what is shown at home may have changed.
        shadow: Tries a candidate beside what runs.
    """

    updater: Updater | None
    detector: LocalDetector
    settings: SettingsStore
    keyframes: KeyFrames | None
    fallback: Path | None
    on_answer: Callable[[Question, OffloadReply], None]
    on_change: Callable[[], None]
    shadow: ShadowTrial | None = None


class CloudPeer:
    """The cloud's side of one session."""

    def __init__(
        self,
        config: AgentConfig,
        cloud: CloudConfig,
        identity: Identity,
        parts: AgentParts,
        ports: CloudPorts,
    ) -> None:
        """Prepare; `start` begins."""
        self._config = config
        self._cloud = cloud
        self._ports = ports
        self._updater = ports.updater
        self._desired: Desired | None = None
        self._approved_sha256: str | None = None
        self._nearby = Nearby(config, ProcessAsker(), self.wake)
        url = identity.enrolment.cloud_url

        def token() -> str:
            return identity.bearer_token(parts.clock)

        self._sync = CloudSync(
            url,
            parts.http,
            SyncPorts(
                token,
                self._take,
                self._reported,
                self._was_reported,
                self._find_frame,
                self._nearby.answer,
                self._nearby.was_answered,
            ),
            device=identity.device,
            poll_s=cloud.poll_s,
            clock=parts.clock,
            rng=parts.rng,
        )
        self._device = identity.device
        self._installer = self._make_installer(ports, parts)
        site = OffloadSite(url, identity.device, token, cloud.offload.timeout_ms)
        self.offload = self._make_offload(site, parts) if self._may_offload else None

    @property
    def _may_offload(self) -> bool:
        return self._cloud.offload.enabled and not self._cloud.never_send_pictures

    @property
    def reachable(self) -> bool:
        """Return whether the cloud answered the last time."""
        return self._sync.reachable

    @property
    def assigned(self) -> BundleTarget | None:
        """Return the bundle that the cloud wants to run."""
        return self._desired.bundle if self._desired else None

    @property
    def running(self) -> BundleTarget | None:
        """Return as what the bundle that runs was published; none when it did not come from the cloud."""
        current = self._updater.current() if self._updater is not None else None
        return current.target if current is not None and current.path == self._ports.detector.path else None

    @property
    def cameras_changed(self) -> bool:
        """Return whether cameras were added or taken out in the portal since this session began."""
        return self._nearby.has_changed

    @property
    def installing(self) -> bool:
        """Return whether an installation is under way."""
        return self._installer is not None and self._installer.phase() != "idle"

    def start(self) -> None:
        """Begin to speak with the cloud."""
        if self._installer is not None:
            self._installer.start()
        if self.offload is not None:
            self.offload.start()
        self._sync.start()

    def stop(self) -> None:
        """Stop; what is under way goes on at the next start."""
        if self.offload is not None:
            self.offload.stop()
        self._nearby.stop()
        self._sync.stop()
        if self._installer is not None:
            self._installer.stop()

    def wake(self) -> None:
        """Look for a new desired state, and report, now."""
        self._sync.wake()

    def install(self) -> None:
        """Install the assigned bundle now, also one that waits to be asked for, or failed before."""
        target = self.assigned
        if self._installer is not None and target is not None:
            self._approved_sha256 = target.sha256
            self._installer.want(target)
        self.wake()

    def offload_detector(self) -> tuple[str, int | None] | None:
        """Return which detector the cloud is to answer with: the one that runs here, or the assigned."""
        manifest = self._ports.detector.manifest
        # The starter is nobody's detector: the cloud has nothing better to answer with.
        if manifest is not None and manifest.name != STARTER:
            ref = manifest.heads[0].detector
            return ref.id, ref.version
        return (self.assigned.detector_id, self.assigned.detector_version) if self.assigned else None

    def _make_installer(self, ports: CloudPorts, parts: AgentParts) -> Installer | None:
        if ports.updater is None:
            return None
        return Installer(
            ports.updater,
            ports.detector,
            fallback=ports.fallback,
            on_change=self._changed,
            clock=parts.clock,
            trial=ports.shadow,
            trial_file=self._config.state_dir / "update" / "shadow.zip",
        )

    def _make_offload(self, site: OffloadSite, parts: AgentParts) -> OffloadClient:
        quota_file = self._config.state_dir / "offload-quota.json"
        quota = ByteQuota(quota_file, daily_bytes=self._cloud.offload.daily_bytes, clock=parts.clock)
        return OffloadClient(
            site, parts.http, encode=_encode, quota=quota, clock=parts.clock, on_answer=self._ports.on_answer
        )

    def _changed(self) -> None:
        self._ports.on_change()
        self._sync.wake()

    def _take(self, desired: Desired) -> None:
        self._desired = desired
        self._ports.settings.take_desired(desired.cameras)
        self._nearby.want(desired.nearby_wanted)
        if self._installer is not None:
            self._installer.want_shadow(_on_trial(desired))
        if desired.bundle is not None:
            has_one = self._ports.detector.manifest is not None
            if self._installer is not None:
                if installs_now(self._cloud.updates, desired.bundle, self._approved_sha256, has_one=has_one):
                    self._installer.want(desired.bundle)
            else:
                _log.warning("safe operation: bundle %s is not installed", desired.bundle.path)
        self._ports.on_change()

    def _reported(self, desired_version: int) -> Reported:
        current = self._updater.current() if self._updater is not None else None
        return Reported(
            device=self._device,
            desired_version=desired_version,
            agent_version=agent_version(),
            profile=self._config.profile,
            installed=current.target if current is not None else None,
            phase=self._installer.phase() if self._installer is not None else "idle",
            outcomes=self._updater.outcomes() if self._updater is not None else (),
            cameras=self._ports.settings.all(),
            shadow=self._ports.shadow.report() if self._ports.shadow is not None else None,
        )

    def _was_reported(self, reported: Reported) -> None:
        if self._updater is not None and reported.outcomes:
            self._updater.mark_reported({outcome.id for outcome in reported.outcomes})

    def _find_frame(self, wanted: FrameWanted) -> bytes | None:
        if self._cloud.never_send_pictures or self._ports.keyframes is None:
            return None
        return self._ports.keyframes.find(wanted)


def _on_trial(desired: Desired) -> BundleTarget | None:
    """Return what is to be tried in the shadow; what is to be installed needs no trial any longer."""
    shadow, bundle = desired.shadow, desired.bundle
    same = shadow is not None and bundle is not None and shadow.sha256 == bundle.sha256
    return None if same else shadow


def installs_now(
    updates: Literal["automatic", "when_asked"],
    target: BundleTarget,
    approved_sha256: str | None,
    *,
    has_one: bool,
) -> bool:
    """Return whether an assigned bundle is installed without anybody asking for it.

    Args:
        updates: What the owner wants.
        target: The bundle.
        approved_sha256: The bundle that somebody asked for.
        has_one: The device has a detector to go on with.
    """
    return updates == "automatic" or not has_one or target.sha256 == approved_sha256


def _encode(rgb: Rgb) -> bytes:
    return encode_jpeg(shrink(rgb, _OFFLOAD_PX), _OFFLOAD_QUALITY)
