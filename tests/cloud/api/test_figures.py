"""What happens inside, for people and for Prometheus."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from cloud.cache.figures import TierFigures
from cloud.planning.figures import load_figures
from cloud.planning.wanted import Watched, stream_workers_wanted
from cloud.store import streams
from cloud.store.stream_tables import StreamRow
from cloud.streams.settings import StreamSettings
from tests.cloud.api.conftest import Cloud

CACHES: list[tuple[TierFigures, ...]] = [
    (
        TierFigures(tier="ram", hits=90, misses=10, used_bytes=500, budget_bytes=1000),
        TierFigures(tier="store", hits=10),
    ),
    (
        TierFigures(tier="ram", hits=1, misses=3, used_bytes=20, budget_bytes=1000),
        TierFigures(tier="store", hits=3),
    ),
]


def test_model_cache_is_told_as_the_sum_of_all_workers(cloud: Cloud) -> None:
    cloud.offload.caches = CACHES
    told = cloud.client.get("/api/v1/model-cache").json()
    assert told["workers"] == 2
    assert [(one["tier"], one["hits"], one["used_bytes"], one["budget_bytes"]) for one in told["tiers"]] == [
        ("ram", 91, 520, 2000),
        ("store", 13, 0, 0),
    ]


def test_model_cache_without_workers_is_empty(cloud: Cloud) -> None:
    assert cloud.client.get("/api/v1/model-cache").json() == {"workers": 0, "tiers": []}


def test_prometheus_reads_each_tier_of_each_worker(cloud: Cloud) -> None:
    cloud.offload.caches = CACHES
    answer = cloud.client.get("/api/v1/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    samples = {
        (sample.name, sample.labels.get("worker"), sample.labels.get("tier")): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["elfowl_model_cache_hits_total", "0", "ram"] == 90
    assert samples["elfowl_model_cache_misses_total", "1", "ram"] == 3
    assert samples["elfowl_model_cache_used_bytes", "1", "ram"] == 20
    assert samples["elfowl_offload_answered_total", None, None] == 0
    assert samples["elfowl_offload_waiting", None, None] == 0
    assert samples["elfowl_streams", None, None] == samples["elfowl_stream_workers_wanted", None, None] == 0


def test_prometheus_reads_how_many_workers_the_streams_of_all_workspaces_take(cloud: Cloud) -> None:
    settings = StreamSettings(fps=30.0).model_dump_json()
    with cloud.home.database.write() as session:
        for number in range(4):
            named = {"id": f"str_{number}", "name": f"yard-{number}", "address": "rtsp://192.0.2.7/live"}
            kept = {"detectors": [["det_1", None]], "settings": settings, "created": 1.0}
            streams.add(session, StreamRow(**named, **kept, paused=number == 3))
    told = cloud.client.get("/api/v1/metrics").text
    assert "elfowl_streams 3.0" in told
    wanted = stream_workers_wanted(Watched(streams=3, fps=90.0, detectors=3), load_figures())
    assert f"elfowl_stream_workers_wanted {float(wanted)}" in told
    assert wanted > 1
