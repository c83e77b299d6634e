"""Which brokers, and whether one connection serves both."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.agent.brokers import plan_brokers
from edge_agent.config import MqttConfig
from edge_agent.wire.sync import MqttAccess

ACCESS = MqttAccess(host="localhost", port=1883, username="porch", password="p", client_id="c-porch")


def test_home_alone_has_no_cloud() -> None:
    plan = plan_brokers(MqttConfig(host="ha"), "pw", "porch", None, None)
    assert plan.cloud is None
    assert plan.home is not None
    broker, topics = plan.home
    assert (broker.host, broker.port, broker.password, broker.client_id) == ("ha", 1883, "pw", "elfowl-porch")
    assert topics.base == "elfowl/porch"


def test_cloud_alone_is_the_home_too() -> None:
    plan = plan_brokers(None, None, "porch", "porch", ACCESS)
    assert plan.home == plan.cloud
    assert plan.shared


@pytest.mark.parametrize(
    ("mqtt", "shared"),
    [
        (MqttConfig(host="127.0.0.1"), True),
        (MqttConfig(host="LOCALHOST"), True),
        (MqttConfig(host="localhost", port=1884), False),
        (MqttConfig(host="ha"), False),
        (MqttConfig(host="localhost", prefix="other"), False),
    ],
)
def test_same_broker_and_topics_share_one_connection(mqtt: MqttConfig, shared: bool) -> None:
    plan = plan_brokers(mqtt, None, "porch", "porch", ACCESS)
    assert plan.shared is shared
    assert plan.home is not None
    assert plan.cloud is not None
    assert (plan.home[0] is plan.cloud[0]) is shared
    if shared:
        assert plan.home[0].client_id == "c-porch", "the cloud's broker knows this name"


def test_private_authority_is_for_the_clouds_broker_only() -> None:
    mqtt, ca_file = MqttConfig(host="ha"), Path("ca.pem")
    plan = plan_brokers(mqtt, None, "porch", "porch", ACCESS, ca_file)
    assert plan.home is not None
    assert plan.cloud is not None
    assert (plan.home[0].ca_file, plan.cloud[0].ca_file) == (None, ca_file)


def test_same_broker_with_other_device_name_is_not_shared() -> None:
    assert not plan_brokers(MqttConfig(host="localhost"), None, "porch", "porch-2", ACCESS).shared


def test_owner_credentials_win_at_a_shared_broker() -> None:
    plan = plan_brokers(MqttConfig(host="localhost", username="me"), "mine", "porch", "porch", ACCESS)
    assert plan.home is not None
    assert (plan.home[0].username, plan.home[0].password) == ("me", "mine")
