"""Opens what a session works with, by the config file."""

from __future__ import annotations

import logging
from collections.abc import Callable

from edge_agent.agent.device import rss_bytes
from edge_agent.agent.parts import AgentParts
from edge_agent.agent.shadow import ShadowTrial, Spare
from edge_agent.clock import Clock
from edge_agent.config import AgentConfig, SnapshotsConfig
from edge_agent.errors import ConfigError, StorageError
from edge_agent.pipeline.result import PipelineSettings
from edge_agent.report.keyframes import KeyFrames
from edge_agent.report.snapshots import SnapshotStyle, make_snapshot
from edge_agent.report.webhooks import WebhookTarget
from edge_agent.runtime.profiles import find_profile
from edge_agent.vision.arrays import Float32, Rgb

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
        )
    except StorageError as error:
        _log.error("%s; no key frames are kept", error)
        return None


def webhook_targets(config: AgentConfig) -> list[WebhookTarget]:
    """Return where events are posted.

    Raises:
        ConfigError: The file of a secret cannot be read.
    """
    return [
        WebhookTarget(hook.name, hook.url, hook.read_secret(), hook.events, hook.give_up_after_s)
        for hook in config.webhooks
    ]


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


def ram_for_us_bytes(profile: str) -> int:
    """Return the memory that the agent may take; 0 when the profile is not known, which is logged."""
    try:
        return find_profile(profile).ram_for_us_bytes
    except ConfigError as error:
        _log.warning("memory is not watched, no shadow trials: %s", error)
        return 0


def snapshot_maker(config: SnapshotsConfig) -> Callable[[Rgb, Float32], bytes]:
    """Return what makes the small picture that may leave, of a picture and boxes in it."""
    style: SnapshotStyle = "clear" if config.clear else config.blur

    def make(rgb: Rgb, boxes_norm: Float32) -> bytes:
        return make_snapshot(rgb, boxes_norm, style=style, max_px=config.max_px)

    return make
