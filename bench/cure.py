"""`cure`: false alarms that come back are called wrong once; baseline: the same camera when nobody says so.

Into real footage of people, pictures of people are put, as on posters, four seconds of every twelve: half of
them where people walk, half elsewhere, each time in another light, some pixels away and with other noise.
That is as hard as it gets: for the detector they are people. Two bundles watch: the starter, in one piece,
which tells looks from the picture alone, and one taught here, in parts, which tells them on its trunk's map.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.curing.seeds import Footage, make_seeds, read_footage, seeded
from bench.curing.teach import teach_in_parts
from bench.curing.watch import Remembering, Watch, Watched
from bench.result import Metric, Result, spread
from cloud.samples.catalog import find_sample_task
from cloud.samples.footage import SystemCommandRunner, obtain_clip
from edge_agent.pipeline.alike import CureSettings, Sight
from edge_agent.pipeline.cure import CureMemory
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.starter.location import starter_bundle_path
from edge_agent.wire.detection import Detection, DetectorRef

SEEDS_A_ROUND = 6
ROUNDS = 6
_TASK = find_sample_task("persons")
_NOTES = (
    "told again: events of a false alarm after the first, which somebody called wrong",
    "recall: labelled people of 92 pictures that were in view; those that stand behind a poster count too",
)


def run(*, quick: bool = False) -> Result:
    """Watch with and without taps; `quick` is one round with the starter."""
    clip = obtain_clip(
        _TASK, cache_dir=Path.home() / ".cache" / "elfowl", runner=SystemCommandRunner(), report=_tell
    )
    footage = read_footage(_TASK, clip)
    metrics: dict[str, Metric] = {}
    ratios: dict[str, Metric] = {}
    with TemporaryDirectory() as folder:
        bundles = {"picture": starter_bundle_path()}
        if not quick:
            bundles["map"] = teach_in_parts(Path(folder))
        for name, path in bundles.items():
            metrics[name], ratios[name] = _measure(path, name, footage, 1 if quick else ROUNDS)
    metrics["ms_a_picture"] = _cost_ms()
    return Result("cure", "the same camera, and nobody says a word", metrics, ratios, _NOTES)


def _measure(path: Path, name: str, footage: Footage, rounds: int) -> tuple[Metric, Metric]:
    pairs: list[tuple[Watched, Watched]] = []
    with closing(BundleDetector.open(path)) as bundle:
        for number in range(rounds):
            rng = np.random.default_rng(number)
            seeds = make_seeds(footage, SEEDS_A_ROUND, rng)
            pictures, detector = list(seeded(footage, seeds, rng)), Remembering(bundle)
            without, cured = (
                Watch(detector, bundle, footage, seeds, taps=taps).run(pictures) for taps in (False, True)
            )
            _tell(f"{name}, round {number}: {without} → {cured}")
            pairs.append((without, cured))
    return _figures(pairs)


def _figures(pairs: Sequence[tuple[Watched, Watched]]) -> tuple[Metric, Metric]:
    before, after = sum(_again(one) for one, _ in pairs), sum(_again(one) for _, one in pairs)
    found, left = sum(one.found for one, _ in pairs), sum(one.found for _, one in pairs)
    there = sum(one.there for one, _ in pairs)
    gone = [1.0 - _again(cured) / _again(plain) for plain, cured in pairs]
    lost = [(plain.found - cured.found) / plain.found for plain, cured in pairs]
    metrics: dict[str, Metric] = {
        "told_again_before": before,
        "told_again": after,
        "suppressed": sum(one.suppressed for _, one in pairs),
        "ended_at_once": sum(one.ended_by_tap for _, one in pairs),
        "recall_before": found / there,
        "recall": left / there,
        "people": there,
    }
    return metrics, {
        "repeats_gone": 1.0 - after / before,
        "repeats_gone_by_round": spread(gone),
        "recall_lost": (found - left) / found,
        "recall_lost_by_round": spread(lost),
    }


def _again(watched: Watched) -> int:
    return sum(count - 1 for count in watched.told.values())


def _cost_ms() -> dict[str, Metric]:
    """Return what 15 boxes cost against a full memory, in processor time."""
    rng, ref = np.random.default_rng(0), DetectorRef(id="d", name="d", version=1)
    settings, memory = CureSettings(), CureMemory()

    def sight() -> Sight:
        x, y = rng.uniform(0.0, 0.8, 2)
        look = rng.normal(size=256).astype(np.float32)
        box = (float(x), float(y), float(x) + 0.1, float(y) + 0.2)
        return Sight(Detection(label="p", score=0.9, box=box), {"map": look / np.linalg.norm(look)})

    for number in range(settings.false_alarms_kept):
        for second in range(settings.sights_kept):
            memory.note("bench", f"event-{number}", ref, sight(), 2.0 * second)
        memory.wrong(f"event-{number}")
    sights = [sight() for _ in range(15)]
    times_ms: list[float] = []
    for _ in range(50):
        start_s = time.process_time()
        for one in sights:
            memory.hidden_by("bench", ref, one)
        times_ms.append(1e3 * (time.process_time() - start_s))
    return spread(times_ms)


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
