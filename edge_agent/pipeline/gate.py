"""The motion gate: most pictures of a camera show nothing new, and need no network to say so.

A small grey picture is compared with a slowly adapting background. The gate only saves work, it never decides
what is there: it opens by itself every few seconds, and for what is followed as often as that needs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_agent.camera.frame import Brightness
from edge_agent.pipeline.zones import cells_inside
from edge_agent.vision.arrays import Bool, Float32, Rgb
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.rules import Point

# While the background is learned, of which the first and the last are looked at in any case.
_FIRST_PICTURES = 5

_STRANGE_SHARE = 0.5
# Less than half of the time between two pictures: one that comes a little early is not left out.
_EARLY_S = 0.05

# Of the sums in `_by_fours`.
_FOUR_BYTES_STEP = 2
_FIRST_AND_THIRD, _LOW_BYTES, _TWO_BYTES = np.uint32(0x00FF00FF), np.uint32(0xFFFF), np.uint32(16)

GateReason = Literal["start", "motion", "linger", "asked", "forced", "foretold", "asleep"]


@dataclass(frozen=True)
class GateSettings:
    """How the gate works.

    Attributes:
        enabled: Off: every picture is looked at.
        width_px: Width of the small grey picture, about.
        min_difference: Grey levels (of 255) that count as a change, at least.
        noise_factor: Changes must be this many times the place's usual restlessness.
        cluster_cells: Changed cells in a neighbourhood of 3 by 3 that count as motion.
        forced_every_s: Look at least this often.
        linger_s: Look once more when nothing has moved for so long.
        adapt_s: Time constant with which the background follows the scene.
        recent_s: What came to rest is as it was so long ago, or up to twice that.
        rest_s: Time constant with which the background takes over what changed and then came to rest.
        flood_share: More changed cells than this are a change of light or camera: learn anew.
    """

    enabled: bool = True
    width_px: int = 128
    min_difference: float = 9.0
    noise_factor: float = 4.0
    cluster_cells: int = 4
    forced_every_s: float = 10.0
    linger_s: float = 1.0
    adapt_s: float = 8.0
    recent_s: float = 1.2
    rest_s: float = 2.0
    flood_share: float = 0.6


@dataclass(frozen=True)
class GateDecision:
    """Whether to look at a picture, why, and which share of what is not masked changed."""

    look: bool
    reason: GateReason
    changed_share: float = 0.0


@dataclass(frozen=True)
class Foretold:
    """What is known before a picture comes; of most pictures nobody asks what takes long to find out.

    Attributes:
        boxes: Tells where followed things should be, with the room that their movement may take; fractions of
            the picture, perhaps partly outside of it.
        wait_s: Tells for how long after the last one a look may wait, if nothing moves elsewhere.
        rest_wait_s: The same if nothing moves at all: what changed came to rest.
    """

    boxes: Callable[[], tuple[XyxyNorm, ...]]
    wait_s: Callable[[], float]
    rest_wait_s: float


def is_due(wait_s: float, at_s: float, looked_s: float) -> bool:
    """Return whether a look that may wait for so long after the last one may no longer wait."""
    return at_s - looked_s >= wait_s - _EARLY_S


class MotionGate:
    """Decides picture by picture; holds the background of one camera."""

    def __init__(self, settings: GateSettings | None = None) -> None:
        self.settings = settings or GateSettings()
        """May be changed between two pictures."""
        self._masks: tuple[Sequence[Point], ...] = ()
        self._seen: Bool | None = None
        self._background: Float32 | None = None
        self._noise: Float32 = np.zeros((0, 0), dtype=np.float32)
        self._recent: Float32 = np.zeros((0, 0), dtype=np.float32)
        self._next_recent = self._recent
        self._next_recent_s = 0.0
        self._last_s = 0.0
        self._learned = 0
        self._looked_s = 0.0
        self.moved_s = float("-inf")
        """When something moved last, or all was new; monotonic seconds."""
        # When the movement began that there is now.
        self._stirred_s = float("-inf")
        self._changed: Bool = np.zeros((0, 0), dtype=np.bool_)
        self._around: NDArray[np.uint8] | None = None
        self._looked_at: Bool = np.zeros((0, 0), dtype=np.bool_)
        self._resting: Bool = np.zeros((0, 0), dtype=np.bool_)

    @property
    def masks(self) -> tuple[Sequence[Point], ...]:
        """Return the polygons in which movement counts for nothing, as fractions of the picture."""
        return self._masks

    @masks.setter
    def masks(self, polygons: tuple[Sequence[Point], ...]) -> None:
        self._masks, self._seen = polygons, None

    @property
    def stirred(self) -> Bool:
        """Return the cells (h, w) around which enough differed from the background, in the last picture.

        Meaningless while the background is learned.
        """
        return np.asarray(self._changed_around() >= self.settings.cluster_cells, np.bool_)

    def decide(
        self, shown: Rgb | Brightness, at_s: float, *, asked: bool = False, foretold: Foretold | None = None
    ) -> GateDecision:
        """Return whether to look at a picture.

        Args:
            shown: How bright it is, or (h, w, 3) uint8.
            at_s: Its moment, monotonic seconds.
            asked: The tracker wants to look in any case: something appeared or went missing.
            foretold: What need not be looked at though it moves; none: all that moves is looked at.
        """
        if not self.settings.enabled:
            return GateDecision(look=True, reason="asked")
        grey = small_grey(shown, self.settings.width_px)
        if self._background is None or self._background.shape != grey.shape:
            self._learn(grey, at_s)
            return self._open(at_s, "start", 1.0)
        if self._learned < _FIRST_PICTURES:
            difference = grey - self._background
            self._adapt(self._background, grey, difference, _restless(difference), None, at_s)
            if asked or self._learned == _FIRST_PICTURES or self._is_overdue(at_s):
                return self._open(at_s, "start", 1.0)
            return GateDecision(look=False, reason="asleep", changed_share=1.0)
        self._changed, share = self._compare(grey, self._background, at_s)
        changed, self._around = self._changed, None
        reason = self._reason(changed, at_s, asked=asked, foretold=foretold)
        if reason in {"foretold", "asleep"}:
            return GateDecision(look=False, reason=reason, changed_share=share)
        self._looked_at = np.asarray(self._changed_around() > 0, np.bool_)
        return self._open(at_s, reason, share)

    def look_failed(self) -> None:
        """Open at the next picture: nothing came of the last look."""
        self._looked_s = float("-inf")

    def _reason(self, changed: Bool, at_s: float, *, asked: bool, foretold: Foretold | None) -> GateReason:
        changes = self._has_cluster(changed)
        moves = changes if foretold is None else self._has_cluster(changed & ~self._resting)
        if moves:
            if at_s - self.moved_s > self.settings.linger_s:
                self._stirred_s = at_s
            self.moved_s = at_s
        if changes and not (foretold and self._is_foretold(changed, moves, at_s, foretold)):
            return "motion"
        if asked:
            return "asked"
        if changes:
            return "foretold"
        settings = self.settings
        if self._looked_s <= self.moved_s <= at_s - settings.linger_s:
            return "linger"
        return "forced" if self._is_overdue(at_s) else "asleep"

    def _is_overdue(self, at_s: float) -> bool:
        return at_s - self._looked_s >= self.settings.forced_every_s

    def _is_foretold(self, changed: Bool, moves: bool, at_s: float, foretold: Foretold) -> bool:
        """Return whether nothing moves but what is known to, and all was looked at lately enough for that."""
        if self._looked_at.shape != changed.shape or is_due(foretold.rest_wait_s, at_s, self._looked_s):
            return False
        if not moves:
            return True
        if is_due(foretold.wait_s(), at_s, self._looked_s):
            return False
        strange = changed & ~self._resting & ~cells_of(foretold.boxes(), changed.shape)
        if not self._has_cluster(strange):
            return True
        # What moves where the last look found nothing is looked at the less, the longer it does.
        wait_s = _STRANGE_SHARE * (self._looked_s - self._stirred_s)
        return not is_due(wait_s, at_s, self._looked_s) and not self._has_cluster(strange & ~self._looked_at)

    def _compare(self, grey: Float32, background: Float32, at_s: float) -> tuple[Bool, float]:
        """Return which cells that are not masked changed, and their share; let the background follow."""
        difference = grey - background
        restless = _restless(difference)
        limit = self.settings.noise_factor * self._noise
        np.maximum(self.settings.min_difference, limit, out=limit)
        changed = restless > limit
        seen = self._unmasked(grey)
        counted = changed if seen is None else changed & seen
        count = int(np.count_nonzero(counted))
        share = count / max(1, grey.size if seen is None else int(np.count_nonzero(seen)))
        if share > self.settings.flood_share:
            self._learn(grey, at_s)
            self._learned = _FIRST_PICTURES
            return counted, share
        some = changed if count or (seen is not None and changed.any()) else None
        self._adapt(background, grey, difference, restless, some, at_s)
        return counted, share

    def _changed_around(self) -> NDArray[np.uint8]:
        """Return how many cells changed around each one in the last picture; counted once."""
        if self._around is None:
            self._around = _neighbours(self._changed)
        return self._around

    def _has_cluster(self, changed: Bool) -> bool:
        cells = self.settings.cluster_cells
        if int(np.count_nonzero(changed)) < cells:
            return False
        around = self._changed_around() if changed is self._changed else _neighbours(changed)
        return bool(around.max() >= cells)

    def _unmasked(self, grey: Float32) -> Bool | None:
        """Return which cells are outside of all masks; none when there are no masks."""
        if self._masks and (self._seen is None or self._seen.shape != grey.shape):
            self._seen = ~cells_inside(self._masks, *grey.shape)
        return self._seen

    def _open(self, at_s: float, reason: GateReason, share: float) -> GateDecision:
        self._looked_s = at_s
        return GateDecision(look=True, reason=reason, changed_share=share)

    def _learn(self, grey: Float32, at_s: float) -> None:
        self._background = grey
        self._recent = self._next_recent = grey.copy()
        self._next_recent_s = at_s
        self._noise = np.full_like(grey, self.settings.min_difference / self.settings.noise_factor)
        self._resting = np.zeros(grey.shape, np.bool_)
        self._last_s = self.moved_s = at_s
        self._learned = 1

    def _adapt(
        self,
        background: Float32,
        grey: Float32,
        difference: Float32,
        restless: Float32,
        changed: Bool | None,
        at_s: float,
    ) -> None:
        """Let the background follow.

        Args:
            background: Is changed in its place.
            grey: The picture.
            difference: What it has more than the background; is overwritten.
            restless: How far each cell is off, without what all share; is overwritten.
            changed: Which cells count as changed; none: no cell.
            at_s: The picture's moment.
        """
        passed_s = max(0.0, at_s - self._last_s)
        self._last_s = at_s
        self._learned += 1
        # A plain mean at first: one picture is a noisy background.
        rate = max(self._share(passed_s, self.settings.adapt_s), np.float32(1.0 / self._learned))
        restless -= self._noise
        restless *= rate
        if changed is None:
            difference *= rate
        else:
            np.copyto(restless, 0.0, where=changed)
            # What moves is learned slowly, so that a passer-by leaves no ghost. What came to rest (a parked
            # car, the ground that one left) sinks in soon: it would keep the detector running for nothing.
            self._resting = np.abs(grey - self._recent) <= self.settings.min_difference
            rates = np.where(
                self._resting, self._share(passed_s, self.settings.rest_s), rate * np.float32(0.2)
            )
            difference *= np.where(changed, rates, rate)
        self._noise += restless
        background += difference
        if is_due(self.settings.recent_s, at_s, self._next_recent_s):
            self._recent, self._next_recent, self._next_recent_s = self._next_recent, grey, at_s

    @staticmethod
    def _share(passed_s: float, constant_s: float) -> np.float32:
        """Return how much of the way to a new value a mean goes in a time."""
        return np.float32(1.0 - math.exp(-passed_s / constant_s))


def _restless(difference: Float32) -> Float32:
    """Return how far each cell is off without what all share: a camera's automatic exposure is not motion.

    Nor is a darkness that all share restlessness: it would hide what moves for long afterwards.
    """
    some = np.sort(difference[::4, ::4], axis=None)
    # The middle one: numpy's median looks for numbers that are none first, which takes as long again.
    middle = np.float32(some[(len(some) - 1) // 2] + some[len(some) // 2]) * np.float32(0.5)
    off = difference - middle
    return np.asarray(np.abs(off, out=off), np.float32)


def small_grey(shown: Rgb | Brightness, width_px: int) -> Float32:
    """Return grey levels (h, w) float32, about `width_px` wide, as means of 2 by 2 samples.

    The samples are of the brightness; of RGB they are of the green.
    """
    brightness = shown if isinstance(shown, Brightness) else Brightness(shown[:, :, 1])
    step = max(1, round(brightness.levels.shape[1] / (2 * width_px)))
    lines = brightness.levels[::step]
    height, width = lines.shape[0] // 2 * 2, -(-lines.shape[1] // step) // 2 * 2
    if height == 0 or width == 0:
        return lines[:, ::step].astype(np.float32)
    if step == _FOUR_BYTES_STEP and lines.shape[1] % 4 == 0 and lines.strides[1] == 1:
        return _by_fours(lines[:height], brightness.step)
    # Whole lines first, though half of what they hold is not needed: what lies side by side is added quicker.
    pairs = np.add(lines[0:height:2], lines[1:height:2], dtype=np.uint16)[:, ::step]
    sums = (pairs[:, 0:width:2] + pairs[:, 1:width:2]).astype(np.float32)
    sums *= np.float32(0.25 * brightness.step)
    return sums


def _by_fours(lines: NDArray[np.uint8], levels_step: float) -> Float32:
    """Return what `small_grey` does of lines of which every second place counts, four bytes at a time.

    The first and the third are added side by side in a number of 32 bits: that takes a third of the time.
    """
    fours = lines.view("<u4")
    sums: NDArray[np.uint32] = np.bitwise_and(fours[::2], _FIRST_AND_THIRD)
    sums += np.bitwise_and(fours[1::2], _FIRST_AND_THIRD)
    sums += sums >> _TWO_BYTES
    sums &= _LOW_BYTES
    small: Float32 = sums.astype(np.float32)
    small *= np.float32(0.25 * levels_step)
    return small


def cells_of(boxes: Iterable[XyxyNorm], shape: tuple[int, ...]) -> Bool:
    """Return which cells of a grid (h, w) over the picture boxes touch."""
    height, width = shape
    covered = np.zeros((height, width), dtype=np.bool_)
    for x1, y1, x2, y2 in boxes:
        left, top = max(0, math.floor(x1 * width)), max(0, math.floor(y1 * height))
        covered[top : max(0, math.ceil(y2 * height)), left : max(0, math.ceil(x2 * width))] = True
    return covered


def _neighbours(changed: Bool) -> NDArray[np.uint8]:
    """Return how many cells of each one's neighbourhood of 3 by 3 changed."""
    padded = np.zeros((changed.shape[0] + 2, changed.shape[1] + 2), dtype=np.uint8)
    padded[1:-1, 1:-1] = changed
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:], np.uint8)
