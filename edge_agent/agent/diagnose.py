"""`elfowl-agent diagnose`: looks at everything that the agent needs, and says what to do about what is wrong.

It may run beside the agent: it opens streams a second time, speaks to the broker under a name of its own, and
changes nothing.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import islice
from pathlib import Path

import httpx

from edge_agent.agent.added_cameras import with_added
from edge_agent.agent.brokers import home_broker
from edge_agent.agent.findings import Finding, exit_code, failed, to_json, well
from edge_agent.agent.joining import known_identity
from edge_agent.agent.local_detector import LocalDetector
from edge_agent.agent.parts import AgentParts, open_camera_source, real_parts
from edge_agent.agent.replay import open_running_detector
from edge_agent.camera.frame import Frame, FrameSource
from edge_agent.camera.sight import is_black
from edge_agent.camera.uri import redact
from edge_agent.clock import Clock
from edge_agent.config import AgentConfig, CameraConfig, CloudConfig, MainStreamConfig, MqttConfig
from edge_agent.errors import BackendError, ElfowlError
from edge_agent.report.link import Link, LinkEvents, Message
from edge_agent.update.identity import Identity
from edge_agent.update.tuf_client import BUILD_TIME_S
from edge_agent.wire.topics import Topics

_PICTURES = 15
_STREAM_S = 6.0
_LOOKS = 5
_BROKER_S = 8.0
_BROKER_POLL_S = 0.05
# The cloud takes tokens that are at most a minute old.
_CLOCK_OFF_S = 30.0
_DECODE_SHARE = 0.5
_KEPT_FREE_BYTES = 20_000_000


@dataclass(frozen=True)
class DiagnosisPorts:
    """What a diagnosis works with.

    Attributes:
        parts: The outside world.
        open_stream: Opens a camera's source.
        cpu_s: Returns the processor's seconds that this thread used.
        free_bytes: Returns the room on the disk of a folder.
    """

    parts: AgentParts
    cpu_s: Callable[[], float]
    open_stream: Callable[[CameraConfig, Clock], FrameSource] = open_camera_source
    free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free


def run_diagnosis(config: AgentConfig, *, as_json: bool = False) -> int:
    """Print what is found, each finding as soon as it is known; return 1 if anything does not work."""
    config = with_added(config)
    parts = real_parts(config.cloud.ca_file if config.cloud is not None else None)
    findings: list[Finding] = []
    for finding in diagnose(config, DiagnosisPorts(parts, time.thread_time)):
        findings.append(finding)
        if not as_json:
            sys.stdout.write(finding.line() + "\n")
            sys.stdout.flush()
    if as_json:
        sys.stdout.write(to_json(findings) + "\n")
    return exit_code(findings)


def diagnose(config: AgentConfig, ports: DiagnosisPorts) -> Iterator[Finding]:
    """Look at one thing after the other: cameras, model, broker, cloud, clock, disk."""
    sample: Frame | None = None
    for camera in config.cameras:
        findings, frame = check_stream(camera, ports)
        sample = sample or frame
        yield from findings
        if camera.main_stream is not None:
            yield check_main_stream(camera, camera.main_stream, ports)
    yield check_model(config, sample, ports)
    if config.mqtt is not None:
        yield check_broker(config.mqtt, config.device, ports.parts)
    if config.cloud is not None:
        yield from check_cloud(config, config.cloud, ports.parts)
    else:
        yield check_clock(ports.parts.clock, None)
    yield check_disk(config, ports)


def check_stream(camera: CameraConfig, ports: DiagnosisPorts) -> tuple[list[Finding], Frame | None]:
    """Take some pictures; return what was found, and the last picture."""
    part, clock = f"stream {camera.name}", ports.parts.clock
    frames: list[Frame] = []
    used_s = 0.0
    begun_s, cpu_s = clock.monotonic_s(), ports.cpu_s()
    try:
        with closing(ports.open_stream(camera, clock)) as source:
            for frame in islice(source, _PICTURES):
                frames.append(frame)
                used_s = ports.cpu_s() - cpu_s
                if clock.monotonic_s() - begun_s > _STREAM_S:
                    break
    except ElfowlError as error:
        if not frames:
            return [failed(part, str(error))], None
    if not frames:
        return [failed(part, "gave no picture; check the file or the camera's address")], None
    return [_picture_finding(part, frames), _decode_finding(camera, used_s / len(frames))], frames[-1]


def check_main_stream(camera: CameraConfig, fine: MainStreamConfig, ports: DiagnosisPorts) -> Finding:
    """Take one picture of the stream that clips are cut from."""
    part = f"main-stream {camera.name}"
    try:
        with closing(
            ports.open_stream(camera.model_copy(update={"source": fine.source}), ports.parts.clock)
        ) as source:
            frame = next(iter(source), None)
    except ElfowlError as error:
        return failed(part, str(error))
    if frame is None:
        return failed(part, "gave no picture; check the address in 'main_stream'")
    return well(part, "gives pictures; clips of events are kept")


def _picture_finding(part: str, frames: list[Frame]) -> Finding:
    last = frames[-1]
    size = f"{last.width_px}x{last.height_px}"
    if is_black(last.rgb):
        cure = "take off the lens cap, give it light, or check its night mode"
        return Finding(part, "weak", f"{size}, but the picture is black", cure)
    passed_s = last.monotonic_s - frames[0].monotonic_s
    rate = f", {(len(frames) - 1) / passed_s:.1f} pictures/s" if passed_s > 0 else ""
    return well(part, f"{size}{rate}")


def _decode_finding(camera: CameraConfig, each_s: float) -> Finding:
    part, share = f"decoding {camera.name}", each_s * camera.fps
    says = (
        f"{each_s * 1000:.1f} ms of processor a picture, {share:.0%} of one core at {camera.fps:g} pictures/s"
    )
    if share > _DECODE_SHARE:
        return Finding(part, "weak", says, "name the camera's smaller substream as its source")
    return well(part, says)


def check_model(config: AgentConfig, sample: Frame | None, ports: DiagnosisPorts) -> Finding:
    """Load the network and let it look at a picture."""
    try:
        detector = open_running_detector(config, ports.parts)
    except ElfowlError as error:
        return failed("model", str(error))
    try:
        return _speed_finding(config, detector, sample)
    except BackendError as error:
        return failed("model", str(error))
    finally:
        detector.unload()


def _speed_finding(config: AgentConfig, detector: LocalDetector, sample: Frame | None) -> Finding:
    name = detector.manifest.name if detector.manifest is not None else "?"
    if sample is None:
        return Finding("model", "weak", f"{name} is loaded, but there is no picture to look at")
    for _ in range(_LOOKS):
        detector.detect(sample.rgb)
    times = detector.inference_ms()
    each_ms = times[0] if times is not None else 0.0
    wanted = sum(camera.fps for camera in config.cameras)
    says = f"{name}: {each_ms:.1f} ms a look; {wanted:g} looks/s are wanted at most"
    if each_ms * wanted > 1000.0:
        return Finding("model", "weak", says, "lower 'fps' of the cameras, or compress to a smaller bundle")
    return well("model", says)


def check_broker(mqtt: MqttConfig, device: str, parts: AgentParts) -> Finding:
    """Connect to the home broker, under another name than the agent's."""
    part = f"broker {mqtt.host}:{mqtt.port}"
    try:
        broker = home_broker(mqtt, mqtt.read_password(), f"{device}-diagnose")
    except ElfowlError as error:
        return failed(part, str(error))
    # Nobody listens here; the agent's own word on its availability must not be touched.
    will = Message(f"{Topics(device, mqtt.prefix).base}/diagnose", b"", qos=0)
    reason = _try_link(parts.connect(broker, will, ()), parts.clock)
    if reason is None:
        return well(part, "connected")
    cure = "check host, port, user and password in 'mqtt', and that the broker runs"
    return Finding(part, "failed", reason, cure)


