"""The one schema of the agent's config file, and its reader.

All defaults stand here. A mistake in the file becomes one `ConfigError` that names file, line, key and cure.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from edge_agent.errors import ConfigError
from edge_agent.wire.base import Name
from edge_agent.wire.topics import DEFAULT_DISCOVERY_PREFIX, DEFAULT_PREFIX

STARTER = "starter"
_MAX_FILE_BYTES = 1_000_000

TopicPrefix = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+(/[a-zA-Z0-9_-]+)*$", max_length=100)]
SectionT = TypeVar("SectionT", bound=BaseModel)
Source = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]


class _Section(BaseModel):
    """Base of all parts: frozen, and an unknown key is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class MqttConfig(_Section):
    """The home broker, where Home Assistant listens."""

    host: str = Field(min_length=1)
    port: int = Field(1883, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    tls: bool = False
    ca_file: Path | None = None
    prefix: TopicPrefix = DEFAULT_PREFIX
    discovery_prefix: TopicPrefix = DEFAULT_DISCOVERY_PREFIX
    discovery: bool = True

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


class OffloadConfig(_Section):
    """How much the cloud may be asked about pictures."""

    enabled: bool = True
    daily_bytes: int = Field(50_000_000, ge=0)
    timeout_ms: int = Field(2_000, gt=0, le=60_000)
    unsure_band: float = Field(
        0.04, ge=0.0, le=0.5, description="ask while a score is this near to its threshold"
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


class CameraConfig(_Section):
    """One source of pictures."""

    name: Name
    source: Source = Field(min_length=1, description="RTSP or HTTP URL, file, or number of a webcam")
    fps: float = Field(5.0, gt=0.0, le=60.0, description="pictures a second that are looked at")
    loop: bool = Field(default=True, description="a file starts again at its end")
    real_time: bool = Field(default=True, description="a file is played at its own speed")
    threshold: float | None = Field(None, ge=0.0, le=1.0, description="none: the detector's own")
    labels: tuple[str, ...] = Field((), description="only these are reported; none: all")


class SnapshotsConfig(_Section):
    """Small pictures that leave the camera."""

    blur: Literal["picture", "boxes"] = "picture"
    max_px: int = Field(320, ge=32, le=1920)
    clear: bool = Field(default=False, description="the owner's choice: send pictures that are not blurred")


class StorageConfig(_Section):
    """Room that the agent may take on the disk."""

    spool_bytes: int = Field(64_000_000, ge=100_000)
    keyframes_bytes: int = Field(256_000_000, ge=0)
    keyframes_daily_bytes: int = Field(40_000_000, ge=0, description="spares flash memory")


class AgentConfig(_Section):
    """The whole file."""

    device: Name
    state_dir: Path = Path("elfowl-state")
    profile: str = Field(min_length=1)
    bundle: str | None = Field(None, description="signed bundle kit, or `starter`")
    root: Path | None = Field(None, description="root metadata that the bundle kit must be signed under")
    mqtt: MqttConfig | None = None
    cloud: CloudConfig | None = None
    cameras: tuple[CameraConfig, ...] = Field(min_length=1)
    snapshots: SnapshotsConfig = SnapshotsConfig()
    storage: StorageConfig = StorageConfig()

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
    def _cameras_have_own_names(self) -> Self:
        names = [camera.name for camera in self.cameras]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            message = f"two cameras are named {twice[0]!r}; give each its own name"
            raise ValueError(message)
        return self


def load_config(path: Path) -> AgentConfig:
    """Read and check the config file; relative paths in it start at its folder.

    Args:
        path: A YAML file.

    Raises:
        ConfigError: It cannot be read, is no YAML, or a key or value is wrong; names the line.
    """
    root = _compose(path, _read_text(path))
    # Nothing is constructed before duplicates are refused: the last of two would win silently.
    _refuse_duplicate_keys(path, root)
    try:
        document = yaml.SafeLoader("").construct_document(root)
        config = AgentConfig.model_validate(document)
    except yaml.MarkedYAMLError as error:
        raise _bad_yaml(path, error) from error
    except ValidationError as error:
        raise ConfigError(_describe(path, root, error.errors(include_url=False))) from error
    return _resolve_paths(config, path.resolve().parent)


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            message = f"{path}: larger than {_MAX_FILE_BYTES} bytes, so not a config file"
            raise ConfigError(message)
        return path.read_text(encoding="utf-8")
    except OSError as error:
        message = f"{path}: {error.strerror or error}; give the path of a readable YAML file"
        raise ConfigError(message) from error
    except UnicodeDecodeError as error:
        message = f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8"
        raise ConfigError(message) from error


def _compose(path: Path, text: str) -> yaml.MappingNode:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _bad_yaml(path, error) from error
    except (yaml.YAMLError, RecursionError) as error:
        message = f"{path}: not YAML: {str(error).splitlines()[0]}"
        raise ConfigError(message) from error
    if not isinstance(root, yaml.MappingNode):
        message = f"{path}:1: the file must be a list of `key: value` lines, starting with `device: NAME`"
        raise ConfigError(message)
    return root


def _bad_yaml(path: Path, error: yaml.MarkedYAMLError) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    hint = "use spaces" if "\\t" in str(error.problem) else "check indentation, colons and quotes"
    return ConfigError(f"{path}:{line}: not YAML: {error.problem or error.context}; {hint}")


def _mappings(node: yaml.Node) -> Iterator[yaml.MappingNode]:
    waiting: list[yaml.Node] = [node]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, yaml.MappingNode):
            yield current
            waiting.extend(value for _, value in current.value)
        elif isinstance(current, yaml.SequenceNode):
            waiting.extend(current.value)


def _refuse_duplicate_keys(path: Path, root: yaml.Node) -> None:
    for mapping in _mappings(root):
        first_line: dict[str, int] = {}
        for key, _ in mapping.value:
            line = key.start_mark.line + 1
            if key.value in first_line:
                message = (
                    f"{path}:{line}: '{key.value}' stands already in line {first_line[key.value]}; keep one"
                )
                raise ConfigError(message)
            first_line[str(key.value)] = line


def _line_of(root: yaml.Node, place: tuple[int | str, ...]) -> int:
    """Return the 1-based line of the deepest node on the way to `place`."""
    node, line = root, root.start_mark.line
    for part in place:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == part), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
        else:
            break
    return line + 1


