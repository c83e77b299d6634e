"""What each part of the work needs; needs add up, and grow with what is asked for, never the other way."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from cloud.planning.ask import Ask
from cloud.planning.figures import Figures

_CAMERA_FPS = 15.0
"""What cameras send, of which fewer pictures are taken; all of them are decoded."""

_A_DAY_S = 86_400.0


class Need(BaseModel):
    """What one part of the work needs, all of it running; nothing is rounded up yet.

    Attributes:
        part: Which.
        cores: Of processors like those that were measured on, kept fully busy.
        gpus: Graphics processors, kept fully busy.
        ram_bytes: Memory.
        database_bytes: After `keep_days`.
        object_bytes: In the object store.
        in_bits_per_s: That come over the network.
        figures: Names of the figures that it was reckoned from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    part: str
    cores: float = 0.0
    gpus: float = 0.0
    ram_bytes: float = 0.0
    database_bytes: float = 0.0
    object_bytes: float = 0.0
    in_bits_per_s: float = 0.0
    figures: tuple[str, ...] = ()


def every_need(ask: Ask, known: Figures) -> tuple[Need, ...]:
    """Return what all parts need."""
    watching = (bring(ask, known), look(ask, known), heads(ask, known))
    workers = sum(need.cores for need in watching)
    return (
        *watching,
        leases(ask, known, workers),
        answer(ask, known),
        keep_in_touch(ask, known),
        events(ask, known),
        teach(ask, known),
        models(ask, known),
    )


def total(needs: Iterable[Need]) -> Need:
    """Return what parts need together."""
    some = tuple(needs)
    return Need(
        part="all",
        cores=sum(one.cores for one in some),
        gpus=sum(one.gpus for one in some),
        ram_bytes=sum(one.ram_bytes for one in some),
        database_bytes=sum(one.database_bytes for one in some),
        object_bytes=sum(one.object_bytes for one in some),
        in_bits_per_s=sum(one.in_bits_per_s for one in some),
        figures=tuple(dict.fromkeys(name for one in some for name in one.figures)),
    )


def bring(ask: Ask, known: Figures) -> Need:
    """Return what it takes to read and decode streams, scale pictures and let the motion gate decide."""
    names = tuple(f"bring_ms.{ask.picture}.{fps}_fps" for fps in (5, 15))
    few_ms, many_ms = (known[name] for name in names)
    taken_ms = max(0.0, many_ms - few_ms) / 10.0
    decode_ms = max(0.0, few_ms - 5.0 * taken_ms) * max(1.0, ask.fps / _CAMERA_FPS)
    sizes = f"stream_bytes.{ask.picture}", f"stream_bits.{ask.picture}"
    return Need(
        part="bring",
        cores=ask.watched * (decode_ms + ask.fps * taken_ms) / 1000.0,
        ram_bytes=ask.watched * known[sizes[0]],
        in_bits_per_s=ask.watched * known[sizes[1]],
        figures=(*names, *sizes),
    )


def look(ask: Ask, known: Figures) -> Need:
    """Return what the shared look at pictures of streams takes, with one detector each."""
    return _looking("look", ask.looks_per_s, ask, known)


def heads(ask: Ask, known: Figures) -> Need:
    """Return what all detectors but the first of each stream take."""
    more = ask.looks_per_s * max(0.0, ask.heads_a_stream - 1.0)
    head_ms = (known["fifty_ms"] - known["look_ms"]) / 49.0
    need = _looking("heads", more * head_ms / known["look_ms"], ask, known)
    return need.model_copy(update={"figures": tuple(dict.fromkeys(("fifty_ms", "look_ms", *need.figures)))})


def _looking(part: str, per_s: float, ask: Ask, known: Figures) -> Need:
    """Return what so many looks take; on a graphics processor a core feeds each worker."""
    cores = per_s * known["look_ms"] / 1000.0
    if ask.gpu is None:
        ram_bytes = cores * known["worker_bytes"]
        return Need(part=part, cores=cores, ram_bytes=ram_bytes, figures=("look_ms", "worker_bytes"))
    name = f"gpu.{ask.gpu}"
    gpus = per_s / (known[name] * known["gpu_share"])
    feeding = per_s * known["feed_ms"] / 1000.0
    return Need(
        part=part,
        cores=feeding,
        gpus=gpus,
        ram_bytes=feeding * known["worker_bytes"],
        figures=(name, "gpu_share", "feed_ms", "worker_bytes"),
    )


def look_share(streams: float, known: Figures) -> float:
    """Return which share of its time a worker reads what there is to watch, all streams of it."""
    takes_s = streams * known["overview_us"] / 1e6
    period_s = min(known["overview_most_s"], max(1.0, known["overview_rest"] * takes_s))
    return takes_s / period_s + streams * known["free_us"] / 1e6


def leases(ask: Ask, known: Figures, workers: float) -> Need:
    """Return what it takes that nothing is watched twice and nothing forgotten: every worker, every second.

    Args:
        ask: How much there is to watch.
        known: Figures.
        workers: How many processes watch.
    """
    share = min(look_share(ask.watched, known), known["overview_share"])
    return Need(
        part="leases",
        cores=ask.watched * known["beat_us"] / 1e6 + workers * share,
        figures=("beat_us", "overview_us", "free_us", "overview_rest", "overview_most_s", "overview_share"),
    )


def answer(ask: Ask, known: Figures) -> Need:
    """Return what cameras that ask take: the look, and all around it."""
    need = _looking("answer", ask.asks_per_s, ask, known)
    around = ask.asks_per_s * known["ask_ms"] / 1000.0
    return need.model_copy(
        update={
            "cores": need.cores + around,
            "in_bits_per_s": 8.0 * ask.asks_per_s * known["ask_bytes"],
            "figures": ("ask_ms", "web_ask_ms", "ask_bytes", *need.figures),
        }
    )


def keep_in_touch(ask: Ask, known: Figures) -> Need:
    """Return what cameras take that look what they shall do, every five minutes."""
    return Need(
        part="touch",
        cores=ask.cameras * known["sync_ms"] / 1000.0 / known["sync_every_s"],
        ram_bytes=ask.cameras * known["camera_bytes"],
        figures=("sync_ms", "sync_every_s", "camera_bytes"),
    )


def events(ask: Ask, known: Figures) -> Need:
    """Return what storing and keeping events takes, each with its small picture."""
    documents = ask.events_per_s * known["documents_an_event"]
    kept_s = ask.keep_days * _A_DAY_S
    stored = documents * known["document_bytes"] + ask.events_per_s * known["picture_bytes"]
    # Those of streams are made in the cloud; small pictures come as base64.
    sent_bytes = known["documents_an_event"] * known["message_bytes"] + known["picture_bytes"] * 4.0 / 3.0
    from_cameras_s = ask.cameras * ask.events_a_day / _A_DAY_S
    return Need(
        part="events",
        cores=documents * known["store_ms"] / 1000.0,
        database_bytes=kept_s * stored,
        in_bits_per_s=8.0 * from_cameras_s * sent_bytes,
        figures=("documents_an_event", "document_bytes", "picture_bytes", "message_bytes", "store_ms"),
    )


def teach(ask: Ask, known: Figures) -> Need:
    """Return what training takes, evenly over the day."""
    return Need(
        part="teach",
        cores=ask.trainings_per_s * known["training_s"],
        figures=("training_s",),
    )


def models(ask: Ask, known: Figures) -> Need:
    """Return what detectors take in the object store, with their former versions."""
    size = ask.detectors * known["versions"] * known["version_bytes"]
    return Need(part="models", object_bytes=size, figures=("versions", "version_bytes"))
