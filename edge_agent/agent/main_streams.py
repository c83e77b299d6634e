"""The fine streams of cameras whose config names one, and where their clips are kept."""

from __future__ import annotations

import logging
import random
from functools import partial

from edge_agent.camera.main_stream import MainStream, MainStreamOptions
from edge_agent.clock import Clock
from edge_agent.config import AgentConfig, CameraConfig
from edge_agent.errors import StorageError
from edge_agent.report.keyframes import KeyFrames

_log = logging.getLogger(__name__)

FOLDER = "clips"
KEY_FILE = "clips.key"
KIND = "mp4"


class MainStreams:
    """Makes them; without one in the config nothing is opened, and no folder made."""

    def __init__(self, config: AgentConfig, clock: Clock) -> None:
        """Open the folder of clips, if there will be any; a failing disk costs clips alone."""
        self._clock = clock
        self._clips: KeyFrames | None = None
        if any(camera.main_stream is not None for camera in config.cameras):
            self._clips = _open_clips(config, clock)

    def of(self, camera: CameraConfig) -> MainStream | None:
        """Return a camera's fine stream, not yet started; none if it has none, or its clips no place."""
        fine = camera.main_stream
        if fine is None or self._clips is None:
            return None
        options = MainStreamOptions(
            fine.source, fine.before_s, fine.after_s, fine.ring_bytes, camera.rtsp_transport
        )
        keep = partial(_keep, self._clips, camera.name)
        rng = random.Random()  # noqa: S311 - spreads waits
        return MainStream(options, keep, name=camera.name, clock=self._clock, rng=rng)


def _open_clips(config: AgentConfig, clock: Clock) -> KeyFrames | None:
    try:
        return KeyFrames(
            config.state_dir / FOLDER,
            config.state_dir / KEY_FILE,
            max_bytes=config.storage.clips_bytes,
            daily_bytes=config.storage.clips_daily_bytes,
            clock=clock,
            kind=KIND,
        )
    except StorageError as error:
        _log.error("%s; no clips are kept", error)
        return None


def _keep(clips: KeyFrames, camera: str, event_id: str, time_s: float, clip: bytes) -> None:
    if not clips.add(camera, time_s, clip, event_id=event_id):
        _log.info("camera %s: the clip of event %s was not kept", camera, event_id)
