"""The search, against a device that answers on loopback among others that do not mean well."""

from __future__ import annotations

import pytest

from edge_agent.clock import SystemClock
from edge_agent.discover.found import Device
from edge_agent.discover.probe import Probe, find_devices
from edge_agent.errors import LinkError
from tests.fakes.onvif_device import OnvifDevice

BOMB = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><ProbeMatch>&b;&b;</ProbeMatch>'
)


def place(device: OnvifDevice) -> tuple[str, int]:
    host, _, port = device.place.partition(":")
    return host, int(port)


def test_find_devices_names_the_host_that_answered_and_passes_over_what_is_no_answer() -> None:
    with OnvifDevice([]) as device:
        device.datagrams = [
            b"",
            b"\xff\x00garbage",
            b"<a>" * 500,
            BOMB,
            device.match("http://" + "a" * 20_000),
        ]
        found = find_devices(Probe((place(device),), seconds=60.0, enough=1), SystemClock())
        port = device.host.partition(":")[2]
        assert found == [Device("127.0.0.1", f"http://127.0.0.1:{port}/onvif/device_service", "Front door")]
        assert b"dn:NetworkVideoTransmitter<" in device.seen[0]


def test_find_devices_of_one_that_names_many_services_keeps_a_bounded_number() -> None:
    with OnvifDevice([]) as device:
        addresses = [f"http://192.0.2.9:{port}/" for port in range(1, 101)]
        device.datagrams = [device.match(*addresses[n : n + 20]) for n in range(0, 100, 20)]
        assert len(find_devices(Probe((place(device),), seconds=60.0, enough=1_000), SystemClock())) == 64


def test_find_devices_without_a_way_out_says_so() -> None:
    with pytest.raises(LinkError, match=r"cannot ask the network: .*; check that it is connected"):
        find_devices(Probe((("255.255.255.255", 9),), seconds=60.0), SystemClock())
