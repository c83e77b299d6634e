"""A real Home Assistant, a real Mosquitto and the agent: what the owner sees is true through every fault."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.wire.event import Event
from edge_agent.wire.status import UpdateState
from tests.system.agents import AgentProcess, Ear, retained
from tests.system.home_assistant import HomeAssistant
from tests.system.mosquitto import Mosquitto

pytestmark = [pytest.mark.system, pytest.mark.slow]

BLUEPRINTS = Path(__file__).parents[2] / "deploy" / "home-assistant" / "blueprints"
OCCUPANCY = "binary_sensor.porch_front_red_square_occupancy"
COUNT = "sensor.porch_front_red_square_count"
PICTURE = "image.porch_front_red_square_picture"
EVENT = "event.porch_front_detections"
DETECT = "switch.porch_front_detect"
THRESHOLD = "number.porch_front_threshold"
UPDATE = "update.porch_detector"
REASON = "sensor.porch_front_reason"
SNAPSHOT = "elfowl/porch/cam/front/label/red_square/snapshot"
STATUS = "elfowl/porch/cam/front/status"
DOMAINS = {"binary_sensor", "sensor", "image", "event", "switch", "number", "update"}

AUTOMATIONS = [
    {
        "alias": "notify",
        "use_blueprint": {
            "path": "elfowl/notify_with_picture.yaml",
            "input": {
                "detections": EVENT,
                "picture": PICTURE,
                "label": "red_square",
                "notify_service": "notify.phone",
            },
        },
    },
    {
        "alias": "light",
        "use_blueprint": {
            "path": "elfowl/light_after_dark.yaml",
            "input": {"occupancy": OCCUPANCY, "light": {"entity_id": "light.lamp"}, "stay_on_s": 0},
        },
    },
    {
        "alias": "near",
        "use_blueprint": {
            "path": "elfowl/a_next_to_b.yaml",
            "input": {
                "thing_a": OCCUPANCY,
                "thing_b": OCCUPANCY,
                "seconds": 1,
                "then": [{"event": "elfowl_near"}],
            },
        },
    },
]
HOUSE = """\
sun:
input_boolean: {lamp: }
light:
  - platform: template
    lights:
      lamp:
        value_template: "{{ is_state('input_boolean.lamp', 'on') }}"
        turn_on: {service: input_boolean.turn_on, target: {entity_id: input_boolean.lamp}}
        turn_off: {service: input_boolean.turn_off, target: {entity_id: input_boolean.lamp}}
notify:
  - {name: phone, platform: group, services: []}
"""


def config(
    port: int,
    *,
    prefix: str = "elfowl",
    cameras: tuple[str, ...] = ("front",),
    labels: str = "[]",
    discovery: str = "per_entity",
) -> str:
    listed = "".join(f"  - {{name: {name}, source: squares, labels: {labels}}}\n" for name in cameras)
    return (
        "device: porch\nprofile: x86-64\nbundle: starter\n"
        f"mqtt: {{host: 127.0.0.1, port: {port}, prefix: {prefix}, discovery: {discovery}}}\n"
        f"cameras:\n{listed}"
    )


class House:
    """Broker, Home Assistant, and the agent's folder: the same for all tests, whose owner edits on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker = Mosquitto(folder)
        self.broker.start()
        self.home = HomeAssistant(folder / "home", automations=yaml.safe_dump(AUTOMATIONS), more=HOUSE)
        self.home.bring_blueprints(BLUEPRINTS)
        self.home.start()
        self.home.welcome(self.broker.port)

    def entities(self) -> set[str]:
        return {name for name in self.home.states() if name.split(".")[0] in DOMAINS and "porch" in name}

    def topics(self, prefix: str = "") -> set[str]:
        return {topic for topic in retained(self.broker.port) if topic.startswith(prefix)}

    def close(self) -> None:
        self.home.kill()
        self.broker.stop()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("house"))
    yield house
    house.close()


