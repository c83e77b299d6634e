"""Rules of a camera on their way from the portal to the device."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.wire.sync import Desired
from tests.cloud.api.conftest import Camera, Cloud

CORNERS = [[0.1, 0.2], [0.9, 0.2], [0.5, 0.8]]


def test_rules_set_by_a_person_reach_the_camera_whole(cloud: Cloud, camera: Camera) -> None:
    rules = {
        "zones": [{"name": "path", "corners": CORNERS, "labels": ["person"], "loiter_s": 20}],
        "required_zones": ["path"],
        "schedules": [{"days": ["sat"], "begin": "22:00", "end": "06:00", "pause": "events"}],
        "time_zone": "Europe/Berlin",
    }
    url = f"/api/v1/devices/{camera.name}/cameras/door"
    assert cloud.client.put(url, json={"rules": rules}).status_code == 200
    answer = cloud.client.get("/api/v1/device/desired", headers=camera.headers())
    taken = Desired.from_json(answer.content).cameras["door"].rules
    assert taken is not None
    assert taken.zones[0].corners == ((0.1, 0.2), (0.9, 0.2), (0.5, 0.8))
    assert (taken.zones[0].loiter_s, taken.required_zones) == (20.0, ("path",))
    assert (taken.schedules[0].begin, taken.time_zone) == ("22:00", "Europe/Berlin")


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"zones": [{"name": "path", "corners": CORNERS[:2]}]}, "a polygon needs 3 different corners"),
        ({"required_zones": ["lawn"]}, "'lawn', which is no zone; there are no zones"),
    ],
)
def test_rules_with_a_mistake_are_refused_before_a_camera_hears_of_them(
    cloud: Cloud, camera: Camera, rules: dict[str, Any], says: str
) -> None:
    answer = cloud.client.put(f"/api/v1/devices/{camera.name}/cameras/door", json={"rules": rules})
    assert answer.status_code == 422
    assert says in answer.json()["detail"]
    desired = cloud.client.get("/api/v1/device/desired", headers=camera.headers())
    assert Desired.from_json(desired.content).cameras == {}
