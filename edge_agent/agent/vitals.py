"""The health of the agent as one document: what `stats` says every minute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.agent.camera_worker import CameraWorker
from edge_agent.agent.device import agent_version, rss_bytes
from edge_agent.agent.reporter import Reporter
from edge_agent.agent.self_care import SelfCare
from edge_agent.agent.shadow import ShadowTrial
from edge_agent.agent.states import Operation
from edge_agent.wire.status import Stats

if TYPE_CHECKING:
    from edge_agent.agent.cloud_peer import CloudPeer

_SAFE_ALARM = "safe operation: the last starts died; nothing is installed until the agent is started again"
_BLIND_ALARM = "blind: nobody looks at the cameras"


@dataclass(frozen=True)
class Organs:
    """Whose health is told."""

    device: str
    cameras: Mapping[str, CameraWorker]
    reporter: Reporter
    care: SelfCare
    peer: CloudPeer | None
    shadow: ShadowTrial


def stats_of(organs: Organs, operation: Operation, uptime_s: float) -> Stats:
    """Return the health; from the reporter's thread, which owns the spool."""
    care, reporter, peer = organs.care, organs.reporter, organs.peer
    counts = peer.offload.counts if peer is not None and peer.offload is not None else None
    return Stats(
        device=organs.device,
        agent_version=agent_version(),
        uptime_s=round(uptime_s, 1),
        cameras={name: camera.stats() for name, camera in organs.cameras.items()},
        offload_requests=counts.requests if counts is not None else 0,
        offload_answers=counts.answers if counts is not None else 0,
        offload_bytes=counts.bytes_sent if counts is not None else 0,
        spool_depth=reporter.depth(),
        spool_dropped=reporter.dropped_events,
        rss_bytes=rss_bytes(),
        pss_bytes=care.memory_bytes,
        temperature_c=care.temperature_c,
        operation=operation.value,
        throttled=care.pace.why,
        alarms=_alarms(operation, reporter),
        shadow=organs.shadow.report(),
    )


def _alarms(operation: Operation, reporter: Reporter) -> tuple[str, ...]:
    told = {Operation.SAFE: _SAFE_ALARM, Operation.BLIND: _BLIND_ALARM}.get(operation)
    return tuple(alarm for alarm in (told, reporter.alarm) if alarm)
