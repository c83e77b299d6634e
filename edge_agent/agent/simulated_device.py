"""A device without a camera: it joins, keeps in step, installs and reports with the agent's own parts."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from edge_agent.agent.cloud_sync import CloudSync, SyncPorts
from edge_agent.agent.device import agent_version
from edge_agent.clock import Clock
from edge_agent.errors import ArtifactError, ElfowlError
from edge_agent.report.link import Link, Message
from edge_agent.update.assembly import UpdaterParts, open_updater
from edge_agent.update.disk import RealDisk
from edge_agent.update.identity import Identity
from edge_agent.update.updater import Updater
from edge_agent.wire.status import CameraStats, Stats
from edge_agent.wire.sync import BundleTarget, CameraSettings, Desired, FrameWanted, Reported, UpdateOutcome
from edge_agent.wire.topics import Topics

_CAMERA = "simulated"
_FPS = 5.0
_INFERENCE_MS = 20.0
_RSS_BYTES = 90_000_000


@dataclass(frozen=True)
class Behaviour:
    """How a simulated device behaves.

    Attributes:
        poll_s: It looks at its desired state about so often.
        refuses: Bundles fail its smoke test.
    """

    poll_s: float = 60.0
    refuses: bool = False


@dataclass
class SimulatedDevice:
    """One device; `step` is one look at the cloud, in any one thread at a time.

    Attributes:
        identity: Who it is.
        profile: Its kind.
        state_dir: Where its updater keeps bundles; made at the first one.
        http: Speaks HTTP; shared by all.
        clock: Where times come from.
        rng: Spreads its polls.
        behaviour: What it does.
        link: Its connection to the broker; none: it is silent there.
    """

    identity: Identity
    profile: str
    state_dir: Path
    http: httpx.Client
    clock: Clock
    rng: random.Random
    behaviour: Behaviour = field(default_factory=Behaviour)
    link: Link | None = None

    def __post_init__(self) -> None:
        """Put the real parts together."""
        self._updater: Updater | None = None
        self._target: BundleTarget | None = None
        self._cameras: dict[str, CameraSettings] = {_CAMERA: CameraSettings()}
        self._started_s = self.clock.monotonic_s()
        ports = SyncPorts(self._token, self._take, self._reported, self._was_reported, _no_frame)
        self._sync = CloudSync(
            self.identity.enrolment.cloud_url,
            self.http,
            ports,
            device=self.identity.device,
            poll_s=self.behaviour.poll_s,
            clock=self.clock,
            rng=self.rng,
        )

    @property
    def reachable(self) -> bool:
        """Return whether the cloud answered the last time."""
        return self._sync.reachable

    def step(self) -> float:
        """Look at the cloud once, obey, tell; return after how many seconds to look again."""
        pause_s = self._sync.step()
        if self._target is not None:
            target, self._target = self._target, None
            self._install(target)
            self._sync.step()
        if self.link is not None:
            topics = Topics(self.identity.device, self.identity.enrolment.mqtt.prefix)
            self.link.publish(Message(topics.stats, self._stats().to_json().encode(), qos=0))
        return pause_s

    def _token(self) -> str:
        return self.identity.bearer_token(self.clock)

    def _take(self, desired: Desired) -> None:
        self._cameras |= desired.cameras
        self._target = desired.bundle

    def _install(self, target: BundleTarget) -> None:
        try:
            self._open().apply(target)
        except ElfowlError:
            self._target = target  # the line broke: again with the next look

    def _open(self) -> Updater:
        if self._updater is None:
            parts = UpdaterParts(self.http, self.clock, RealDisk(), self._smoke_test)
            self._updater = open_updater(
                self.identity.enrolment,
                self.state_dir,
                profile=self.profile,
                agent_version=agent_version(),
                parts=parts,
            )
            self._updater.recover()
        return self._updater

    def _smoke_test(self, _path: Path) -> None:
        if self.behaviour.refuses:
            message = "this simulated device refuses every bundle"
            raise ArtifactError(message)

    def _reported(self, desired_version: int) -> Reported:
        current = self._updater.current() if self._updater is not None else None
        outcomes: tuple[UpdateOutcome, ...] = self._updater.outcomes() if self._updater is not None else ()
        return Reported(
            device=self.identity.device,
            desired_version=desired_version,
            agent_version=agent_version(),
            profile=self.profile,
            installed=current.target if current is not None else None,
            outcomes=outcomes,
            cameras=self._cameras,
        )

    def _was_reported(self, reported: Reported) -> None:
        if self._updater is not None and reported.outcomes:
            self._updater.mark_reported({outcome.id for outcome in reported.outcomes})

    def _stats(self) -> Stats:
        camera = CameraStats(
            fps_captured=_FPS,
            fps_inferred=_FPS,
            frames_skipped=0,
            frames_dropped=0,
            gate_ratio=1.0,
            inference_ms_p50=_INFERENCE_MS,
        )
        return Stats(
            device=self.identity.device,
            agent_version=agent_version(),
            uptime_s=self.clock.monotonic_s() - self._started_s,
            cameras={_CAMERA: camera},
            rss_bytes=_RSS_BYTES,
        )


def _no_frame(_wanted: FrameWanted) -> bytes | None:
    return None
