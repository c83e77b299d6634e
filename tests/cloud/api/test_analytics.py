"""Figures and tables of events over HTTP."""

from __future__ import annotations

from tests.cloud.api.conftest import Cloud
from tests.cloud.search.seen import START_S, row_of, seen


def fill(cloud: Cloud) -> None:
    with cloud.home.database.write() as session:
        session.add_all(
            [
                row_of(seen(event_id="event-001")),
                row_of(seen(event_id="event-002", label="dog", start_s=START_S + 2, until_s=START_S + 90)),
                row_of(seen(event_id="event-003", camera="back", start_s=START_S - 500)),
            ]
        )


def test_figures_of_what_was_seen_are_told(cloud: Cloud) -> None:
    fill(cloud)
    get = cloud.client.get
    assert get("/api/v1/analytics/together").json() == {
        "pairs": [{"labels": ["dog", "person"], "moments": 1}], "events": 3, "complete": True,
    }  # fmt: skip
    (dog,) = get("/api/v1/analytics/dwell", params={"label": "dog"}).json()
    assert (dog["events"], dog["mean"], dog["half_over"], dog["half_up_to"]) == (1, 88.0, 60.0, 120.0)
    heat = get("/api/v1/analytics/heat", params={"camera": "front", "since": START_S}).json()
    assert (heat["events"], heat["picture_of"], heat["cells"][0][0]) == (2, None, 2)


def test_events_are_exported_as_files_that_leave_nothing_behind(cloud: Cloud) -> None:
    fill(cloud)
    table = cloud.client.get("/api/v1/analytics/events.csv", params={"camera": "back"})
    assert table.headers["content-type"].startswith("text/csv")
    assert [line.split(",")[:4] for line in table.text.splitlines()[1:]] == [
        ["porch", "event-003", "back", "person"]
    ]
    parquet = cloud.client.get("/api/v1/analytics/events.parquet")
    assert (parquet.content[:4], parquet.content[-4:]) == (b"PAR1", b"PAR1")
    assert list((cloud.home.settings.cache_path / "exports").iterdir()) == []
