"""What is wanted of a device, and what it says it runs: pure functions on the two documents.

The version of a desired state only grows. A writer names the version that it saw; when that is no longer the
current one, it is refused and has to look again. A store compares once more as it writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cloud.errors import ConflictError, InputError
from edge_agent.wire.nearby import NearbyWanted
from edge_agent.wire.sync import (
    BundleTarget,
    CameraSettings,
    Desired,
    DesiredHint,
    FrameWanted,
    Reported,
    UpdateOutcome,
)

_OUTCOMES_KEPT: Final = 100


@dataclass(frozen=True)
class MergedReport:
    """The report to be stored, and which outcomes of installations it told for the first time."""

    reported: Reported
    new_outcomes: tuple[UpdateOutcome, ...]


def first_desired(device: str) -> Desired:
    """Return the state of a device of which nothing was ever wanted."""
    return Desired(device=device, version=0)


def assign_bundle(
    current: Desired, bundle: BundleTarget | None, *, seen_version: int | None = None
) -> Desired:
    """Want a bundle, or none.

    Raises:
        ConflictError: `seen_version` is not the current version.
    """
    return _next(current, seen_version, bundle=bundle)


def try_in_shadow(current: Desired, bundle: BundleTarget | None) -> Desired:
    """Want a bundle to be tried beside what runs, or nothing to be tried."""
    return _next(current, None, shadow=bundle)


def change_camera(
    current: Desired, camera: str, settings: CameraSettings, *, seen_version: int | None = None
) -> Desired:
    """Want settings of one camera: those that `settings` names; of the others nothing new is wanted.

    Raises:
        ConflictError: `seen_version` is not the current version.
    """
    named = {name: getattr(settings, name) for name in settings.model_fields_set}
    wanted = current.cameras.get(camera, CameraSettings()).model_copy(update=named)
    return _next(current, seen_version, cameras={**current.cameras, camera: wanted})


def follow_home(current: Desired, reported: Reported) -> Desired:
    """Want what people switched at home since, so that the last word counts, wherever it was said.

    A device obeys only what is wanted anew: without this, nobody could take back here what was switched
    there. A report from before the newest wishes says nothing of them. Rules, and a threshold of which
    nothing was wanted, may come from the device's config file and stay its own.
    """
    if reported.desired_version != current.version:
        return current
    followed = {
        camera: _followed(current.cameras.get(camera, CameraSettings()), switched)
        for camera, switched in reported.cameras.items()
    }
    news = {
        camera: settings
        for camera, settings in followed.items()
        if settings != current.cameras.get(camera, CameraSettings())
    }
    return _next(current, None, cameras={**current.cameras, **news}) if news else current


def _followed(wanted: CameraSettings, switched: CameraSettings) -> CameraSettings:
    names = ["detect", "snapshots", "offload"] + ["threshold"] * (wanted.threshold is not None)
    return wanted.model_copy(update={name: getattr(switched, name) for name in names})


def want_frame(current: Desired, wanted: FrameWanted) -> Desired:
    """Want a key frame; one that is wanted already is not asked for twice."""
    if any(frame.request_id == wanted.request_id for frame in current.frames_wanted):
        return current
    return _next(current, None, frames_wanted=(*current.frames_wanted, wanted))


def frame_came(current: Desired, request_id: str) -> Desired:
    """No longer want a key frame; nothing changes when it was not wanted."""
    left = tuple(frame for frame in current.frames_wanted if frame.request_id != request_id)
    return current if len(left) == len(current.frames_wanted) else _next(current, None, frames_wanted=left)


def want_nearby(current: Desired, wanted: NearbyWanted) -> Desired:
    """Want a device to look for cameras around it, or to add one; what was wanted before is given up."""
    return _next(current, None, nearby_wanted=wanted)


def nearby_came(current: Desired, request_id: str) -> Desired:
    """No longer want what a device has answered; nothing changes when it was not wanted."""
    wanted = current.nearby_wanted
    is_it = wanted is not None and wanted.request_id == request_id
    return _next(current, None, nearby_wanted=None) if is_it else current


def etag(desired: Desired) -> str:
    """Return the entity tag of a state: its version (strong, RFC 9110)."""
    return f'"{desired.version}"'


def is_current(desired: Desired, if_none_match: str | None) -> bool:
    """Return whether a reader that sends `If-None-Match` has this state already."""
    if if_none_match is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in tags or etag(desired) in tags


def version_from_if_match(if_match: str | None) -> int | None:
    """Return which version a writer saw, from its `If-Match`; none when it sent none.

    Raises:
        InputError: It is not an entity tag of ours.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    try:
        return int(if_match.strip().strip('"'))
    except ValueError:
        message = f"If-Match {if_match!r} is not the ETag of a desired state"
        raise InputError(message) from None


def hint(desired: Desired) -> DesiredHint:
    """Return the MQTT hint that a newer state can be fetched."""
    return DesiredHint(version=desired.version)


def needs_new_release(target: BundleTarget, current: Desired, reported: Reported | None) -> bool:
    """Return whether a bundle must be published again before a device can be asked for it.

    A device refuses a release below the one of the same detector that it ran; so the way back to an older
    version is to publish that bundle anew, which gives it the highest release.
    """
    seen = [current.bundle, reported.installed if reported else None]
    return any(
        bundle is not None and bundle.detector_id == target.detector_id and bundle.release > target.release
        for bundle in seen
    )


def has_converged(desired: Desired, reported: Reported | None) -> bool:
    """Return whether a device runs what is wanted of it."""
    if reported is None or reported.desired_version < desired.version:
        return False
    if desired.bundle is None:
        return True
    return reported.installed is not None and reported.installed.sha256 == desired.bundle.sha256


def merge_reported(stored: Reported | None, incoming: Reported) -> MergedReport:
    """Return what to store when a report comes.

    An outcome counts once, however often it is told. A report that is older than the stored one (it was
    overtaken on the way) adds its outcomes and changes nothing else. The last 100 outcomes are kept.

    Raises:
        InputError: The report is about another device.
    """
    if stored is None:
        outcomes = _unique((), incoming.outcomes)
        return MergedReport(incoming.model_copy(update={"outcomes": outcomes}), outcomes)
    if stored.device != incoming.device:
        message = f"device {stored.device!r} sent the report of {incoming.device!r}"
        raise InputError(message)
    new = _unique(stored.outcomes, incoming.outcomes)
    newest = stored if incoming.desired_version < stored.desired_version else incoming
    return MergedReport(
        newest.model_copy(update={"outcomes": (*stored.outcomes, *new)[-_OUTCOMES_KEPT:]}), new
    )


def _unique(known: tuple[UpdateOutcome, ...], told: tuple[UpdateOutcome, ...]) -> tuple[UpdateOutcome, ...]:
    seen = {outcome.id for outcome in known}
    new: dict[str, UpdateOutcome] = {}
    for outcome in told:
        if outcome.id not in seen:
            new.setdefault(outcome.id, outcome)
    return tuple(new.values())


def _next(current: Desired, seen_version: int | None, **changes: Any) -> Desired:  # noqa: ANN401 - fields
    if seen_version is not None and seen_version != current.version:
        message = (
            f"the desired state of {current.device!r} is at version {current.version}, "
            f"not {seen_version}; look at it again"
        )
        raise ConflictError(message)
    changed = current.model_copy(update=changes)
    if changed == current:
        return current
    return changed.model_copy(update={"version": current.version + 1})
