"""What can be said of a device that was not at hand: estimates, each with what it was made from."""

from __future__ import annotations

from edge_agent.wire.profile import DeviceProfile, SpeedReference
from edge_agent.wire.receipt import Estimate


def estimates(profile: DeviceProfile, macs: int | None) -> tuple[Estimate, ...]:
    """Return what a network of so many multiply-accumulates a picture means for a device.

    Args:
        profile: The device.
        macs: Of the network; none, or none counted: nothing can be said.
    """
    if not macs:
        return ()
    reference = profile.speed_reference
    return (_needed(profile, macs), *((_time(reference, macs),) if reference else ()))


def _needed(profile: DeviceProfile, macs: int) -> Estimate:
    return Estimate(
        what=f"speed that the device needs for {profile.target_fps:g} pictures a second",
        value=round(macs * profile.target_fps / 1e9, 3),
        unit="billion multiply-accumulates a second",
        made_from="the network's multiply-accumulates and the profile's target_fps; it was not run there",
    )


def _time(reference: SpeedReference, macs: int) -> Estimate:
    clock = f", clock {reference.clock_ratio:g} times this device's" if reference.clock_ratio != 1.0 else ""
    return Estimate(
        what="time of a network of as many multiply-accumulates on the device, order of magnitude only",
        value=round(macs / reference.macs * reference.ms * reference.clock_ratio, 1),
        unit="ms a picture",
        made_from=(
            f"{reference.network}, {reference.macs / 1e6:g} million multiply-accumulates: {reference.ms:g} ms"
            f"{clock}; {reference.source}; precision and threads are those of that network, not of this one"
        ),
    )