def _try_link(link: Link, clock: Clock) -> str | None:
    link.start(LinkEvents(up=lambda: None, down=lambda _: None, message=lambda *_: None))
    until_s = clock.monotonic_s() + _BROKER_S
    while not link.connected and clock.monotonic_s() < until_s:
        clock.sleep(_BROKER_POLL_S)
    connected = link.connected
    reason = link.reason
    link.stop()
    return None if connected else reason


def check_cloud(config: AgentConfig, cloud: CloudConfig, parts: AgentParts) -> list[Finding]:
    """Ask the cloud how it is, whether it knows this device, and what time it is."""
    part, url = f"cloud {redact(cloud.url)}", cloud.url.rstrip("/")
    try:
        health = parts.http.get(f"{url}/api/v1/health")
        identity = known_identity(config)
    except httpx.HTTPError as error:
        text = f"cannot be reached: {error or type(error).__name__}"
        cure = "check 'cloud.url', 'cloud.ca_file' and the network"
        return [Finding(part, "failed", text, cure), check_clock(parts.clock, None)]
    except ElfowlError as error:
        return [failed(part, str(error)), check_clock(parts.clock, None)]
    clock = check_clock(parts.clock, health)
    if not health.is_success:
        text = f"answers {health.status_code}; check 'cloud.url', or look into the cloud's log"
        return [failed(part, text), clock]
    return [_membership(part, url, identity, parts), clock]


