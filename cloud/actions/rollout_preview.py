"""What a roll-out would do, before it does anything: which devices in which order, and how many bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from cloud.actions.bundles import HEADS_FILE, bundle_path
from cloud.actions.rollouts import load, outline
from cloud.fleet.description import describe
from cloud.fleet.rollout_plan import Plan
from cloud.settings import Settings
from cloud.store import bundles, devices, rollouts
from cloud.store.tables import BundleRow
from edge_agent.errors import ElfowlError


@dataclass(frozen=True)
class PreviewDevice:
    """One device of a plan; `bytes` is what it will fetch, `taken_from` an older roll-out that loses it."""

    device: str
    profile: str
    group: int
    online: bool
    bytes: int
    runs: str | None
    taken_from: int | None


@dataclass(frozen=True)
class Preview:
    """What a plan would do."""

    devices: tuple[PreviewDevice, ...]
    left_out: Mapping[str, str]

    @property
    def total_bytes(self) -> int:
        """Return what all devices together fetch; signed metadata of some kB each is left out."""
        return sum(device.bytes for device in self.devices)


def preview(session: Session, settings: Settings, plan: Plan) -> Preview:
    """Return what a plan would do now; nothing is changed.

    Raises:
        NotFoundError: There is no such bundle or device.
        InputError: The plan makes no sense.
    """
    about = outline(session, plan)
    sizes = {profile: _Sizes(session, settings, bundle) for profile, bundle in about.bundles.items()}
    losers = _losers(session)
    shown = []
    for member in about.members:
        reported = devices.reported_of(session, member.device)
        installed = reported.installed if reported is not None else None
        shown.append(
            PreviewDevice(
                device=member.device,
                profile=member.profile,
                group=member.group,
                online=devices.find(session, member.device).online,
                bytes=sizes[member.profile].for_device(installed.sha256 if installed else None),
                runs=None
                if installed is None
                else f"{installed.detector_name} v{installed.detector_version}",
                taken_from=losers.get(member.device),
            )
        )
    return Preview(tuple(shown), about.left_out)


class _Sizes:
    """How many bytes of one bundle a device fetches, by what it runs."""

    def __init__(self, session: Session, settings: Settings, bundle: BundleRow) -> None:
        self._session = session
        self._settings = settings
        self._bundle = bundle
        self._known: dict[str | None, int] = {None: bundle.length_bytes, bundle.sha256: 0}

    def for_device(self, installed_sha256: str | None) -> int:
        if installed_sha256 not in self._known:
            self._known[installed_sha256] = self._on_top_of(installed_sha256)
        return self._known[installed_sha256]

    def _on_top_of(self, installed_sha256: str | None) -> int:
        """Return the bytes of the heads alone, when the device has the trunk already."""
        whole = self._bundle.length_bytes
        base_id = bundles.id_of(self._session, installed_sha256) if installed_sha256 else None
        if base_id is None:
            return whole
        try:
            path = bundle_path(self._settings, self._bundle)
            heads = path.with_name(HEADS_FILE)
            if not heads.is_file():
                return whole
            base = describe(bundle_path(self._settings, bundles.find(self._session, base_id)))
            trunk = describe(path).trunk_sha256
            same_trunk = trunk is not None and trunk == base.trunk_sha256
            return heads.stat().st_size if same_trunk else whole
        except (ElfowlError, OSError):
            return whole


def _losers(session: Session) -> dict[str, int]:
    """Return which devices an older roll-out has not finished, and which one."""
    found: dict[str, int] = {}
    for row in rollouts.active(session):
        number = load(session, row.number).number
        found |= {
            member.device: number
            for member in rollouts.members_of(session, number)
            if member.state in {"waiting", "trying", "asked", "watching", "late"}
        }
    return found