@pytest.fixture
def home(house: House) -> Iterator[HomeAssistant]:
    yield house.home
    # Whatever a test did: nothing of it may annoy the owner.
    assert house.home.complaints() == []


@pytest.fixture
def ear(house: House) -> Iterator[Ear]:
    ear = Ear(house.broker.port)
    yield ear
    ear.close()


@pytest.fixture
def agent(house: House, home: HomeAssistant, ear: Ear) -> Iterator[AgentProcess]:
    assert ear.client is not None, "somebody listens from the start"
    agent = AgentProcess(house.folder, config(house.broker.port))
    try:
        home.wait(lambda: home.value(OCCUPANCY) in {"on", "off"}, 90.0)
        yield agent
    finally:
        agent.clean_up()


def available(home: HomeAssistant) -> Callable[[], bool]:
    return lambda: home.value(OCCUPANCY) in {"on", "off"} and home.value(REASON) == "pictures are coming"


def test_entities_of_every_kind_appear_on_one_device_and_tell_the_truth(
    house: House, home: HomeAssistant, agent: AgentProcess, ear: Ear
) -> None:
    assert agent.process.poll() is None
    home.wait_for(OCCUPANCY, "on")
    home.wait(lambda: home.value(EVENT) not in {None, "unknown"})
    home.wait(lambda: home.value("sensor.porch_front_inference_ms_p50") not in {None, "unknown"})
    registry, device = home.entities(), home.devices()["porch"]
    assert {name.split(".")[0] for name in registry} == DOMAINS
    assert {row["device_id"] for row in registry.values()} == {device["id"]}
    assert registry.keys() == house.entities(), "each entity is in the registry and has a state"
    assert (device["manufacturer"], device["model"]) == ("elfowl", "x86-64")
    triggers = {(row["type"], row["subtype"]) for row in home.triggers(device["id"])}
    assert triggers == {("seen", "front red square"), ("gone", "front red square")}

    states = home.states()
    values = {state["state"] for name, state in states.items() if name in registry}
    assert not values & {"unknown", "unavailable"}, states
    assert (states[DETECT]["state"], states[THRESHOLD]["state"]) == ("on", "0.5")
    assert (states[UPDATE]["state"], states[UPDATE]["attributes"]["in_progress"]) == ("off", False)
    sight: dict[str, Any] = {}

    def has_box() -> bool:
        sight.update(home.attributes(OCCUPANCY))
        return bool(sight.get("box"))

    home.wait(has_box)
    assert (sight["label"], sight["count"], sight["score"]) == ("red square", 1, 0.9)
    assert 0.0 <= sight["box"][0] < sight["box"][2] <= 1.0
    assert (sight["detector"]["id"], sight["detector"]["version"]) == ("squares", 1)
    assert sight["answered_by"] == "local"
    ids = {event.id for event in ear.events()}
    assert home.attributes(EVENT)["id"] in ids
    home.call("switch", "turn_off", entity_id=DETECT)
    home.wait_for(DETECT, "off")
    home.wait_for(OCCUPANCY, "off")
    assert home.picture(PICTURE) == retained(house.broker.port)[SNAPSHOT]
    home.call("switch", "turn_on", entity_id=DETECT)
    home.wait_for(OCCUPANCY, "on")


def test_settings_changed_in_home_assistant_are_obeyed_and_survive_a_restart(
    home: HomeAssistant, agent: AgentProcess
) -> None:
    home.call("switch", "turn_off", entity_id=DETECT)
    home.call("number", "set_value", entity_id=THRESHOLD, value=0.61)
    home.wait_for(DETECT, "off")
    home.wait_for(THRESHOLD, "0.61")
    assert agent.end() == 0
    home.wait_for(DETECT, "unavailable")
    agent.restart()
    home.wait_for(DETECT, "off")
    home.wait_for(THRESHOLD, "0.61")
    home.call("switch", "turn_on", entity_id=DETECT)
    home.wait_for(DETECT, "on")
    home.wait_for(OCCUPANCY, "on")


