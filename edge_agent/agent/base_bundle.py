"""The bundle that the config file names: what runs without any cloud."""

from __future__ import annotations

from pathlib import Path

from edge_agent.clock import Clock
from edge_agent.config import STARTER, AgentConfig
from edge_agent.errors import ConfigError

_ROOT_BYTES = 1_000_000


def base_bundle(config: AgentConfig, clock: Clock) -> Path | None:
    """Return the bundle of the config file, verified; none when it names none.

    Raises:
        ConfigError: There is no such kit or root, or it is for another device profile.
        ArtifactError: The kit is damaged, or not signed under the root.
        StorageError: It cannot be unpacked.
    """
    if config.bundle is None:
        return None
    if config.bundle == STARTER:
        from edge_agent.starter.location import starter_bundle_path  # noqa: PLC0415 - seldom needed

        return starter_bundle_path()
    from edge_agent.update.kit import open_kit  # noqa: PLC0415 - brings TUF

    return open_kit(
        Path(config.bundle),
        _read_root(config.root),
        state_path=config.state_dir / "kits",
        clock=clock,
        profile=config.profile,
    )


def _read_root(root: Path | None) -> str:
    if root is None:
        message = "'bundle' needs 'root', the root metadata under which it was signed"
        raise ConfigError(message)
    try:
        with root.open(encoding="utf-8") as file:
            return file.read(_ROOT_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        message = f"root {root}: {error}; export it from the cloud with the kit"
        raise ConfigError(message) from error
