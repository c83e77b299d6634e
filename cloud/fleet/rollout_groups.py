"""Divides devices into the groups of a roll-out: the same devices in the same order, whoever asks."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cloud.fleet.rollout_plan import Member, Plan, Selector


@dataclass(frozen=True)
class Candidate:
    """A device that may take part."""

    name: str
    profile: str
    online: bool = True
    group: str | None = None
    labels: tuple[str, ...] = ()


def selects(selector: Selector, device: Candidate) -> bool:
    """Return whether a selector means a device."""
    if selector.devices and device.name not in selector.devices:
        return False
    if selector.groups and device.group not in selector.groups:
        return False
    return set(selector.labels) <= set(device.labels)


def divide(plan: Plan, devices: Sequence[Candidate]) -> tuple[Member, ...]:
    """Return the members in the order in which they are asked.

    Group 0 holds the canaries: of each kind of device, those that are named, then such as are online. Every
    later group brings the roll-out to its share of all devices. The order within is by a digest, so that no
    alphabet decides who is first.
    """
    ordered = sorted(devices, key=lambda device: _order(plan, device))
    canaries = _canaries(plan, ordered)
    rest = [device for device in ordered if device.name not in canaries]
    members = [Member(device=d.name, profile=d.profile, group=0) for d in ordered if d.name in canaries]
    for group, share in enumerate(plan.shares, start=1):
        until = max(0, math.ceil(share * len(ordered)) - len(members))
        members += [Member(device=d.name, profile=d.profile, group=group) for d in rest[:until]]
        rest = rest[until:]
    return _without_empty_groups(members)


def _canaries(plan: Plan, ordered: Sequence[Candidate]) -> set[str]:
    named = {device.name for device in ordered if device.name in plan.canary_devices}
    chosen, count = set(named), Counter(device.profile for device in ordered if device.name in named)
    for device in ordered:
        if device.name not in chosen and count[device.profile] < plan.canaries:
            chosen.add(device.name)
            count[device.profile] += 1
    return chosen


def _order(plan: Plan, device: Candidate) -> tuple[bool, bool, str]:
    digest = hashlib.sha256(f"{plan.name}\0{device.name}".encode()).hexdigest()
    return device.name not in plan.canary_devices, not device.online, digest


def _without_empty_groups(members: list[Member]) -> tuple[Member, ...]:
    numbers = {group: number for number, group in enumerate(sorted({member.group for member in members}))}
    return tuple(member.model_copy(update={"group": numbers[member.group]}) for member in members)