def test_newer_detector_is_offered_and_install_is_asked_for(
    home: HomeAssistant, agent: AgentProcess, ear: Ear
) -> None:
    assert agent.process.poll() is None
    newer = UpdateState(installed_version="squares 1", latest_version="squares 2", title="Detector")
    text = newer.model_dump_json(exclude_none=True)
    ear.client.publish("elfowl/porch/detector/state", text, 1, retain=True)
    home.wait_for(UPDATE, "on")
    home.call("update", "install", entity_id=UPDATE)
    ear.wait(lambda: ear.last("elfowl/porch/detector/set") == b"install")


def test_dead_agent_is_unavailable_and_comes_back(
    house: House, home: HomeAssistant, agent: AgentProcess
) -> None:
    agent.kill()
    home.wait(lambda: all(home.value(name) == "unavailable" for name in house.entities()))
    agent.restart()
    home.wait(available(home))


# Not for `make test`: its broker takes it for dead only after one and a half times its keepalive.
@pytest.mark.soak
def test_frozen_agent_is_unavailable_and_comes_back_when_it_goes_on(
    house: House, home: HomeAssistant, agent: AgentProcess
) -> None:
    agent.process.send_signal(signal.SIGSTOP)
    try:
        home.wait(lambda: all(home.value(name) == "unavailable" for name in house.entities()), 90.0)
    finally:
        agent.process.send_signal(signal.SIGCONT)
    home.wait(available(home), 90.0)


def test_dead_camera_is_unavailable_with_its_reason_while_settings_stay(
    house: House, home: HomeAssistant, agent: AgentProcess
) -> None:
    assert agent.process.poll() is None
    dead = house.folder / "front.dead"
    dead.touch()
    try:
        home.wait_for(OCCUPANCY, "unavailable")
        assert home.value(EVENT) == home.value(PICTURE) == "unavailable"
        assert home.value(REASON) == "no pictures come"
        assert home.value(DETECT) == "on"
    finally:
        dead.unlink()
    home.wait(available(home))


def test_restarted_home_assistant_shows_everything_again(
    house: House, home: HomeAssistant, agent: AgentProcess
) -> None:
    assert agent.process.poll() is None
    home.wait(lambda: home.value("sensor.porch_spool_depth") not in {None, "unknown"})
    before = house.entities()
    home.stop()
    home.start()
    home.wait(available(home))
    assert house.entities() == before
    # Not retained: it is said again once Home Assistant listens.
    home.wait(lambda: home.value("sensor.porch_spool_depth") not in {None, "unknown", "unavailable"})


def test_broker_that_forgot_everything_is_told_everything_again(
    house: House, home: HomeAssistant, agent: AgentProcess
) -> None:
    assert agent.process.poll() is None
    home.wait(lambda: SNAPSHOT in house.topics())
    before = house.topics()
    house.broker.kill()
    home.wait_for(OCCUPANCY, "unavailable")
    house.broker.start()
    # Home Assistant waits up to two minutes between its tries.
    home.wait(available(home), 150.0)
    home.wait(lambda: house.topics() == before)
    home.wait_for(OCCUPANCY, "on")


def test_other_prefix_keeps_the_entities_and_leaves_nothing_under_the_old(
    house: House, home: HomeAssistant, agent: AgentProcess
) -> None:
    before = house.entities()
    assert agent.end() == 0
    agent.restart(config(house.broker.port, prefix="owls/house"))
    home.wait(lambda: not house.topics("elfowl/"))
    home.wait(available(home))
    assert house.entities() == before
    home.wait_for(OCCUPANCY, "on")
    assert agent.end() == 0
    agent.restart(config(house.broker.port))
    home.wait(lambda: not house.topics("owls/"))
    home.wait(available(home))


