"""Reads and writes for one paho client, without paho's own thread.

What is published goes to the socket in the thread that publishes it. Left to paho, it waits for paho's thread
to wake up, which takes a fraction of a millisecond on an idle machine and some on a busy one.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import TYPE_CHECKING

import paho.mqtt.client as mqtt

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike


class Conversation:
    """`turn` is for one thread, the others for any."""

    def __init__(self, client: mqtt.Client) -> None:
        """Take a client that is not connected yet."""
        self._client = client
        # paho's reading and writing is for one thread at a time.
        self._turn = threading.Lock()
        self._waker, self._woken = socket.socketpair()
        for end in (self._waker, self._woken):
            end.setblocking(False)
        # Where this is set paho leaves writing to us.
        client.on_socket_register_write = _leave_it

    def flush(self) -> None:
        """Write what was published; what the other side does not take now is written by `turn`."""
        if self._turn.acquire(blocking=False):
            try:
                self._client.loop_write()
            finally:
                self._turn.release()
        # Who held the turn looks again before it waits; nobody else does.
        if self._client.want_write():
            self.wake()

    def wake(self) -> None:
        """End the wait of `turn`."""
        # A full pipe has woken it already, and a closed one ended it.
        with contextlib.suppress(OSError):
            self._waker.send(b"x")

    def turn(self, wait_s: float) -> bool:
        """Wait for something to read or write, and do it; return whether the connection stands."""
        wire = self._client.socket()
        if wire is None:
            return False
        try:
            readable = self._wait(wire, wait_s)
        except (OSError, ValueError):
            # Closed by a thread that could not write.
            return False
        with self._turn:
            if readable:
                self._client.loop_read()
            if self._client.want_write():
                self._client.loop_write()
            self._client.loop_misc()
        return self._client.socket() is not None

    def close(self) -> None:
        """Say goodbye as far as the other side takes it now, and hang up."""
        self._client.disconnect()
        with self._turn:
            self._client.loop_write()
        wire = self._client.socket()
        if wire is not None:
            wire.close()
        self._waker.close()
        self._woken.close()

    def _wait(self, wire: SocketLike, wait_s: float) -> bool:
        """Return whether there is something to read."""
        # TLS and websockets may hold bytes that the socket has no more.
        if getattr(wire, "pending", lambda: 0)() > 0:
            return True
        writing = [wire] if self._client.want_write() else []
        readable, _, _ = select.select([wire, self._woken], writing, [], wait_s)
        if self._woken in readable:
            with contextlib.suppress(BlockingIOError):
                self._woken.recv(1000)
        return wire in readable


def _leave_it(_client: mqtt.Client, _data: object, _wire: SocketLike) -> None:
    """Do nothing."""