def _membership(part: str, url: str, identity: Identity | None, parts: AgentParts) -> Finding:
    if identity is None:
        cure = "make a token in the portal (Devices), then run: elfowl-agent enrol"
        return Finding(part, "weak", "answers, but this device has not joined it", cure)
    headers = {"Authorization": f"Bearer {identity.bearer_token(parts.clock)}"}
    try:
        code = parts.http.get(f"{url}/api/v1/device/desired", headers=headers).status_code
    except httpx.HTTPError as error:
        return failed(part, f"answered once, then not: {type(error).__name__}; try again")
    if code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        cure = "set the clock if it is wrong; else join again with a new token: elfowl-agent enrol"
        return Finding(part, "failed", f"does not accept this device ({code})", cure)
    if code >= httpx.codes.BAD_REQUEST:
        return failed(part, f"answers {code} to this device; look into the cloud's log")
    return well(part, f"knows this device as {identity.device}")


def check_clock(clock: Clock, answer: httpx.Response | None) -> Finding:
    """Hold the clock against the cloud's, or at least against when this program was made."""
    cure = "let the device set its clock from the network (timedatectl set-ntp true)"
    now_s = clock.now_s()
    if now_s < BUILD_TIME_S:
        return Finding("clock", "failed", "shows a time before this program was made", cure)
    told = answer.headers.get("Date") if answer is not None else None
    if told is None:
        return well("clock", "plausible; there is no cloud to hold it against")
    try:
        off_s = now_s - parsedate_to_datetime(told).timestamp()
    except ValueError:
        return well("clock", "plausible; the cloud does not tell its own")
    if abs(off_s) > _CLOCK_OFF_S:
        way = "ahead of" if off_s > 0 else "behind"
        says = f"{abs(off_s):.0f} s {way} the cloud's, which refuses the device for that"
        return Finding("clock", "failed", says, cure)
    return well("clock", f"within {max(1.0, abs(off_s)):.0f} s of the cloud's")


def check_disk(config: AgentConfig, ports: DiagnosisPorts) -> Finding:
    """Write a little into the state folder, and hold its room against what the agent may take."""
    folder = config.state_dir
    part = f"disk {folder}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0" * 4096)
        free_bytes = ports.free_bytes(folder)
    except OSError as error:
        cure = "free some space, or name a 'state_dir' that this user can write"
        return Finding(part, "failed", f"cannot be written: {error.strerror}", cure)
    wanted = config.storage.spool_bytes + config.storage.keyframes_bytes
    if any(camera.main_stream is not None for camera in config.cameras):
        wanted += config.storage.clips_bytes
    says = f"{free_bytes / 1e6:.0f} MB free; the agent may take {wanted / 1e6:.0f} MB"
    if free_bytes < _KEPT_FREE_BYTES:
        return Finding(part, "failed", says, "free some space")
    if free_bytes < wanted - _taken_bytes(folder):
        return Finding(part, "weak", says, "lower the byte limits in 'storage'")
    return well(part, says)


def _taken_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
