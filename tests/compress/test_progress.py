"""How far, and how long still."""

from __future__ import annotations

import pytest

from compress.progress import MeterPart, Progress, ProgressMeter, Step
from compress.terminal import PlainLines, plain_line
from tests.fakes.clock import FakeClock

PLAN = (
    ("first", ((Step("a", "Doing a", 10.0),),)),
    ("second", ((Step("b", "Doing b", 20.0),), (Step("c", "Doing c", 5.0), Step("d", "Doing d", 5.0)))),
)


def meter(clock: FakeClock) -> ProgressMeter:
    return ProgressMeter(PLAN, clock, None)


def test_look_at_the_start_counts_the_longest_lane_of_each_stage() -> None:
    assert meter(FakeClock()).look() == Progress("first", 0.0, "Doing a", 30.0)


def test_look_halfway_through_a_step_counts_it_half() -> None:
    clock = FakeClock()
    running = meter(clock)
    running.begin("a")
    clock.advance(5.0)
    assert running.look() == Progress("first", pytest.approx(5 / 30, abs=1e-3), "Doing a", 25.0)  # type: ignore[arg-type]


def test_look_after_a_slow_step_expects_the_rest_to_be_slow_too() -> None:
    clock = FakeClock()
    running = meter(clock)
    running.begin("a")
    clock.advance(20.0)
    running.end("a")
    assert running.look().seconds_left == pytest.approx(40.0)
    assert running.look().stage == "second"


def test_look_at_a_step_that_overruns_never_says_done() -> None:
    clock = FakeClock()
    running = meter(clock)
    running.begin("a")
    clock.advance(1000.0)
    assert running.look().seconds_left > 0
    assert running.look().fraction < 1


def test_look_names_the_lane_with_most_to_do() -> None:
    clock = FakeClock()
    running = meter(clock)
    running.begin("a")
    clock.advance(10.0)
    running.end("a")
    for step in ("b", "c"):
        running.begin(step)
    clock.advance(1.0)
    assert running.look().message == "Doing b"


def test_fraction_never_goes_back_when_the_pace_falls() -> None:
    clock = FakeClock()
    running = meter(clock)
    running.begin("a")
    clock.advance(10.0)
    before = running.look().fraction
    clock.advance(90.0)
    running.end("a")
    assert running.look().fraction >= before


def test_look_when_all_is_done_is_complete() -> None:
    clock = FakeClock()
    running = meter(clock)
    for step in "abcd":
        running.begin(step)
        clock.advance(1.0)
        running.end(step)
    assert running.look() == Progress("done", 1.0, "done", 0.0)
    assert running.seconds == {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0, "total": 4.0}


def test_plain_line_tells_share_message_and_seconds() -> None:
    assert plain_line(Progress("x", 0.256, "Writing ONNX", 12.4)) == " 26 %  Writing ONNX, about 12 s left"


def test_plain_lines_of_a_count_that_runs_say_only_every_twentieth_part(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say = PlainLines()
    for number in range(100):
        say(Progress("search", number / 100, f"Asking: {number} of 100 pictures", 9.0))
    say(Progress("search", 0.995, "Trying what can go", 9.0))

    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("Asking: 0 of 100 pictures, about 9 s left")
    assert lines[-1].endswith("Trying what can go, about 9 s left")
    assert len(lines) <= 21


def test_look_at_a_step_with_a_budget_does_not_count_it_slower() -> None:
    clock = FakeClock()
    plan = (
        ("first", ((Step("a", "Doing a", 10.0),),)),
        ("search", ((Step("s", "Looking", 60.0, budgeted=True),),)),
        ("last", ((Step("z", "Doing z", 10.0),),)),
    )
    running = ProgressMeter(plan, clock, None)
    running.begin("a")
    clock.advance(30.0)
    running.end("a")
    assert running.look().seconds_left == pytest.approx(60.0 + 3 * 10.0)


def test_say_replaces_the_words_of_a_step_and_a_part_has_steps_of_its_own() -> None:
    clock = FakeClock()
    running = meter(clock)
    running.say("a", "Doing a, 3 of 5")
    assert running.look().message == "Doing a, 3 of 5"
    part = MeterPart(running, "second ")
    part.begin("a")
    part.end("a")
    assert set(running.seconds) == {"second a", "total"}


def test_plan_anew_keeps_what_is_done_and_never_goes_back() -> None:
    clock = FakeClock()
    running = meter(clock)
    running.begin("a")
    clock.advance(10.0)
    running.end("a")
    before = running.look().fraction
    running.plan_anew((*PLAN, ("third", ((Step("e", "Doing e", 100.0),),))))
    assert running.look().seconds_left == pytest.approx(120.0)
    assert running.look().fraction >= before
