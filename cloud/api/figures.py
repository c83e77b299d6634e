"""Routes: what happens inside, for people and for Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from pydantic import BaseModel

from cloud.accounts.workspaces import HOME
from cloud.api.door import caller_of
from cloud.api.services import Used
from cloud.cache.figures import TierFigures, added_up
from cloud.errors import DeniedError
from cloud.planning.figures import load_figures
from cloud.planning.wanted import Watched, stream_workers_wanted
from cloud.streams.demand import watched_now

router = APIRouter(tags=["server"])

_COUNTERS: Final = {
    "hits": "Detectors that were asked for and there",
    "misses": "Detectors that were asked for and not there",
    "waited": "Waits for a load that was under way",
    "loads": "Detectors brought from the tier below",
    "failures": "Loads that failed",
    "evictions": "Detectors that went to make room",
    "verified": "Digests that were checked",
    "corrupt": "Digests that were wrong",
}
_GAUGES: Final = {
    "models": "Detectors held now",
    "used_bytes": "Bytes held now",
    "in_use_bytes": "Bytes of detectors that look at pictures right now",
    "pinned_bytes": "Bytes that stay in any case",
    "budget_bytes": "Bytes that may be held",
}
_OFFLOAD_GAUGES: Final = ("waiting", "workers", "workers_wanted")
_KNOWN: Final = load_figures()


class ModelCacheView(BaseModel):
    """Where detectors are kept: what happened in all workers together, the nearest tier first."""

    workers: int
    tiers: list[TierFigures]


def _refuse_guests(request: Request) -> None:
    # They are sums over all workspaces.
    if caller_of(request).workspace != HOME:
        message = "these figures are of the whole server; people of its first workspace see them"
        raise DeniedError(message)


@router.get("/model-cache")
async def model_cache(request: Request, services: Used) -> ModelCacheView:
    """Tell how near detectors are to where they run, and what is asked of each tier."""
    _refuse_guests(request)
    of_workers = await services.offload.cache_figures()
    return ModelCacheView(
        workers=len(of_workers), tiers=added_up(one for tiers in of_workers for one in tiers)
    )


@router.get("/metrics", response_class=Response)
async def metrics(request: Request, services: Used) -> Response:
    """Tell Prometheus what is counted; its `authorization` is a token of a manager."""
    _refuse_guests(request)
    registry = CollectorRegistry()
    watched = await asyncio.to_thread(watched_now, services.database)
    told = _Told(services.offload.figures(), await services.offload.cache_figures(), watched)
    registry.register(told)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Told(Collector):
    """What was told at one moment, as Prometheus wants it."""

    def __init__(
        self, offload: dict[str, float], caches: Sequence[Sequence[TierFigures]], watched: Watched
    ) -> None:
        self._offload, self._caches, self._watched = offload, caches, watched

    def collect(self) -> Iterator[Metric]:
        """Yield all of it."""
        for name, value in self._offload.items():
            family = GaugeMetricFamily if name in _OFFLOAD_GAUGES else CounterMetricFamily
            yield family(f"elfowl_offload_{name}", f"Offload: {name.replace('_', ' ')}", value=value)
        yield GaugeMetricFamily("elfowl_streams", "Streams to be watched", value=self._watched.streams)
        yield GaugeMetricFamily(
            "elfowl_stream_workers_wanted",
            "Processes that it takes to watch the streams",
            value=stream_workers_wanted(self._watched, _KNOWN),
        )
        for name, words in _COUNTERS.items():
            yield self._of_tiers(
                CounterMetricFamily(f"elfowl_model_cache_{name}", words, labels=("worker", "tier"))
            )
        for name, words in _GAUGES.items():
            yield self._of_tiers(
                GaugeMetricFamily(f"elfowl_model_cache_{name}", words, labels=("worker", "tier"))
            )

    def _of_tiers(self, family: CounterMetricFamily | GaugeMetricFamily) -> Metric:
        name = family.name.removeprefix("elfowl_model_cache_")
        for worker, tiers in enumerate(self._caches):
            for tier in tiers:
                family.add_metric([str(worker), tier.tier], getattr(tier, name))
        return family
