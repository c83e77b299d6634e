"""The one schema of the agent's config file, and its reader.

All defaults stand here. A mistake in the file becomes one `ConfigError` that names file, line, key and cure.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)

from edge_agent.errors import ConfigError
from edge_agent.strict_yaml import parse_strictly, read_yaml_text
from edge_agent.wire.base import Name
from edge_agent.wire.event import EventType
from edge_agent.wire.frigate import DEFAULT_FRIGATE_PREFIX
from edge_agent.wire.rules import CameraRules
from edge_agent.wire.topics import DEFAULT_DISCOVERY_PREFIX, DEFAULT_PREFIX

STARTER = "starter"

TopicPrefix = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+(/[a-zA-Z0-9_-]+)*$", max_length=100)]
SectionT = TypeVar("SectionT", bound=BaseModel)
Source = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]


class _Section(BaseModel):
    """Base of all parts: frozen, and an unknown key is a mistake.

    What checks a file is not kept in the class: it takes megabytes, and a file is read once; see
    `parse_strictly`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class MqttConfig(_Section):
    """The home broker, where Home Assistant listens."""

    host: str = Field(min_length=1)
    port: int = Field(1883, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    tls: bool = False
    ca_file: Path | None = None
    client_cert_file: Path | None = Field(None, description="PEM; who we are, for brokers that ask by TLS")
    client_key_file: Path | None = Field(None, description="PEM; none: it stands in the certificate's file")
    transport: Literal["tcp", "websockets"] = "tcp"
    websocket_path: str = "/mqtt"
    protocol: Annotated[Literal["auto", "5", "3.1.1"], BeforeValidator(str)] = "auto"
    prefix: TopicPrefix = DEFAULT_PREFIX
    discovery_prefix: TopicPrefix = DEFAULT_DISCOVERY_PREFIX
    discovery: bool | Literal["per_entity", "device"] = Field(
        default=True, description="for Home Assistant; `device` needs its core 2024.12 or later"
    )

    compat: Literal["none", "frigate"] = Field("none", description="say everything on others' topics too")
    frigate_prefix: TopicPrefix = DEFAULT_FRIGATE_PREFIX

    @property
    def discovery_style(self) -> Literal["per_entity", "device"]:
        """Return whether entities are announced one by one or all in one document."""
        return "device" if self.discovery == "device" else "per_entity"

    @model_validator(mode="after")
    def _certificate_is_whole(self) -> Self:
        if self.client_cert_file is None and self.client_key_file is not None:
            message = "'client_key_file' needs 'client_cert_file'"
            raise ValueError(message)
        if self.client_cert_file is not None and not self.tls:
            message = "'client_cert_file' is shown by TLS only; add 'tls: true'"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password is not None and self.password_file is not None:
            message = "'password' and 'password_file' are both given; keep one"
            raise ValueError(message)
        return self

    def read_password(self) -> str | None:
        """Return the password, from the file when it stands in one.

        Raises:
            ConfigError: The file cannot be read.
        """
        return _read_secret(self.password, self.password_file, "mqtt.password_file")


class WebhookConfig(_Section):
    """A URL that events are posted to."""

    name: Name
    url: str = Field(pattern=r"^https?://[^/]+")
    secret: SecretStr | None = Field(None, description="signs what is posted")
    secret_file: Path | None = None
    events: tuple[EventType, ...] = ("new",)
    give_up_after_s: float = Field(86_400.0, gt=0.0)

    def read_secret(self) -> str | None:
        """Return the secret, from the file when it stands in one.

        Raises:
            ConfigError: The file cannot be read.
        """
        return _read_secret(self.secret, self.secret_file, f"webhooks: {self.name}: secret_file")


class OffloadConfig(_Section):
    """How much the cloud may be asked about pictures."""

    enabled: bool = True
    daily_bytes: int = Field(50_000_000, ge=0)
    timeout_ms: int = Field(2_000, gt=0, le=60_000)
    unsure_band: float = Field(
        0.04, ge=0.0, le=0.5, description="ask while a score is this near to its threshold; 0: never"
    )


class CloudConfig(_Section):
    """The elfowl cloud that this device belongs to."""

    url: str
    enrol_token: SecretStr | None = None
    enrol_token_file: Path | None = None
    ca_file: Path | None = Field(None, description="authority of the cloud's HTTPS and MQTT; none: public")
    poll_s: float = Field(60.0, ge=1.0)
    offload: OffloadConfig = OffloadConfig()
    never_send_pictures: bool = False
    updates: Literal["automatic", "when_asked"] = Field(
        "automatic", description="`when_asked`: a newer detector waits for Install in Home Assistant"
    )

    @model_validator(mode="after")
    def _url_is_http(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            message = f"'url' is {self.url!r}; write it as https://HOST or http://HOST:PORT"
            raise ValueError(message)
        return self

    def read_token(self) -> str | None:
        """Return the one-time enrolment token, or none when there is none.

        Raises:
            ConfigError: The file cannot be read.
        """
        return _read_secret(self.enrol_token, self.enrol_token_file, "cloud.enrol_token_file")


class MainStreamConfig(_Section):
    """The fine stream of a camera; what surrounds an event is kept on the device, encrypted."""

    source: str = Field(min_length=1, description="RTSP or HTTP URL")
    before_s: float = Field(5.0, ge=0.0, le=30.0, description="kept from before an event's begin")
    after_s: float = Field(10.0, ge=1.0, le=60.0)
    ring_bytes: int = Field(
        8_000_000,
        ge=1_000_000,
        le=256_000_000,
        description="memory for it; more for a moment as a clip is cut",
    )

    @model_validator(mode="after")
    def _source_is_a_stream(self) -> Self:
        if urlsplit(self.source).scheme not in {"rtsp", "rtsps", "http", "https"}:
            message = "'source' of 'main_stream' is no stream; write it as rtsp://HOST/PATH"
            raise ValueError(message)
        return self


class CameraConfig(_Section):
    """One source of pictures."""

    name: Name
    source: Source = Field(min_length=1, description="RTSP or HTTP URL, file, or number of a webcam")
    fps: float = Field(5.0, gt=0.0, le=60.0, description="pictures a second that are looked at")
    loop: bool = Field(default=True, description="a file starts again at its end")
    real_time: bool = Field(default=True, description="a file is played at its own speed")
    threshold: float | None = Field(None, ge=0.0, le=1.0, description="none: the detector's own")
    rtsp_transport: Literal["tcp", "udp"] = Field("tcp", description="how RTSP brings pictures")
    labels: tuple[str, ...] = Field((), description="only these are reported; none: all")
    rules: CameraRules = Field(CameraRules(), description="hold until the portal sets others")
    main_stream: MainStreamConfig | None = Field(None, description="none: no clips are kept")

    @model_validator(mode="after")
    def _rules_name_reported_labels(self) -> Self:
        named = self.rules.named_labels() if self.labels else ()
        if lost := [label for label in named if label not in self.labels]:
            message = f"'rules' name the label {lost[0]!r}, but 'labels' has only: {', '.join(self.labels)}"
            raise ValueError(message)
        return self


class CameraList(_Section):
    """Cameras that were added in the portal; the agent keeps them in its state folder."""

    cameras: tuple[CameraConfig, ...] = ()


class NearbyConfig(_Section):
    """Whether the portal may ask this device for the cameras of its network, and add them."""

    enabled: bool = True
    probe: tuple[Annotated[str, Field(pattern=r"^[^\s:/]+(:\d{1,5})?$")], ...] = Field(
        (), description="also ask these, HOST or HOST:PORT, where multicast does not reach"
    )


class SnapshotsConfig(_Section):
    """Small pictures that leave the camera."""

    blur: Literal["picture", "boxes"] = "picture"
    max_px: int = Field(320, ge=32, le=1920)
    clear: bool = Field(default=False, description="the owner's choice: send pictures that are not blurred")


class StorageConfig(_Section):
    """Room that the agent may take on the disk."""

    spool_bytes: int = Field(64_000_000, ge=100_000)
    keyframes_bytes: int = Field(256_000_000, ge=0)
    keyframes_daily_bytes: int = Field(22_000_000, ge=0, description="spares flash memory")
    clips_bytes: int = Field(512_000_000, ge=0, description="only where a camera names its main stream")
    clips_daily_bytes: int = Field(200_000_000, ge=0, description="spares flash memory")


class TrialConfig(_Section):
    """The trial of a new detector, before it runs and in its first minute."""

    too_slow_factor: float = Field(
        3.0, gt=1.0, le=1_000.0, description="times slower than the cameras, and than what runs: refused"
    )


class ShadowConfig(_Section):
    """The trial of a candidate beside the detector that runs."""

    cpu_share: float = Field(0.25, gt=0.0, le=1.0, description="of one processor, at most")


class LogConfig(_Section):
    """Lines on standard error."""

    format: Literal["text", "json"] = "text"


class AgentConfig(_Section):
    """The whole file."""

    device: Name
    state_dir: Path = Path("elfowl-state")
    profile: str = Field(min_length=1, description="a known device profile, or a .yaml file of your own")
    bundle: str | None = Field(None, description="signed bundle kit, or `starter`")
    root: Path | None = Field(None, description="root metadata that the bundle kit must be signed under")
    mqtt: MqttConfig | None = None
    cloud: CloudConfig | None = None
    cameras: tuple[CameraConfig, ...] = Field((), description="with a `cloud`, the portal can add more")
    nearby: NearbyConfig = NearbyConfig()
    webhooks: tuple[WebhookConfig, ...] = ()
    snapshots: SnapshotsConfig = SnapshotsConfig()
    storage: StorageConfig = StorageConfig()
    trial: TrialConfig = TrialConfig()
    shadow: ShadowConfig = ShadowConfig()
    log: LogConfig = LogConfig()
    metrics_port: int | None = Field(
        None, ge=1, le=65535, description="health for Prometheus on 127.0.0.1; none: no port is open"
    )

    @model_validator(mode="after")
    def _has_a_detector(self) -> Self:
        if self.bundle is None and self.cloud is None:
            message = (
                f"no detector: name 'bundle' and its 'root', 'bundle: {STARTER}', or a 'cloud' that has one"
            )
            raise ValueError(message)
        if self.bundle not in {None, STARTER} and self.root is None:
            message = "'bundle' needs 'root', the root metadata under which it was signed"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _reports_somewhere(self) -> Self:
        if self.mqtt is None and self.cloud is None:
            message = "nowhere to report to: add 'mqtt' with a 'host', or 'cloud' with a 'url'"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _has_a_camera_or_may_get_one(self) -> Self:
        if not self.cameras and self.cloud is None:
            message = "no camera: write one below 'cameras', each beginning with '- name:'"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _cameras_and_webhooks_have_own_names(self) -> Self:
        for kind, named in (("cameras", self.cameras), ("webhooks", self.webhooks)):
            names = [one.name for one in named]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                message = f"two {kind} are named {twice[0]!r}; give each its own name"
                raise ValueError(message)
        return self


def load_config(path: Path) -> AgentConfig:
    """Read and check the config file; relative paths in it start at its folder.

    Args:
        path: A YAML file.

    Raises:
        ConfigError: It cannot be read, is no YAML, or a key or value is wrong; names the line.
    """
    text = read_yaml_text(path, "a config file")
    config = parse_strictly(AgentConfig, text, str(path), first_line="device: NAME")
    return _resolve_paths(config, path.resolve().parent)


def _read_secret(value: SecretStr | None, file: Path | None, key: str) -> str | None:
    if value is not None:
        return value.get_secret_value()
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{key}: {file} cannot be read: {error}; name a readable text file"
        raise ConfigError(message) from error


def _resolve_paths(config: AgentConfig, folder: Path) -> AgentConfig:
    bundle = config.bundle
    changes: dict[str, Any] = {
        "state_dir": folder / config.state_dir,
        "profile": str(folder / config.profile) if config.profile.endswith(".yaml") else config.profile,
        "root": config.root and folder / config.root,
        "bundle": bundle if bundle in {None, STARTER} else str(folder / str(bundle)),
        "mqtt": config.mqtt
        and _resolve_fields(
            config.mqtt, folder, ("password_file", "ca_file", "client_cert_file", "client_key_file")
        ),
        "cloud": config.cloud and _resolve_fields(config.cloud, folder, ("enrol_token_file", "ca_file")),
        "webhooks": tuple(_resolve_fields(hook, folder, ("secret_file",)) for hook in config.webhooks),
        "cameras": tuple(
            camera.model_copy(update={"source": _resolve_source(camera.source, folder)})
            for camera in config.cameras
        ),
    }
    return config.model_copy(update=changes)


def _resolve_fields(section: SectionT, folder: Path, names: tuple[str, ...]) -> SectionT:
    values: Mapping[str, Path | None] = {name: getattr(section, name) for name in names}
    return section.model_copy(update={name: folder / value for name, value in values.items() if value})


def _resolve_source(source: str, folder: Path) -> str:
    """Return a file's path from the config's folder; URLs and webcam numbers stay."""
    if "://" in source or not (folder / source).is_file():
        return source
    return str(folder / source)
