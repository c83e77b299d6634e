"""Devices: enrolment on our tables, desired and reported state."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import cast

from sqlalchemy.orm import Session

from cloud.accounts.workspaces import HOME
from cloud.datasets.images import decode_image
from cloud.errors import InputError
from cloud.fleet.desired import assign_bundle, merge_reported, needs_new_release, try_in_shadow
from cloud.fleet.enrolment import (
    DeviceRecord,
    DeviceState,
    IssuedToken,
    KnownDevice,
    TokenRecord,
    issue_token,
)
from cloud.fleet.rollout_groups import Candidate
from cloud.store import audit, bundles, devices, sources
from cloud.store.tables import Device, EnrolmentToken
from edge_agent.clock import Clock
from edge_agent.wire.sync import BundleTarget, Desired, Reported

PublishAgain = Callable[[Session, str], BundleTarget]
"""Signs a bundle, by its id, under a new release; see `cloud.actions.bundles.publish_again`."""

_JPEG_MAGIC = b"\xff\xd8\xff"


class EnrolmentTables:
    """Implements `cloud.fleet.enrolment.EnrolmentStore` within one write session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._workspace_id = HOME

    def find_token(self, digest: str) -> TokenRecord | None:
        """Return a token by its SHA-256 in hexadecimal."""
        row = self._session.get(EnrolmentToken, digest)
        if row is None:
            return None
        # Who joins belongs to whoever made the token.
        self._workspace_id = row.workspace_id
        return TokenRecord(row.sha256, row.expires, row.device, row.accepts, row.group)

    def spend_token(self, digest: str, device: str, now_s: float) -> bool:
        """Mark an unused token as used; return whether this call did it."""
        return devices.spend_token(self._session, sha256=digest, device=device, now_s=now_s)

    def find_device(self, name: str) -> KnownDevice | None:
        """Return what is known of a device; none when no device has this name."""
        row = self._session.get(Device, name)
        if row is None:
            return None
        has_spoken = row.last_seen is not None and row.last_seen >= row.enrolled
        return KnownDevice(row.public_key_pem, cast("DeviceState", row.state), has_spoken)

    def save_device(self, device: DeviceRecord) -> None:
        """Insert a device, or update the one of that name.

        Raises:
            ConflictError: The name is another workspace's.
        """
        sources.claim(self._session, device.name, sources.WHOLE, self._workspace_id)
        row = Device(
            workspace_id=self._workspace_id,
            name=device.name,
            public_key_pem=device.public_key_pem,
            profile=device.profile,
            arch=device.arch,
            agent_version=device.agent_version,
            enrolled=device.enrolled_s,
            state=device.state,
        )
        if device.group is not None:
            row.group = device.group
        devices.enrol(self._session, row)


def make_token(
    session: Session, clock: Clock, *, accepts: bool = True, group: str | None = None
) -> IssuedToken:
    """Make a one-time enrolment token; only its digest is kept.

    Args:
        session: A write session.
        clock: Where the time comes from.
        accepts: Whoever joins with it is in at once; else it waits until somebody accepts it.
        group: The group that the device gets.
    """
    token = issue_token(clock)
    row = EnrolmentToken(
        sha256=token.digest, created=clock.now_s(), expires=token.expires_s, accepts=accepts, group=group
    )
    session.add(row)
    audit.note(session, "token made", now_s=clock.now_s(), detail=f"token {token.digest[:8]}")
    return token


def change_desired(
    session: Session, device: str, change: Callable[[Desired], Desired], *, now_s: float
) -> Desired | None:
    """Change what is wanted of a device; return the new state, or none when nothing changed.

    Raises:
        NotFoundError: There is no such device.
    """
    devices.find(session, device)
    current = devices.desired_of(session, device)
    changed = change(current)
    if changed == current:
        return None
    devices.put_desired(session, changed, now_s=now_s)
    return changed


