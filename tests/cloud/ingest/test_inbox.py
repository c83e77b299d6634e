"""What waits to be stored is bounded; what finds no room is refused, not lost silently."""

from __future__ import annotations

import threading

import pytest

from cloud.ingest.handler import Incoming
from cloud.ingest.inbox import Inbox

_MEGABYTE = 1_000_000


def message(number: int, size_bytes: int = 10) -> Incoming:
    return Incoming(f"elfowl/d{number}/up/events", bytes(size_bytes))


@pytest.mark.parametrize(("inbox", "size_bytes"), [(Inbox(most=3), 1), (Inbox(most_bytes=30), 10)])
def test_inbox_that_is_full_refuses_and_has_room_again_once_something_was_taken(
    inbox: Inbox, size_bytes: int
) -> None:
    taken = [inbox.offer(message(number, size_bytes)) for number in range(5)]
    assert taken == [True, True, True, False, False]
    assert inbox.take_refused() == 2
    assert inbox.next_group() == [message(number, size_bytes) for number in range(3)]
    assert inbox.offer(message(9, size_bytes))
    assert inbox.take_refused() == 0


def test_message_larger_than_all_room_is_taken_when_nothing_waits() -> None:
    inbox = Inbox(most_bytes=10)
    assert inbox.offer(message(1, 1000))
    assert not inbox.offer(message(2, 1))
    assert inbox.next_group() == [message(1, 1000)]


def test_group_is_bounded_in_number_and_bytes_and_keeps_the_order() -> None:
    inbox = Inbox()
    sent = [message(number, 5 * _MEGABYTE if number < 3 else 1) for number in range(6)]
    assert all(inbox.offer(one) for one in sent)
    assert [inbox.next_group(most=2) for _ in range(3)] == [sent[:2], sent[2:4], sent[4:]]


def test_closed_inbox_gives_what_waits_and_then_lets_its_reader_end() -> None:
    inbox, groups = Inbox(), []

    def read() -> None:
        while group := inbox.next_group():
            groups.append(group)

    inbox.offer(message(1))
    reader = threading.Thread(target=read)
    reader.start()
    inbox.offer(message(2))
    inbox.close()
    reader.join(60.0)
    assert not reader.is_alive()
    assert [one for group in groups for one in group] == [message(1), message(2)]
