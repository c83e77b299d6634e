"""The config file: what is read, and what a mistake says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config import AgentConfig, load_config
from edge_agent.errors import ConfigError

GOOD = """\
device: porch
profile: x86-64
bundle: starter
mqtt:
  host: broker.local
  password_file: secret.txt
cameras:
  - name: front
    source: rtsp://camera/1
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "agent.yaml"
    path.write_text(text)
    return path


def test_load_good_file_gives_defaults_and_paths_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("owl\n")
    config = load_config(write(tmp_path, GOOD))
    assert config.state_dir == tmp_path / "elfowl-state"
    assert config.mqtt is not None
    assert config.mqtt.port == 1883
    assert config.mqtt.prefix == "elfowl"
    assert config.mqtt.read_password() == "owl"
    assert config.cameras[0].fps == 5.0
    assert config.snapshots.clear is False
    assert config.cloud is None


def test_load_file_source_is_found_beside_the_config(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"x")
    config = load_config(write(tmp_path, GOOD.replace("rtsp://camera/1", "clip.mp4")))
    assert config.cameras[0].source == str(tmp_path / "clip.mp4")


def test_load_webcam_number_becomes_text(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, GOOD.replace("rtsp://camera/1", "0"))).cameras[0].source == "0"


def test_load_file_without_cameras_is_enough_where_the_portal_can_add_some(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD.partition("cameras:")[0] + "cloud: {url: 'http://cloud'}\n"))
    assert (config.cameras, config.nearby.enabled) == ((), True)


MISTAKES = [
    pytest.param("profile: x86-64", "profle: x86-64", 2, "did you mean 'profile'?", id="misspelt key"),
    pytest.param("  host: broker.local", "  hots: broker.local", 5, "did you mean 'host'?", id="nested key"),
    pytest.param(
        "    source: rtsp",
        "    sorce: rtsp",
        9,
        "cameras[0].sorce: unknown key; did you mean 'source'",
        id="in list",
    ),
    pytest.param("bundle: starter", "xyzzy: 1", 3, "known here: bundle, cameras", id="far from any key"),
    pytest.param(
        "  host: broker.local",
        "  host: b\n  port: many",
        6,
        "mqtt.port: should be a valid integer",
        id="type",
    ),
    pytest.param("  host: broker.local", "  host: b\n  port: 99999", 6, "got 99999", id="out of range"),
    pytest.param("device: porch", "device: my porch", 1, "'my porch' has signs", id="bad name"),
    pytest.param("device: porch\n", "", 1, "device: missing; add it", id="missing"),
    pytest.param("bundle: starter", "bundle: kit", 1, "'bundle' needs 'root'", id="bundle without root"),
    pytest.param("bundle: starter\n", "", 1, "no detector", id="no detector"),
    pytest.param("bundle: starter", "bundle: [starter", 4, "not YAML", id="broken YAML"),
    pytest.param("bundle: starter", "\tbundle: starter", 3, "not YAML", id="tab"),
    pytest.param("bundle: starter", "device: again", 3, "'device' stands already in line 1", id="twice"),
    pytest.param(
        "  host: broker.local",
        "  host: b\n  password: p",
        4,
        "'password' and 'password_file'",
        id="two passwords",
    ),
    pytest.param(
        "    source: rtsp",
        "    rules: {lok_every_s: 5}\n    source: rtsp",
        9,
        "cameras[0].rules.lok_every_s: unknown key; did you mean 'look_every_s'?",
        id="unknown rule",
    ),
    pytest.param(
        "    source: rtsp",
        "    rules:\n      zones:\n        - name: path\n          corners: [[0, 0], [1, 1], [0, 1]]\n"
        "          lables: [cat]\n    source: rtsp",
        13,
        "cameras[0].rules.zones[0].lables: unknown key; did you mean 'labels'?",
        id="unknown key of a zone",
    ),
    pytest.param(
        "    source: rtsp",
        "    rules:\n      zones:\n      - name: path\n        corners: [[0, 0], [1, 1]]\n    source: rtsp",
        12,
        "cameras[0].rules.zones[0].corners: a polygon needs 3 different corners or more, but has 2",
        id="polygon of two corners",
    ),
    pytest.param(
        "    source: rtsp",
        "    labels: [cat, dog]\n    rules: {labels: [{label: cow}]}\n    source: rtsp",
        8,
        "'rules' name the label 'cow', but 'labels' has only: cat, dog",
        id="rule of another label",
    ),
    pytest.param(
        "    source: rtsp://camera/1",
        "    source: a\n  - name: front\n    source: b",
        1,
        "two cameras are named 'front'",
        id="same camera name",
    ),
    pytest.param(
        "cameras:\n  - name: front\n    source: rtsp://camera/1\n",
        "",
        1,
        "no camera: write one below 'cameras'",
        id="no camera and nobody who could add one",
    ),
]


@pytest.mark.parametrize(("old", "new", "line", "says"), MISTAKES)
def test_load_mistake_names_file_line_and_remedy(
    tmp_path: Path, old: str, new: str, line: int, says: str
) -> None:
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    text = str(caught.value)
    assert text.startswith(f"{path}:{line}: ")
    assert says in text
    assert "\n" not in text


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words\n", "null\n"])
def test_load_not_a_mapping_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="must be a list of `key: value` lines"):
        load_config(write(tmp_path, text))


def test_load_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "none.yaml")


def test_load_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(path)


def test_load_wrong_password_is_not_shown(tmp_path: Path) -> None:
    text = GOOD.replace("  password_file: secret.txt", "  password: [hush]")
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    assert "hush" not in str(caught.value)


def test_load_secrets_are_not_in_its_text(tmp_path: Path) -> None:
    text = GOOD.replace("  password_file: secret.txt", "  password: hush")
    text += "cloud: {url: 'http://cloud:8000', enrol_token: whisper-123}\n"
    config = load_config(write(tmp_path, text))
    assert "hush" not in repr(config)
    assert "whisper" not in repr(config)
    assert config.cloud is not None
    assert config.cloud.read_token() == "whisper-123"


@pytest.mark.parametrize("url", ["cloud:8000", "ftp://x", "http://", "//x"])
def test_load_cloud_url_without_scheme_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="'url' is"):
        load_config(write(tmp_path, f"{GOOD}cloud:\n  url: '{url}'\n"))


@given(st.text(max_size=200))
def test_load_any_text_gives_config_or_one_line(text: str) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "agent.yaml"
        path.write_text(text, encoding="utf-8", errors="ignore")
        try:
            said = str(path) if isinstance(load_config(path), AgentConfig) else "nothing"
        except ConfigError as error:
            said = str(error)
    assert said.startswith(str(path))
    assert "\n" not in said
