"""How sure a figure is: frames are drawn again, whole stretches of time at once, and measured again.

Frames of a video that lie close together show the same objects, so drawing them one by one would promise too
much. Stretches of two seconds are drawn together; images each for itself. What is drawn from one camera and
one afternoon says nothing about another camera or a rainy night.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.evaluation.matching import Float64, average_precision, match_class
from cloud.training.evaluate import AnsweredFrame

STRETCH_S: Final = 2.0
SAMPLES: Final = 1000
LEAST_STRETCHES: Final = 4
"""With fewer, an interval would be make-believe: none is given."""

_PERCENT = (2.5, 97.5)


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval, where one can be given."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Uncertain:
    """AP50 and AP with their intervals."""

    ap50: Estimate
    ap: Estimate


def stretches(answered: Sequence[AnsweredFrame], seconds: Sequence[float | None]) -> NDArray[np.int64]:
    """Return for each frame the number of its stretch of time, `(frames,) int64`.

    Args:
        answered: The frames.
        seconds: When each was in its video; none for an image.
    """
    keys: list[Hashable] = [
        (one.frame.source.path, None if second is None else int(second // STRETCH_S))
        for one, second in zip(answered, seconds, strict=True)
    ]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], np.int64)


def draw_weights(stretch_of: NDArray[np.int64], samples: int, seed: int) -> Float64:
    """Return how often each frame is drawn, `(samples, frames)`: all stretches, with repeats."""
    count = int(stretch_of.max()) + 1 if len(stretch_of) else 0
    random = np.random.default_rng(seed)
    drawn = (
        random.multinomial(count, np.full(count, 1 / count), size=samples)
        if count
        else np.zeros((samples, 0))
    )
    return np.asarray(drawn[:, stretch_of], np.float64)


def mean_precision(
    answered: Sequence[AnsweredFrame], classes: Sequence[str], weights: Float64
) -> tuple[Float64, Float64]:
    """Return (AP50, AP), each `(samples,)`: the mean over the classes that have objects in the sample."""
    parts = [average_precision(match_class(answered, name), weights) for name in classes]
    return _mean([ap50 for ap50, _ in parts]), _mean([ap for _, ap in parts])


@dataclass(frozen=True)
class Drawn:
    """AP50 and AP (first axis): of the frames as they are `(2, 1)`, of each draw `(2, samples)`."""

    plain: Float64
    drawn: Float64


def draw(
    answered: Sequence[AnsweredFrame],
    classes: Sequence[str],
    seconds: Sequence[float | None],
    *,
    samples: int = SAMPLES,
    seed: int = 0,
) -> Drawn:
    """Measure frames as they are and drawn again and again; the same seed draws the same of the same frames.

    Args:
        answered: The frames with what was found in them.
        classes: Over which the mean is taken; at least one.
        seconds: When each frame was in its video; none for an image.
        samples: How often to draw; nothing is drawn of too few stretches.
        seed: Of the draws.
    """
    stretch_of = stretches(answered, seconds)
    few = len(set(stretch_of.tolist())) < LEAST_STRETCHES
    weights = draw_weights(stretch_of, 0 if few else samples, seed)
    both = np.stack(mean_precision(answered, classes, np.vstack([np.ones((1, len(answered))), weights])))
    return Drawn(both[:, :1], both[:, 1:])


def estimated(drawn: Drawn) -> Uncertain:
    """Return AP50 and AP with 95 % intervals by percentiles."""
    ap50, ap = (Estimate(_known(drawn.plain[place, 0]), *interval(drawn.drawn[place])) for place in (0, 1))
    return Uncertain(ap50, ap)


def difference(before: Drawn, after: Drawn) -> Uncertain:
    """Return how much AP50 and AP grew, with intervals; both must be of the same frames and draws."""
    return estimated(Drawn(after.plain - before.plain, after.drawn - before.drawn))


def interval(drawn: Float64) -> tuple[float, float] | tuple[None, None]:
    """Return the 2.5th and 97.5th percentile of what is known; none when nothing is."""
    known = drawn[~np.isnan(drawn)]
    if not known.size:
        return None, None
    low, high = np.percentile(known, _PERCENT)
    return float(low), float(high)


def _known(value: np.float64) -> float:
    """Return a figure; where there was nothing to find, 0."""
    return 0.0 if np.isnan(value) else float(value)


def _mean(parts: Sequence[Float64]) -> Float64:
    """Return the mean over classes, without those that have no object in a sample; NaN where none has."""
    table = np.array(parts)
    known = ~np.isnan(table)
    count = known.sum(0)
    total = np.where(known, table, 0.0).sum(0)
    mean: Float64 = np.divide(total, count, out=np.full(table.shape[1], np.nan), where=count > 0)
    return mean
