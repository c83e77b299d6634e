"""Writes one more camera into a config file of a person, whose lines and comments stay as they are."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import yaml

from edge_agent.config import AgentConfig, CameraConfig, MainStreamConfig
from edge_agent.errors import ConfigError, StorageError
from edge_agent.strict_yaml import parse_strictly, read_yaml_text

_FIRST_LINE = "device: NAME"
# A source holds a password. The installed file belongs to root, and the agent's group may read it.
_GROUP_RIGHTS, _OTHERS_READ = 0o640, 0o004


def check_room(path: Path, name: str) -> None:
    """Look whether a camera of this name can be added, before anybody waits for one.

    Raises:
        ConfigError: The file is wrong, cannot be added to, or has a camera of this name.
    """
    _extended(path, name, "rtsp://camera/")


def add_camera(path: Path, name: str, source: str, main_source: str | None = None) -> None:
    """Add a camera; from then on only the file's owner can read it, and the group that it was given to.

    Args:
        path: The config file.
        name: How the camera is called.
        source: Its address, password included.
        main_source: That of its main stream, of which clips are to be kept; none: no clips.

    Raises:
        ConfigError: The file is wrong, or written in a way that cannot be added to; it stays as it was.
        StorageError: It cannot be written.
    """
    _write(path, _extended(path, name, source, main_source))


def with_camera(text: str, name: str, source: str, main_source: str | None = None) -> str:
    """Return a config file's text with one more camera at the end of `cameras`.

    Args:
        text: A valid config file.
        name: How the camera is called.
        source: Its address.
        main_source: That of its main stream; none: it keeps no clips.
    """
    keys = [f"name: {_quoted(name)}", f"source: {_quoted(source)}"]
    if main_source is not None:
        keys.append(f"main_stream: {{source: {_quoted(main_source)}}}")
    cameras = _cameras(text)
    if cameras.flow_style:
        end = cameras.value[-1].end_mark.index
        return f"{text[:end]}, {{{', '.join(keys)}}}{text[end:]}"
    indent = " " * cameras.start_mark.column
    entry = f"{indent}- " + f"\n{indent}  ".join(keys) + "\n"
    end = _line_after(text, _last_leaf(cameras).end_mark.index)
    before = text[:end] if text[:end].endswith("\n") else text[:end] + "\n"
    return before + entry + text[end:]


def _quoted(value: str) -> str:
    # What JSON quotes, YAML reads the same.
    return json.dumps(value, ensure_ascii=False)


def _cameras(text: str) -> yaml.SequenceNode:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for key, node in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "cameras" and isinstance(node, yaml.SequenceNode):
            return node
    message = "'cameras' is no list; write one camera below the other, each beginning with '- name:'"
    raise ConfigError(message)


def _last_leaf(node: yaml.Node) -> yaml.Node:
    """Return what stands last in a block: its own end mark lies behind comments that follow it."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return node


def _line_after(text: str, index: int) -> int:
    if index > 0 and text[index - 1] == "\n":
        return index
    line_end = text.find("\n", index)
    return len(text) if line_end < 0 else line_end + 1


def _extended(path: Path, name: str, source: str, main_source: str | None = None) -> str:
    text = read_yaml_text(path, "a config file")
    before = parse_strictly(AgentConfig, text, str(path), _FIRST_LINE)
    after_text = with_camera(text, name, source, main_source)
    after = parse_strictly(AgentConfig, after_text, str(path), _FIRST_LINE)
    fine = MainStreamConfig(source=main_source) if main_source is not None else None
    wanted = (*before.cameras, CameraConfig(name=name, source=source, main_stream=fine))
    if after != before.model_copy(update={"cameras": wanted}):
        message = (
            f"{path}: 'cameras' is written in a way that cannot be added to; write them one below the other, "
            "each beginning with '- name:'"
        )
        raise ConfigError(message)
    return after_text


def _write(path: Path, text: str) -> None:
    real = path.resolve()
    try:
        was = real.stat()
        handle, temporary = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}-")
        try:
            with os.fdopen(handle, "wb") as file:
                if (was.st_uid, was.st_gid) != (os.getuid(), os.getgid()):
                    os.fchown(file.fileno(), was.st_uid, was.st_gid)
                os.fchmod(file.fileno(), 0o600 if was.st_mode & _OTHERS_READ else was.st_mode & _GROUP_RIGHTS)
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(real)
        except BaseException:
            Path(temporary).unlink()
            raise
    except OSError as error:
        why = error.strerror or error
        message = f"{path}: cannot be written: {why}; run this as the file's owner, or with sudo"
        raise StorageError(message) from error
