"""`elfowl-agent clips`: lists what fine streams left of events, and hands one out to who sits there."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from edge_agent.agent.main_streams import FOLDER, KEY_FILE, KIND
from edge_agent.config import AgentConfig
from edge_agent.errors import ConfigError, StorageError
from edge_agent.report.keyframes import Kept, list_kept, open_kept


def run_clips(config: AgentConfig, event_id: str | None, out: Path | None) -> int:
    """List what is kept, or write one clip; may run beside the agent.

    Args:
        config: The agent's.
        event_id: Whose clip is wanted; none: list all.
        out: Where to write it.

    Raises:
        ConfigError: There is no such clip, or a file of that name.
        StorageError: It cannot be read or written.
    """
    if (event_id is None) != (out is None):
        message = "--event ID and --out FILE belong together: give both, or neither"
        raise ConfigError(message)
    kept = list_kept(config.state_dir / FOLDER, KIND)
    if event_id is None or out is None:
        sys.stdout.write("".join(f"{_line(clip)}\n" for clip in kept))
        return 0
    found = next((clip for clip in kept if clip.event == event_id), None)
    if found is None:
        message = f"no clip of event {event_id}; see elfowl-agent clips --config FILE for those that are kept"
        raise ConfigError(message)
    _write(out, open_kept(found, config.state_dir / KEY_FILE))
    sys.stdout.write(f"{out}: the clip of event {event_id}; it is clear and not encrypted\n")
    return 0


def _line(clip: Kept) -> str:
    moment = datetime.fromtimestamp(clip.time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{moment}  {clip.camera}  {clip.event}  {clip.bytes / 1e6:.1f} MB"


def _write(out: Path, clip: bytes) -> None:
    try:
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(clip)
    except FileExistsError as error:
        message = f"{out}: is there already; name another file"
        raise ConfigError(message) from error
    except OSError as error:
        message = f"{out}: {error.strerror}; name a file that can be written"
        raise StorageError(message) from error
