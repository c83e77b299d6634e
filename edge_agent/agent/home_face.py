"""What the agent shows at home: entities, settings, the detector."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from edge_agent.agent.camera_worker import CameraWorker
from edge_agent.agent.device import agent_version, temperature_c
from edge_agent.agent.reporter import Reporter
from edge_agent.agent.settings import SettingsStore
from edge_agent.report.discovery import (
    CameraEntity,
    DeviceEntity,
    LabelEntity,
    discovery_documents,
    state_topics,
)
from edge_agent.report.frigate import Frigate
from edge_agent.report.publisher import Publisher
from edge_agent.wire.manifest import Manifest
from edge_agent.wire.status import UpdateState
from edge_agent.wire.sync import BundleTarget, CameraSettings
from edge_agent.wire.topics import Topics

_NONE = "none"
_THRESHOLD = 0.5


class Updates(Protocol):
    """What is needed of a `CloudPeer`."""

    @property
    def running(self) -> BundleTarget | None:
        """Return as what the bundle that runs was published; none when it did not come from the cloud."""
        ...

    @property
    def assigned(self) -> BundleTarget | None:
        """Return the bundle that the cloud wants to run."""
        ...

    @property
    def installing(self) -> bool:
        """Return whether an installation is under way."""
        ...


class HomeFace:
    """Says what there is; called whenever something of it changed, from any thread."""

    def __init__(
        self,
        reporter: Reporter,
        topics: Topics,
        *,
        profile: str,
        can_offload: bool,
        discovery: bool,
        frigate: Frigate | None = None,
    ) -> None:
        """Speak through `reporter`; without `discovery` Home Assistant is told of no entities."""
        self._frigate = frigate
        self._reporter = reporter
        self._topics = topics
        self._profile = profile
        self._can_offload = can_offload
        self._discovery = discovery
        self._lowest: dict[str, float] = {}

    def show_cameras(self, cameras: Sequence[CameraWorker]) -> None:
        """Say which cameras and labels there are."""
        shown = [
            CameraEntity(
                camera.name,
                tuple(LabelEntity(rule.name, slug) for slug, rule in camera.labels().items()),
                self._can_offload,
            )
            for camera in cameras
        ]
        self._lowest = {camera.name: _lowest_threshold(camera) for camera in cameras}
        device = DeviceEntity(agent_version(), self._profile, temperature=temperature_c() is not None)
        entities = discovery_documents(self._topics, device, shown) if self._discovery else []
        states = state_topics(self._topics, shown)
        if self._frigate is not None:
            states += self._frigate.state_topics(shown)
        self._reporter.publish(lambda home: home.declare(entities, states))

    def show_settings(self, settings: SettingsStore) -> None:
        """Say how all switches stand."""
        for camera, of_camera in settings.all().items():
            self.show_setting(camera, of_camera)

    def show_setting(self, camera: str, settings: CameraSettings) -> None:
        """Say how the switches of one camera stand."""
        threshold = settings.threshold
        if threshold is None:
            threshold = self._lowest.get(camera, _THRESHOLD)
        self._reporter.publish(partial(_say_settings, camera, settings, threshold))

    def show_detector(self, manifest: Manifest | None, updates: Updates | None) -> None:
        """Say what runs, and what the cloud wants to run, if there is one; see `update_state`."""
        state = update_state(manifest, None, None)
        if updates is not None:
            state = update_state(manifest, updates.running, updates.assigned, in_progress=updates.installing)
        self._reporter.publish(lambda home: home.detector(state))


def update_state(
    manifest: Manifest | None,
    installed: BundleTarget | None,
    latest: BundleTarget | None,
    *,
    in_progress: bool = False,
) -> UpdateState:
    """Return what Home Assistant's `update` entity shows: both versions are equal only for the same bundle.

    Args:
        manifest: Of the bundle that runs; none: nothing runs.
        installed: As what that one was published, if it came from the cloud: its manifest was written before,
            and knows no release of the cloud's.
        latest: The bundle that the cloud wants to run, if any.
        in_progress: An installation is under way.
    """
    # A bundle that is published again has a new release, and stays the same.
    same = installed is not None and latest is not None and installed.sha256 == latest.sha256
    runs = latest if same else installed
    version = version_of_target(runs) if runs is not None else version_of_manifest(manifest)
    return UpdateState(
        installed_version=version,
        latest_version=version_of_target(latest) if latest is not None else version,
        title="Detector",
        in_progress=in_progress,
    )


def version_of_manifest(manifest: Manifest | None) -> str:
    """Return how people read the version of a bundle that runs."""
    if manifest is None:
        return _NONE
    ref = manifest.heads[0].detector
    return f"{ref.name} {ref.version} (release {manifest.release})"


def version_of_target(target: BundleTarget) -> str:
    """Return how people read the version of a bundle that is assigned."""
    return f"{target.detector_name} {target.detector_version} (release {target.release})"


def _lowest_threshold(camera: CameraWorker) -> float:
    """Return from which score on a camera reports anything, as long as nobody changed that."""
    return min((rule.threshold for rule in camera.labels().values()), default=_THRESHOLD)


def _say_settings(camera: str, settings: CameraSettings, threshold: float, home: Publisher) -> None:
    home.switch(camera, "detect", _on_off(settings.detect))
    home.switch(camera, "snapshots", _on_off(settings.snapshots))
    home.switch(camera, "offload", _on_off(settings.offload))
    home.switch(camera, "threshold", f"{threshold:.4g}")


def _on_off(value: bool) -> str:
    return "ON" if value else "OFF"
