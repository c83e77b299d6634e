"""What the benchmark `ui` makes of the times that a browser told it."""

from __future__ import annotations

import pytest

from bench.showing.wall import age_figures, frame_figures


def test_frame_figures_of_an_even_page_miss_nothing() -> None:
    figures = frame_figures([number * 1000.0 / 60.0 for number in range(61)])

    assert figures["wall_frame_p95_ms"] == pytest.approx(1000.0 / 60.0)
    assert figures["wall_frames_in_time_share"] == 1.0


def test_frame_figures_count_the_frames_that_came_late() -> None:
    figures = frame_figures([0.0, 16.7, 33.4, 50.1, 150.1])

    assert figures["wall_frame_ms"] == pytest.approx(16.7)
    assert figures["wall_frame_p95_ms"] == pytest.approx(100.0)
    assert figures["wall_frames_in_time_share"] == 0.75


def test_age_figures_show_pictures_that_come_later_and_later() -> None:
    assert age_figures([10.0] * 6 + [90.0] * 3) == {"wall_age_ms_first": 10.0, "wall_age_ms_last": 90.0}
