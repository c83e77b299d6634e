"""One MQTT connection that comes back by itself, on paho-mqtt.

paho's own habits that cost messages are kept out: each connection gets a new paho client, so that its
queue never holds the truth (what was not acknowledged is lost, and its owner sends it again from the spool);
sessions are kept at the broker, so that commands wait there; reconnects are spread by chance; nothing raised
by a callback ends a connection; one that acknowledges nothing any more is given up. What is published is sent
in the thread that publishes it.

Methods may be called from any thread. Callbacks come from the link's or that thread, and must be quick.
"""

from __future__ import annotations

import contextlib
import logging
import random
import secrets
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.clock import Clock
from edge_agent.report.conversation import Conversation
from edge_agent.report.protocol import Broker, Link, LinkEvents, Message
from edge_agent.wire.topics import SESSION_PROPERTY

_log = logging.getLogger(__name__)

_CONNECT_S = 10.0
_CHECK_S = 2.0
_ACK_S = 30.0
_STOP_S = 3.0
_SESSION_S = 7 * 86_400
_MAX_INFLIGHT = 100
_MAX_QUEUED = 5_000
_BACKOFF_BASE_S = 1.0
_BACKOFF_MAX_S = 60.0
_SETTLED_S = 30.0

__all__ = ["Broker", "Link", "LinkEvents", "Message", "MqttLink", "backoff_s"]


def backoff_s(failures: int, rng: random.Random) -> float:
    """Return how long to wait after `failures` in a row: doubling, then a random share of it."""
    ceiling = min(_BACKOFF_MAX_S, _BACKOFF_BASE_S * 2.0 ** min(failures, 10))
    return ceiling * (0.5 + 0.5 * rng.random())


class MqttLink:
    """The connection to one broker: start it, publish, stop it."""

    def __init__(
        self,
        broker: Broker,
        *,
        will: Message,
        subscriptions: Sequence[str],
        clock: Clock,
        rng: random.Random,
    ) -> None:
        """Prepare; `start` connects.

        Args:
            broker: Where to.
            will: Published by the broker when the connection breaks.
            subscriptions: Topic filters, subscribed to with QoS 1 on every connect.
            clock: Where times come from.
            rng: Spreads the reconnects of many devices.
        """
        self._broker = broker
        self._will = will
        self._subscriptions = tuple(subscriptions)
        self._clock = clock
        self._rng = rng
        is_old = broker.protocol == "3.1.1"
        self._protocol = MQTTProtocolVersion.MQTTv311 if is_old else MQTTProtocolVersion.MQTTv5
        self._stopping = threading.Event()
        self._connection: _Connection | None = None
        self._thread: threading.Thread | None = None
        self._reason = "not connected yet"

    @property
    def connected(self) -> bool:
        """Return whether the broker accepted us and the connection stands, as far as known."""
        connection = self._connection
        return connection is not None and connection.up.is_set()

    @property
    def reason(self) -> str:
        """Return why the last connection failed or ended, in one line."""
        return self._reason

    def start(self, events: LinkEvents) -> None:
        """Connect, and again whenever the connection is lost; tells `events` of it."""
        name = f"mqtt-{self._broker.host}"
        self._thread = threading.Thread(target=self._run, args=(events,), name=name, daemon=True)
        self._thread.start()

    def publish(self, message: Message, on_ack: Callable[[bool], None] | None = None) -> bool:
        """Hand a message over while connected; see `Link.publish`."""
        connection = self._connection
        return connection is not None and connection.publish(message, on_ack)

    def stop(self, farewell: Sequence[Message] = ()) -> None:
        """Publish `farewell`, wait shortly for what is under way, and disconnect."""
        connection = self._connection
        if connection is not None and connection.up.is_set():
            for message in farewell:
                connection.publish(message, None)
            connection.drain(_STOP_S)
        self._stopping.set()
        if connection is not None:
            connection.give_up()
        if self._thread is not None:
            self._thread.join(_STOP_S)

    def _run(self, events: LinkEvents) -> None:
        failures = 0
        while not self._stopping.is_set():
            started_s = self._clock.monotonic_s()
            was_up, reason = self._connect_once(events)
            if self._stopping.is_set():
                return
            settled = was_up and self._clock.monotonic_s() - started_s > _SETTLED_S
            failures = 0 if settled else failures + 1
            delay_s = backoff_s(failures, self._rng)
            if was_up or reason != self._reason:
                _log.warning("%s: %s; trying again in %.1f s", self._address, reason, delay_s)
            self._reason = reason
            self._stopping.wait(delay_s)

    @property
    def _address(self) -> str:
        return f"MQTT broker {self._broker.host}:{self._broker.port}"

    def _connect_once(self, events: LinkEvents) -> tuple[bool, str]:
        try:
            connection = _Connection(
                self._broker, self._protocol, self._will, self._subscriptions, events, self._clock
            )
        except (OSError, ValueError) as error:
            return False, f"cannot be spoken to: {error}; check the files for TLS"
        except MemoryError:
            return False, "cannot be spoken to: this machine is out of memory"
        self._connection = connection
        try:
            connection.run(self._stopping)
        except Exception as error:  # noqa: BLE001 - the link must come back whatever a connection does
            _log.exception("%s: connection failed", self._address)
            connection.reason = f"failed unexpectedly ({type(error).__name__})"
        self._connection = None
        if connection.was_up:
            _guard(events.down, connection.reason)
        elif connection.speaks_other_version and self._broker.protocol == "auto":
            is_5 = self._protocol == MQTTProtocolVersion.MQTTv5
            self._protocol = MQTTProtocolVersion.MQTTv311 if is_5 else MQTTProtocolVersion.MQTTv5
        return connection.was_up, connection.reason


