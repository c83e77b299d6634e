"""The rules of a camera: what is accepted, and what a mistake says."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.wire.rules import CameraRules, Schedule
from edge_agent.wire.sync import CameraSettings

TRIANGLE = [[0.1, 0.2], [0.9, 0.2], [0.5, 0.8]]
PATH = {"name": "path", "corners": TRIANGLE}


def test_rules_of_nothing_give_the_defaults() -> None:
    rules = CameraRules.from_json("{}")
    assert (rules.look_every_s, rules.still_again_s, rules.zones) == (10.0, 60.0, ())


def test_settings_of_an_older_cloud_leave_the_rules_to_the_camera() -> None:
    assert CameraSettings.from_json('{"detect": true}').rules is None


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"zones": [{"name": "path", "corners": TRIANGLE[:2]}]}, "3 different corners or more, but has 2"),
        ({"zones": [{"name": "path", "corners": TRIANGLE[:2] * 3}]}, "3 different corners or more"),
        ({"zones": [{"name": "path", "corners": [*TRIANGLE, [1.5, 0.5]]}]}, r"point 4, \[1.5, 0.5\]"),
        ({"motion_masks": [{"name": "tree", "corners": [[120, 80], *TRIANGLE]}]}, "fractions of its width"),
        ({"zones": [PATH, PATH]}, "the zone 'path' is there twice"),
        ({"motion_masks": [PATH, PATH]}, "the motion mask 'path' is there twice"),
        ({"labels": [{"label": "cat"}, {"label": "cat"}]}, "the label 'cat' is there twice"),
        ({"zones": [PATH | {"name": "my path"}]}, "should match pattern"),
        ({"zones": [PATH | {"loiter_s": 0}]}, "greater than 0"),
        ({"zones": [PATH], "required_zones": ["lawn"]}, "'lawn', which is no zone; zones here: path"),
        ({"labels": [{"label": "cat", "required_zones": ["lawn"]}]}, "'lawn'.*there are no zones"),
        ({"labels": [{"label": "cat", "min_area": 0.5, "max_area": 0.1}]}, "nothing would be seen"),
        ({"lines": [{"name": "gate", "start": [0.5, 0.5], "end": [0.5, 0.5]}]}, "the same point"),
        ({"lines": [{"name": "gate", "start": [0.5, 0.5], "end": [0.5, 2]}]}, "point 2"),
        ({"time_zone": "Europe/Berln"}, "did you mean 'Europe/Berlin'"),
        ({"time_zone": "../../etc/passwd"}, "there is no time zone"),
        ({"schedules": [{"begin": "25:00", "pause": "events"}]}, "'25:00' is no time of day"),
        ({"schedules": [{"begin": 8, "pause": "events"}]}, "valid string"),
        ({"schedules": [{"begin": "08:00", "end": "08:00", "pause": "events"}]}, "a whole day is"),
        ({"schedules": [{"days": [], "pause": "events"}]}, "at least 1 item"),
        ({"schedules": [{"days": ["noon"], "pause": "events"}]}, "'mon', 'tue'"),
        ({"schedules": [{"pause": "everything"}]}, "'detection' or 'events'"),
        ({"zones": [PATH | {"name": f"z{n}"} for n in range(33)]}, "at most 32 items"),
    ],
)
def test_rules_with_a_mistake_are_refused_and_say_why(document: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        CameraRules.model_validate(document)


@pytest.mark.parametrize(
    ("written", "read"),
    [("22:00", "22:00"), ("7:05", "07:05"), (22 * 60 + 30, "22:30"), (60, "01:00"), ("24:00", "24:00")],
)
def test_schedule_time_is_read_also_as_yaml_gives_it(written: object, read: str) -> None:
    assert Schedule.model_validate({"end": written, "begin": "00:30", "pause": "events"}).end == read


def test_rules_name_their_labels_once_each() -> None:
    rules = CameraRules.model_validate(
        {
            "labels": [{"label": "car"}],
            "zones": [PATH | {"labels": ["person", "car"]}],
            "lines": [{"name": "gate", "start": [0, 0], "end": [1, 1], "labels": ["person", "dog"]}],
        }
    )
    assert rules.named_labels() == ("car", "person", "dog")