def _describe(path: Path, root: yaml.Node, errors: list[ErrorDetails]) -> str:
    # A misspelt key is also a missing one, and makes its list too short: tell the cause, not the consequence.
    rank = {"extra_forbidden": 0, "missing": 2, "too_short": 3}
    causes = sorted((rank.get(e["type"], 1), _line_of(root, e["loc"]), _explain(e)) for e in errors)
    _, line, text = causes[0]
    others = sum(cause[0] <= 1 for cause in causes[1:])
    more = f" (and {others} more)" if others else ""
    return f"{path}:{line}: {text}{more}"


def _explain(error: ErrorDetails) -> str:
    place = error["loc"]
    key = _dotted(place)
    match error["type"]:
        case "extra_forbidden":
            return f"{key}: unknown key; {_suggest(place)}"
        case "missing":
            return f"{key}: missing; add it"
        case "value_error":
            text = error["msg"].removeprefix("Value error, ")
            return f"{key}: {text}" if key else text
        case "string_pattern_mismatch":
            return (
                f"{key}: {error['input']!r} has signs that are not allowed; use letters, digits, '-' and '_'"
            )
        case _:
            got = "" if "password" in key or "token" in key else f", got {_shorten(error['input'])}"
            return f"{key}: {error['msg'].removeprefix('Input ')}{got}"


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _dotted(place: tuple[int | str, ...]) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _suggest(place: tuple[int | str, ...]) -> str:
    known = sorted(_section_at(place[:-1]).model_fields)
    near = difflib.get_close_matches(str(place[-1]), known, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"


def _section_at(place: tuple[int | str, ...]) -> type[BaseModel]:
    section: type[BaseModel] = AgentConfig
    for part in place:
        if isinstance(part, str):
            section = _section_in(section.model_fields[part].annotation) or section
    return section


def _section_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_section_in(argument) for argument in typing.get_args(annotation))
    return next((section for section in found if section is not None), None)


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
        "root": config.root and folder / config.root,
        "bundle": bundle if bundle in {None, STARTER} else str(folder / str(bundle)),
        "mqtt": config.mqtt and _resolve_fields(config.mqtt, folder, ("password_file", "ca_file")),
        "cloud": config.cloud and _resolve_fields(config.cloud, folder, ("enrol_token_file", "ca_file")),
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
