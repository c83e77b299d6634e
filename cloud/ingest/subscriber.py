"""The cloud's MQTT connection: takes messages in, stores them in groups, answers after the commit.

Invariants:
- The network thread only puts messages into a bounded inbox; an error while storing never ends it.
- An answer is sent only for what a durable commit has stored; a device sends again what was not answered.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cloud.ingest.broker import BrokerAddress
from cloud.ingest.handler import Handler, Incoming
from cloud.ingest.inbox import Inbox
from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError
from edge_agent.wire.live import LookWanted
from edge_agent.wire.sync import DesiredHint
from edge_agent.wire.topics import DEFAULT_PREFIX, SESSION_PROPERTY, Topics

_LOG = logging.getLogger(__name__)
_SUBSCRIPTIONS = ("+/up/events", "+/up/look", "+/available", "+/stats", "+/feedback/set")
_LOOK = "/up/look"
_PAUSE_S = 2.0
_SESSION_S = 7 * 86_400
_OTHER_VERSION_S = 1.0


class Subscriber:
    """One connection to the broker, and one thread that stores what comes."""

    def __init__(
        self,
        address: BrokerAddress,
        handler: Handler,
        clock: Clock,
        *,
        client_id: str,
        prefix: str = DEFAULT_PREFIX,
        on_look: Callable[[str, bytes], None] = lambda _device, _payload: None,
        inbox: Inbox | None = None,
    ) -> None:
        """Prepare; `on_look` takes what devices send while somebody looks, in the network's thread."""
        self._on_look = on_look
        self._address = address
        self._handler = handler
        self._clock = clock
        self._prefix = prefix
        self._inbox = inbox or Inbox()
        self._writer = threading.Thread(target=self._write, name="ingest-writer", daemon=True)
        self._connected = threading.Event()
        self._stopping = threading.Event()
        self._client_id = client_id
        self._was_answered = False
        self._client = self._make_client(MQTTProtocolVersion.MQTTv5)

    @property
    def is_connected(self) -> bool:
        """Return whether the broker is there and hands on what devices send."""
        return self._connected.is_set()

    def start(self) -> None:
        """Connect, and keep connecting for as long as it takes."""
        self._writer.start()
        self._connect()

    def wait_connected(self, timeout_s: float) -> bool:
        """Return whether the broker was reached, and the subscriptions confirmed, in time."""
        return self._connected.wait(timeout_s)

    def stop(self) -> None:
        """Store what waits, answer, and leave."""
        self._stopping.set()
        self._inbox.close()
        if self._writer.is_alive():
            self._writer.join(timeout=10.0)
        self._client.disconnect()
        self._client.loop_stop()

    def hint_desired(self, device: str, version: int) -> None:
        """Tell a device that a newer desired state can be fetched; it would find out by itself, but later."""
        if self.is_connected:
            topic = Topics(device, self._prefix).down_desired
            self._client.publish(topic, DesiredHint(version=version).to_json(), qos=1)

    def _make_client(self, protocol: MQTTProtocolVersion) -> Client:
        is_5 = protocol == MQTTProtocolVersion.MQTTv5
        # A session that the broker keeps: what devices send while the cloud restarts waits there.
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=None if is_5 else False,
            protocol=protocol,
        )
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.reconnect_delay_set(min_delay=1, max_delay=10)
        if self._address.username is not None:
            client.username_pw_set(self._address.username, self._address.password)
        if self._address.tls:
            client.tls_set()
        return client

    def _connect(self) -> None:
        if self._stopping.is_set():
            return
        host, port = self._address.host, self._address.port
        if self._client.protocol == MQTTProtocolVersion.MQTTv5:
            kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            kept.SessionExpiryInterval = _SESSION_S
            self._client.connect_async(host, port, keepalive=30, clean_start=False, properties=kept)
        else:
            self._client.connect_async(host, port, keepalive=30)
        self._client.loop_start()

    def _speak_other_version(self) -> None:
        """Try MQTT 3.1.1 instead of 5, or the other way round: some brokers only hang up on what is new."""
        is_5 = self._client.protocol == MQTTProtocolVersion.MQTTv5
        self._client.loop_stop()
        self._client = self._make_client(MQTTProtocolVersion.MQTTv311 if is_5 else MQTTProtocolVersion.MQTTv5)
        retry = threading.Timer(_OTHER_VERSION_S, self._connect)
        retry.daemon = True
        retry.start()

    def ask_look(self, device: str, wanted: LookWanted) -> None:
        """Tell a device that somebody looks at one of its cameras; lost when the broker is not there."""
        if self.is_connected:
            self._client.publish(Topics(device, self._prefix).down_look, wanted.to_json(), qos=0)

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, _p: Properties | None
    ) -> None:
        self._was_answered = str(code) != "Unsupported protocol version"
        if code.is_failure:
            _LOG.warning("MQTT broker %s:%d refuses: %s", self._address.host, self._address.port, code)
            return
        client.subscribe([(f"{self._prefix}/{leaf}", 1) for leaf in _SUBSCRIPTIONS])

    def _on_subscribe(self, *_arguments: object) -> None:
        # Only now does the broker hand on what devices send; before, a first message could be lost.
        self._connected.set()
        _LOG.info("connected to MQTT broker %s:%d", self._address.host, self._address.port)

    def _on_disconnect(self, *_arguments: object) -> None:
        self._connected.clear()
        if not self._was_answered and not self._stopping.is_set():
            self._speak_other_version()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if message.topic.endswith(_LOOK):
            # Shown or forgotten, never stored: it must not wait behind what is.
            self._on_look(
                message.topic.removeprefix(f"{self._prefix}/").removesuffix(_LOOK), bytes(message.payload)
            )
            return
        session = _session_of(message)
        incoming = Incoming(message.topic, bytes(message.payload), message.retain, session)
        self._inbox.offer(incoming)

    def _write(self) -> None:
        while group := self._inbox.next_group():
            if refused := self._inbox.take_refused():
                # Not stored, so not answered: the devices will send them again.
                _LOG.warning("ingest is behind; %d messages are left to be sent again", refused)
            self._store(group)

    def _store(self, group: list[Incoming]) -> None:
        try:
            answers = self._handler.handle(group)
        except ElfowlError as error:
            _LOG.error("%d messages not stored, devices will send them again: %s", len(group), error)
            self._clock.sleep(_PAUSE_S)
            return
        except Exception:  # noqa: BLE001 - nothing that comes from outside may end this thread
            _LOG.exception("%d messages not stored", len(group))
            self._store_singly(group)
            return
        for answer in answers:
            self._client.publish(answer.topic, answer.payload, qos=1)

    def _store_singly(self, group: list[Incoming]) -> None:
        """Find the message that nobody foresaw and put it aside, so that the others do not suffer."""
        if len(group) == 1:
            self._handler.bury(group[0], "storing it failed; the log says why")
            return
        for message in group:
            self._store([message])


def _session_of(message: MQTTMessage) -> str | None:
    """Return the name of the connection by which a device spoke; none where it gives none."""
    properties = getattr(message.properties, "UserProperty", None) or ()
    return next((str(value) for name, value in properties if name == SESSION_PROPERTY), None)
