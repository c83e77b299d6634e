"""Opens what the agent keeps in its state folder."""

from __future__ import annotations

import logging

from edge_agent.clock import Clock
from edge_agent.config import AgentConfig
from edge_agent.errors import StorageError
from edge_agent.report.keyframes import KeyFrames

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
