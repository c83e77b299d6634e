"""What a package shall hold, checked: the profile, the settings, the bundle kit, the wheel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edge_agent.config import STARTER, AgentConfig, load_config
from edge_agent.errors import ConfigError
from edge_agent.runtime.profiles import find_profile, is_profile_file
from edge_agent.wire.profile import DeviceProfile

STATE_DIR = Path("/var/lib/elfowl")
ROOT_FILE = "root.json"

INSTALLED_KINDS = ("systemd", "container")
KINDS = (*INSTALLED_KINDS, "vendor_package", "manual")

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

_NEW_CONFIG = """\
# Settings of the elfowl agent; `elfowl-agent check-config agent.yaml` checks them.
device: camera-1
profile: {profile}
state_dir: {state_dir}
{bundle}
mqtt:
  host: homeassistant.local # the home broker
cameras:
  - name: front
    source: rtsp://USER:PASSWORD@CAMERA/stream
    fps: {fps:g}
"""


@dataclass(frozen=True)
class PackageRequest:
    """What the command line asks for.

    `profile` is a name or a `.yaml` file; `kind` is none for that of the profile; `root.json` must lie beside
    `kit`.
    """

    profile: str
    out: Path
    config: Path | None = None
    kit: Path | None = None
    wheel: Path | None = None
    kind: str | None = None


@dataclass(frozen=True)
class Order:
    """A request, read and checked; `carried` are files that travel unchanged, by their names."""

    profile: DeviceProfile
    kind: str
    template: str
    config_text: str
    webcam: bool
    carried: dict[str, bytes]
    wheel: str | None


def read_order(request: PackageRequest) -> Order:
    """Read everything that the package is made of.

    Raises:
        ConfigError: A file is missing or wrong, or things do not fit together.
    """
    profile = find_profile(request.profile)
    kind = request.kind or profile.install.kind
    if kind == "container" and profile.install.system_packages:
        message = f"profile {profile.name}: {profile.arch} lacks wheels for a container; use --kind systemd"
        raise ConfigError(message)
    carried = _carried(request)
    config = load_config(request.config) if request.config is not None else None
    if config is not None:
        _check_config(config, request, profile, kind)
    own_template = profile.install.template if kind == profile.install.kind else None
    return Order(
        profile=profile,
        kind=kind,
        template=own_template or ("manual" if kind == "vendor_package" else kind),
        config_text=_config_text(request, profile, kind),
        webcam=config is not None and any(camera.source.isdigit() for camera in config.cameras),
        carried=carried,
        wheel=request.wheel.name if request.wheel is not None else None,
    )


def _carried(request: PackageRequest) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    if request.kit is not None:
        files[request.kit.name] = _read(request.kit, "--kit")
        files[ROOT_FILE] = _read(request.kit.with_name(ROOT_FILE), "the root beside --kit")
    if request.wheel is not None:
        if not (request.wheel.name.startswith("elfowl-") and request.wheel.suffix == ".whl"):
            message = f"--wheel {request.wheel}: give elfowl's own wheel, elfowl-VERSION-py3-none-any.whl"
            raise ConfigError(message)
        files[request.wheel.name] = _read(request.wheel, "--wheel")
    if is_profile_file(request.profile):
        files[Path(request.profile).name] = _read(Path(request.profile), "--profile")
    # The names go into shell scripts.
    if odd := [name for name in files if not _PLAIN_NAME.fullmatch(name)]:
        message = f"{odd[0]!r}: rename this file; use letters, digits, '.', '-' and '_' only"
        raise ConfigError(message)
    return files


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"{what} {path}: {error.strerror or error}; give the path of a readable file"
        raise ConfigError(message) from error


def _config_text(request: PackageRequest, profile: DeviceProfile, kind: str) -> str:
    if request.config is not None:
        return request.config.read_text("utf-8")
    bundle = f"bundle: {STARTER} # 13 everyday classes"
    if request.kit is not None:
        bundle = f"bundle: {request.kit.name}\nroot: {ROOT_FILE}"
    return _NEW_CONFIG.format(
        profile=_profile_reference(request, profile),
        state_dir=STATE_DIR if kind in INSTALLED_KINDS else "elfowl-state",
        bundle=bundle,
        fps=profile.target_fps,
    )


def _profile_reference(request: PackageRequest, profile: DeviceProfile) -> str:
    return Path(request.profile).name if is_profile_file(request.profile) else profile.name


def _check_config(config: AgentConfig, request: PackageRequest, profile: DeviceProfile, kind: str) -> None:
    file = request.config
    wanted = _profile_reference(request, profile)
    if Path(config.profile).name != wanted:
        message = (
            f"{file}: its profile is {Path(config.profile).name}, but --profile is {wanted}; make them equal"
        )
        raise ConfigError(message)
    if kind in INSTALLED_KINDS and config.state_dir != STATE_DIR:
        message = f"{file}: the installed agent can write only in {STATE_DIR}; write state_dir: {STATE_DIR}"
        raise ConfigError(message)
    named = Path(config.bundle).name if config.bundle not in {None, STARTER} else None
    kit = request.kit.name if request.kit is not None else None
    if named != kit:
        message = (
            f"{file}: it names the kit {named}, so give that file with --kit"
            if kit is None
            else f"{file}: --kit is not what it runs; write bundle: {kit} and root: {ROOT_FILE}"
        )
        raise ConfigError(message)