class _Connection:
    """One connection from connecting to its loss."""

    def __init__(
        self,
        broker: Broker,
        protocol: MQTTProtocolVersion,
        will: Message,
        subscriptions: tuple[str, ...],
        events: LinkEvents,
        clock: Clock,
    ) -> None:
        self._broker = broker
        self._protocol = protocol
        self._subscriptions = subscriptions
        self._events = events
        self._clock = clock
        # Guards only the two maps: paho calls `on_publish` with locks held that `publish` needs too.
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[float, Callable[[bool], None] | None]] = {}
        self._early: dict[int, bool] = {}
        self.up = threading.Event()
        self.lost = threading.Event()
        self.was_up = False
        self.speaks_other_version = False
        self.reason = "connection closed"
        # Whoever hears that we are gone can tell by this whether that was said of an earlier connection.
        self._session = secrets.token_hex(8)
        self._will_topic = will.topic
        self._client = self._make_client(will)
        self._conversation = Conversation(self._client)

    def run(self, stopping: threading.Event) -> None:
        """Connect and stay until the connection is lost or `stopping` is set."""
        try:
            self._connect()
        except (OSError, ValueError) as error:
            self.reason = f"cannot connect: {error}"
        else:
            self._converse(stopping)
        finally:
            self.up.clear()
            self._conversation.close()

    def give_up(self) -> None:
        """End `run`; from any thread."""
        self.lost.set()
        self._conversation.wake()

    def publish(self, message: Message, on_ack: Callable[[bool], None] | None) -> bool:
        if not self.up.is_set():
            return False
        properties = self._named(PacketTypes.PUBLISH) if message.topic == self._will_topic else None
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain, properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return False
        with self._lock:
            taken = self._early.pop(info.mid, None)
            if taken is None:
                self._waiting[info.mid] = (self._clock.monotonic_s(), on_ack)
        if taken is not None and on_ack is not None:
            on_ack(taken)
        self._conversation.flush()
        return True

    def drain(self, timeout_s: float) -> None:
        """Wait until all that was published is acknowledged."""
        until_s = self._clock.monotonic_s() + timeout_s
        while self._waiting and not self.lost.is_set() and self._clock.monotonic_s() < until_s:
            self.lost.wait(0.02)

    def _connect(self) -> None:
        broker = self._broker
        if self._protocol == MQTTProtocolVersion.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = _SESSION_S
            self._client.connect(
                broker.host, broker.port, broker.keepalive_s, clean_start=False, properties=properties
            )
        else:
            self._client.connect(broker.host, broker.port, broker.keepalive_s)

    def _converse(self, stopping: threading.Event) -> None:
        checked_s = started_s = self._clock.monotonic_s()
        while self._conversation.turn(_CHECK_S) and not (self.lost.is_set() or stopping.is_set()):
            now_s = self._clock.monotonic_s()
            if now_s - checked_s < _CHECK_S:
                continue
            checked_s = now_s
            if not self.was_up and now_s - started_s > _CONNECT_S:
                self.reason, self.speaks_other_version = "no answer to CONNECT", True
                return
            with self._lock:
                oldest_s = min((sent_s for sent_s, _ in self._waiting.values()), default=now_s)
            if now_s - oldest_s > _ACK_S:
                self.reason = f"nothing acknowledged for {_ACK_S:.0f} s"
                return

    def _make_client(self, will: Message) -> mqtt.Client:
        is_5 = self._protocol == MQTTProtocolVersion.MQTTv5
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._broker.client_id,
            clean_session=None if is_5 else False,
            protocol=self._protocol,
            reconnect_on_failure=False,
            transport="tcp" if self._broker.websocket_path is None else "websockets",
        )
        if self._broker.websocket_path is not None:
            client.ws_set_options(path=self._broker.websocket_path)
        client.suppress_exceptions = True
        client.max_inflight_messages_set(_MAX_INFLIGHT)
        client.max_queued_messages_set(_MAX_QUEUED)
        named = self._named(PacketTypes.WILLMESSAGE)
        client.will_set(will.topic, will.payload, will.qos, will.retain, named)
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        if self._broker.tls:
            client.tls_set(
                ca_certs=_text(self._broker.ca_file),
                certfile=_text(self._broker.client_cert_file),
                keyfile=_text(self._broker.client_key_file),
            )
        client.on_socket_open = _send_at_once
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    def _named(self, packet: int) -> Properties | None:
        """Return the name of this connection for a packet; none where the protocol has no place for it."""
        if self._protocol != MQTTProtocolVersion.MQTTv5:
            return None
        properties = Properties(packet)  # type: ignore[no-untyped-call]
        properties.UserProperty = (SESSION_PROPERTY, self._session)
        return properties

    def _on_connect(
        self, client: mqtt.Client, _data: object, _flags: object, code: ReasonCode, _properties: object
    ) -> None:
        if code.is_failure:
            self.reason = f"refused: {code}"
            self.speaks_other_version = str(code) == "Unsupported protocol version"
            self.lost.set()
            return
        if self._subscriptions:
            client.subscribe([(topic_filter, 1) for topic_filter in self._subscriptions])
        self.was_up = True
        self.up.set()
        _guard(self._events.up)

    def _on_disconnect(
        self, _client: mqtt.Client, _data: object, _flags: object, code: ReasonCode, _properties: object
    ) -> None:
        self.up.clear()
        if not self.lost.is_set():
            self.reason = f"connection lost: {code}" if self.was_up else f"closed before CONNACK: {code}"
            # Some brokers only hang up on a version that they do not speak.
            self.speaks_other_version = not self.was_up
        self.give_up()

    def _on_publish(
        self, _client: mqtt.Client, _data: object, mid: int, code: ReasonCode, _properties: object
    ) -> None:
        taken = not code.is_failure
        with self._lock:
            known = self._waiting.pop(mid, None)
            if known is None:
                self._early[mid] = taken
        if known is not None and known[1] is not None:
            _guard(known[1], taken)

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        _guard(self._events.message, message.topic, message.payload, message.retain)


def _guard(callback: Callable[..., Any], *arguments: object) -> None:
    """Call back; an exception there is a bug of ours and must not end the connection."""
    try:
        callback(*arguments)
    except Exception:  # noqa: BLE001 - see above
        _log.exception("a callback of the MQTT link failed")


def _send_at_once(_client: mqtt.Client, _data: object, opened: object) -> None:
    """Let no small packet wait for the acknowledgement of the one before: that can cost 40 ms."""
    if isinstance(opened, socket.socket):
        with contextlib.suppress(OSError):
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _text(file: Path | None) -> str | None:
    return None if file is None else str(file)