def assign(
    session: Session, device: str, bundle_id: str | None, *, publish_again: PublishAgain, now_s: float
) -> Desired:
    """Want a published bundle on a device, or none.

    Args:
        session: A write session.
        device: Its name.
        bundle_id: The bundle; none: no bundle.
        publish_again: Signs a bundle under a new release; asked for on the way back to an older version,
            because a device refuses a release below the one that it ran.
        now_s: UTC seconds since 1970.

    Raises:
        NotFoundError: There is no such device or bundle.
        InputError: The bundle is not published, or made for another kind of device.
    """
    target = None if bundle_id is None else _newest_target(session, device, bundle_id, publish_again)
    changed = change_desired(session, device, lambda now: assign_bundle(now, target), now_s=now_s)
    return changed or devices.desired_of(session, device)


def try_out(
    session: Session, device: str, bundle_id: str | None, *, publish_again: PublishAgain, now_s: float
) -> Desired:
    """Want a published bundle to look beside what runs, so that nobody is alerted by it; or none.

    Raises:
        NotFoundError: There is no such device or bundle.
        InputError: The bundle is not published, or made for another kind of device.
    """
    target = None if bundle_id is None else _newest_target(session, device, bundle_id, publish_again)
    changed = change_desired(session, device, lambda now: try_in_shadow(now, target), now_s=now_s)
    return changed or devices.desired_of(session, device)


def note_report(session: Session, reported: Reported, *, now_s: float) -> Reported:
    """Store what a device says it runs; return it with what was known before.

    Raises:
        InputError: The report is about another device.
    """
    merged = merge_reported(devices.reported_of(session, reported.device), reported)
    devices.put_reported(session, merged.reported, now_s=now_s)
    devices.note_seen(session, reported.device, now_s=now_s)
    device = devices.find(session, reported.device)
    device.agent_version, device.profile = reported.agent_version, reported.profile
    return merged.reported


def receive_picture(jpeg: bytes, name: str) -> None:
    """Check that bytes from outside are a JPEG that decodes.

    Raises:
        InputError: They are not.
    """
    if not jpeg.startswith(_JPEG_MAGIC):
        message = f"{name}: not a JPEG"
        raise InputError(message)
    decode_image(jpeg, name)


def stats_of(device: Device) -> dict[str, object] | None:
    """Return the newest health of a device as JSON."""
    return None if device.stats is None else dict(json.loads(device.stats))


def candidate_of(device: Device) -> Candidate:
    """Return a device as roll-outs choose from."""
    labels = tuple(str(label) for label in device.labels)
    return Candidate(device.name, device.profile, device.online, device.group, labels)


def _newest_target(
    session: Session, device: str, bundle_id: str, publish_again: PublishAgain
) -> BundleTarget:
    target = _target_for(session, device, bundle_id)
    return publish_again(session, bundle_id) if _is_way_back(session, device, target) else target


def _target_for(session: Session, device: str, bundle_id: str) -> BundleTarget:
    bundle = bundles.find(session, bundle_id)
    if bundle.target is None:
        message = f"bundle {bundle_id} is not published; `elfowl-cloud bundle publish {bundle_id}` signs it"
        raise InputError(message)
    profile = devices.find(session, device).profile
    if profile != bundle.profile:
        message = f"bundle {bundle_id} is made for {bundle.profile!r}, but {device} is a {profile!r}"
        raise InputError(message)
    return BundleTarget.from_json(bundle.target)


def _is_way_back(session: Session, device: str, target: BundleTarget) -> bool:
    """Return whether the device ran a higher release of this detector, as far as its report remembers."""
    reported = devices.reported_of(session, device)
    if needs_new_release(target, devices.desired_of(session, device), reported):
        return True
    ran = {outcome.bundle_sha256 for outcome in reported.outcomes} if reported else set()
    known = bundles.every(session, target.detector_id)
    return any(bundle.sha256 in ran and (bundle.release or 0) > target.release for bundle in known)