def test_label_and_camera_that_go_leave_no_ghosts(
    house: House, home: HomeAssistant, agent: AgentProcess
) -> None:
    before = house.topics(), house.entities()
    assert agent.end() == 0
    agent.bundle = "squares-blue.zip"
    agent.restart(config(house.broker.port, cameras=("front", "back")))
    blue = "binary_sensor.porch_front_blue_square_occupancy"
    home.wait(lambda: home.value("binary_sensor.porch_back_red_square_occupancy") in {"on", "off"})
    home.wait(lambda: home.value(blue) == "off")
    home.wait(lambda: "elfowl/porch/cam/back/label/red_square/snapshot" in house.topics())
    assert agent.end() == 0
    agent.restart(config(house.broker.port, labels="[red_square]"))
    home.wait(lambda: home.value(blue) is None)
    home.wait(lambda: house.topics() == before[0])
    assert house.entities() == home.entities().keys() == before[1]


# Not for `make test`: the pinned core cannot read device documents, a newer one can.
@pytest.mark.soak
def test_move_between_discovery_styles_keeps_every_entity(
    house: House, home: HomeAssistant, agent: AgentProcess
) -> None:
    if home.version() < (2024, 12):
        pytest.skip("device documents are read by core 2024.12 and later")
    home.rename(OCCUPANCY, "binary_sensor.my_own_name")
    try:
        before = home.entities()
        documents = {"homeassistant/device/elfowl-porch/config"}
        single = house.topics("homeassistant/")
        for style, topics in [("device", documents), ("per_entity", single), ("device", documents)]:
            assert agent.end() == 0
            agent.restart(config(house.broker.port, discovery=style))
            home.wait(lambda topics=topics: house.topics("homeassistant/") == topics)  # type: ignore[misc]
            home.wait(lambda: home.value("binary_sensor.my_own_name") in {"on", "off"})
            now = home.entities()
            assert {name: row["id"] for name, row in now.items()} == {
                name: row["id"] for name, row in before.items()
            }
        assert agent.end() == 0
        agent.restart(config(house.broker.port, discovery="device", cameras=("front", "back")))
        home.wait(lambda: home.value("sensor.porch_back_red_square_count") in {"0", "1"})
        assert agent.end() == 0
        agent.restart(config(house.broker.port, discovery="device"))
        home.wait(lambda: home.value("sensor.porch_back_red_square_count") is None)
        home.wait(lambda: home.entities().keys() == before.keys())
    finally:
        home.rename("binary_sensor.my_own_name", OCCUPANCY)


def test_blueprints_notify_with_picture_and_bring_the_answer_back(
    home: HomeAssistant, agent: AgentProcess, ear: Ear
) -> None:
    assert agent.process.poll() is None
    for name in ("notify", "light", "near"):
        assert home.value(f"automation.{name}") == "on"
    call = home.hear("call_service", lambda data: data["domain"] == "notify" and data["service"] == "phone")
    said = call["service_data"]
    assert said["title"] == "front: red square"
    assert said["data"]["image"] == home.attributes(PICTURE)["entity_picture"]
    right, wrong = said["data"]["actions"]
    assert (right["title"], wrong["title"]) == ("Right", "Wrong")
    event_id = said["data"]["tag"].removeprefix("elfowl-")
    home.fire("mobile_app_notification_action", action=wrong["action"])
    ear.wait(lambda: ear.last("elfowl/porch/feedback/set") is not None)
    feedback = json.loads(ear.last("elfowl/porch/feedback/set") or b"")
    assert feedback == {"verdict": "wrong", "event_id": event_id, "author": "Home Assistant"}
    assert event_id in {event.id for event in ear.events() if isinstance(event, Event)}


def test_blueprints_turn_a_light_on_after_dark_and_see_two_things_near(
    home: HomeAssistant, agent: AgentProcess, ear: Ear
) -> None:
    assert agent.process.poll() is None
    # Red squares that somebody called wrong are hidden on the camera.
    ear.client.publish("elfowl/porch/cure/set", "forget", 1)
    home.set_state("sun.sun", "above_horizon")
    home.call("light", "turn_off", entity_id="light.lamp")
    home.hear("elfowl_near", lambda _data: True)
    assert home.value("light.lamp") == "off"
    home.set_state("sun.sun", "below_horizon")
    home.wait_for("light.lamp", "on")
    home.wait_for("light.lamp", "off")
