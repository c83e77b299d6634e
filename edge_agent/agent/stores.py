"""Opens what a session works with, by the config file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edge_agent.agent.device import agent_version, rss_bytes
from edge_agent.agent.installer import HealthWatch
from edge_agent.agent.local_detector import LocalDetector
from edge_agent.agent.parts import AgentParts
from edge_agent.agent.shadow import ShadowTrial, Spare
from edge_agent.agent.thrift import give_back_seldom_used
from edge_agent.clock import Clock
from edge_agent.config import AgentConfig, SnapshotsConfig
from edge_agent.errors import ConfigError, StorageError
from edge_agent.pipeline.result import PipelineSettings
from edge_agent.report.keyframes import KeyFrames
from edge_agent.report.snapshots import SnapshotStyle, make_snapshot
from edge_agent.runtime.profiles import find_profile, is_small
from edge_agent.update.pace import Pace
from edge_agent.vision.arrays import Float32, Rgb

if TYPE_CHECKING:
    from edge_agent.report.outbox import Outbox
    from edge_agent.report.webhooks import Webhook, WebhookTarget
    from edge_agent.update.identity import Identity
    from edge_agent.update.updater import Updater

_log = logging.getLogger(__name__)


def open_keyframes(config: AgentConfig, clock: Clock) -> KeyFrames | None:
    """Return the clear pictures that stay on the camera; none when its disk fails, which is logged."""
    try:
        return KeyFrames(
            config.state_dir / "keyframes",
            config.state_dir / "keyframes.key",
            max_bytes=config.storage.keyframes_bytes,
            daily_bytes=config.storage.keyframes_daily_bytes,
            clock=clock,
            after_sealing=give_back_seldom_used if is_small(ram_for_us_bytes(config.profile)) else None,
        )
    except StorageError as error:
        _log.error("%s; no key frames are kept", error)
        return None


def webhook_targets(config: AgentConfig) -> list[WebhookTarget]:
    """Return where events are posted.

    Raises:
        ConfigError: The file of a secret cannot be read.
    """
    if not config.webhooks:
        return []
    from edge_agent.report.webhooks import WebhookTarget  # noqa: PLC0415 - brings httpx

    return [
        WebhookTarget(hook.name, hook.url, hook.read_secret(), hook.events, hook.give_up_after_s)
        for hook in config.webhooks
    ]


def open_webhooks(targets: Sequence[WebhookTarget], outbox: Outbox, clock: Clock) -> list[Webhook]:
    """Return what posts events to each of `targets`."""
    if not targets:
        return []
    from edge_agent.report.webhooks import Webhook  # noqa: PLC0415 - brings httpx

    return [Webhook(target, outbox, clock) for target in targets]


def make_shadow_trial(
    config: AgentConfig, parts: AgentParts, settings: PipelineSettings, is_free: Callable[[], bool]
) -> ShadowTrial:
    """Return what tries candidates beside the detector that runs.

    Args:
        config: The config file.
        parts: The outside world.
        settings: Of the cameras' pipelines.
        is_free: Returns whether the device is neither hot nor behind.
    """
    spare = Spare(config.shadow.cpu_share, ram_for_us_bytes(config.profile), rss_bytes, is_free)
    return ShadowTrial(parts.open_bundle, spare, parts.clock, settings=settings)


def open_updater_for(
    identity: Identity, config: AgentConfig, parts: AgentParts, detector: LocalDetector
) -> Updater | None:
    """Return what installs bundles; none when its disk fails, which is logged."""
    from edge_agent.update import assembly  # noqa: PLC0415 - only with a cloud

    pace = cameras_pace(config)
    watch = HealthWatch(detector, parts.clock, pace)
    smoke = assembly.paced_smoke_test(pace, lambda: detector.path)
    try:
        return assembly.open_updater(
            identity.enrolment,
            config.state_dir,
            profile=config.profile,
            agent_version=agent_version(),
            parts=assembly.default_parts(parts.http, parts.clock, watch, smoke),
        )
    except StorageError as error:
        _log.error("%s; nothing can be installed", error)
        return None


def cameras_pace(config: AgentConfig) -> Pace:
    """Return what a new detector has to keep up with: the fastest camera, generously."""
    fps = max((camera.fps for camera in config.cameras), default=1.0)
    return Pace(1_000.0 / fps, config.trial.too_slow_factor)


def ram_for_us_bytes(profile: str) -> int:
    """Return the memory that the agent may take; 0 when the profile is not known, which is logged."""
    try:
        return find_profile(profile).ram_for_us_bytes
    except ConfigError as error:
        _log.warning("memory is not watched, no shadow trials: %s", error)
        return 0


def live_maker(config: SnapshotsConfig) -> Callable[[Rgb, Float32, int], bytes]:
    """Return what makes the picture for who looks: blurred as small pictures are, and without outlines."""
    style: SnapshotStyle = "clear" if config.clear else config.blur

    def make(rgb: Rgb, boxes_norm: Float32, max_px: int) -> bytes:
        return make_snapshot(rgb, boxes_norm, style=style, max_px=max_px, outline=False)

    return make


def snapshot_maker(config: SnapshotsConfig) -> Callable[[Rgb, Float32], bytes]:
    """Return what makes the small picture that may leave, of a picture and boxes in it."""
    style: SnapshotStyle = "clear" if config.clear else config.blur

    def make(rgb: Rgb, boxes_norm: Float32) -> bytes:
        return make_snapshot(rgb, boxes_norm, style=style, max_px=config.max_px)

    return make
