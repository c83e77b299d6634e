"""What a search tries, and what of it comes first: pure decisions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from compress.candidates import Candidate
from compress.lessons import Likeness
from compress.structures import Structure
from compress.students import Task

_SHARE_OF_BUDGET = 0.75
"""The rest is for exporting and measuring what was found."""

_SMALLER = 0.8
_MULTIPLE_PX = 32
_ALIKE = 0.01
_CATCHES_UP = 0.12
"""A small network this much behind the best may still come up to it."""

_VIEWS_OF_SMALL = 4
"""So many times as many views a smaller network sees as the one that only lacks superfluous parts.

That one answers nearly right untaught. One of a third of its cost came to agree as well as it does, untaught,
after 2000 views, not after 400.
"""

_NEAR_IN_COST = 1.3
_BLOCKS_HARM = 0.7
"""Of repeated blocks that are gone, beside `likely_harm`.

With two fifths of the channels gone, such a network is about as good as one with all blocks and half of the
channels, and cheaper.
"""


@dataclass(frozen=True)
class SearchPlan:
    """What is tried, and for how long.

    Attributes:
        sizes_px: Inputs (width, height), largest first.
        shares: How much of what inner channels cost goes.
        cheaper: So many times cheaper than the network without superfluous parts a candidate shall be; one
            candidate for each.
        budget_s: For all of the search.
        learning_rate: Peak of a recovery.
        seed: Of views, and of their order.
    """

    sizes_px: tuple[tuple[int, int], ...]
    shares: tuple[float, ...] = (0.0, 0.4, 0.5, 0.65)
    cheaper: tuple[float, ...] = (2.3,)
    budget_s: float = 300.0
    learning_rate: float = 1e-3
    seed: int = 0


@dataclass(frozen=True)
class Tried:
    """A candidate as far as it learned, and how near it came to the full detector."""

    candidate: Candidate
    likeness: Likeness

    @property
    def worth(self) -> float:
        """Return one number for both kinds of nearness."""
        ap50 = self.likeness.ap50
        return self.likeness.agreement_f1 if ap50 is None else (self.likeness.agreement_f1 + ap50) / 2


Place = tuple[Structure, tuple[int, int], float]
"""A structure, an input size (width, height), and the share of what inner channels cost that goes."""


def plan_for(task: Task) -> SearchPlan:
    """Return what to try for one device or several in the time there is."""
    budget_s = _SHARE_OF_BUDGET * task.budget_s
    of_profiles_px = [size for profile in task.profiles for size in profile.input_sizes_px]
    sizes = sizes_for(task.detector.input_size_px, of_profiles_px)
    if budget_s < 60:
        return SearchPlan(sizes[:2], budget_s=budget_s)
    if budget_s < 900:
        return SearchPlan(sizes, budget_s=budget_s)
    return SearchPlan(sizes, cheaper=(1.5, 2.3, 2.75, 3.3, 4.0, 5.5, 8.0), budget_s=budget_s)


def sizes_for(
    own_px: tuple[int, int], of_profiles_px: Sequence[tuple[int, int]]
) -> tuple[tuple[int, int], ...]:
    """Return the inputs to try, largest first: the detector's own, a smaller one, and the profiles' below.

    Of the profiles' only those count that are not larger than the detector's own in either direction, and
    not smaller than half of it: below, a cell of stride 8 holds four times what it was taught for.
    """
    smaller = tuple(
        max(_MULTIPLE_PX, round(side * _SMALLER / _MULTIPLE_PX) * _MULTIPLE_PX) for side in own_px
    )
    found = {own_px, (smaller[0], smaller[1])}
    for width, height in of_profiles_px:
        if width <= own_px[0] and height <= own_px[1] and 2 * width >= own_px[0]:
            found.add((width, height))
    return tuple(sorted(found, key=lambda size: -size[0] * size[1]))


def grid(found: Sequence[Structure], plan: SearchPlan) -> list[Place]:
    """Return what to try, costliest first.

    What lacks superfluous parts only, at its own size, learns quickest and loses least: it is always among
    them, unless it is the full detector itself. The others are so and so many times cheaper than that. Of
    those that cost about the same, the one is taken that is likely to lose least, see `likely_harm`.
    """
    own_px, sure = plan.sizes_px[0], _without_level(found)
    places = {
        (structure, size_px, share): _cost(structure, size_px, share, own_px)
        for structure in found
        for size_px in plan.sizes_px
        for share in plan.shares
    }
    del places[found[0], own_px, 0.0]
    chosen = [(sure, own_px, 0.0)] if sure is not found[0] else []
    for times in plan.cheaper:
        wanted = sure.candidate.work / times
        left = [place for place in places if place not in chosen]
        near = [place for place in left if _times_apart(places[place], wanted) <= _NEAR_IN_COST]
        if near:
            chosen.append(min(near, key=lambda place: _harm(place, own_px)))
        elif left:
            chosen.append(min(left, key=lambda place: _times_apart(places[place], wanted)))
    return sorted(chosen, key=lambda place: -places[place])


def share_of_time(rungs: Sequence[Place], own_px: tuple[int, int]) -> float:
    """Return which share of the time that is left the first of some rungs learns.

    All see as many views, but for what lacks parts only at its own size: it sees a quarter of that.
    """
    costs = [
        _views_of(rung, own_px) * _of_pixels(rung[1], own_px) * rung[0].candidate.macs * (1 - rung[2])
        for rung in rungs
    ]
    return costs[0] / sum(costs)


def likely_harm(size_px: tuple[int, int], share: float, own_px: tuple[int, int]) -> float:
    """Return how much a smaller input and thinner channels are likely to hurt, for comparison only.

    Both hurt more the further they go, a smaller input most. The weights are those with which this agrees
    with what was measured of mended networks that were not taught yet (640 x 480, small persons; agreement
    and AP50 with the full detector), of about 400 million multiplications: 0.93 and 0.98 for the full size
    without some blocks and half of the channels, 0.86 and 0.97 for 512 x 384 with all blocks and half of the
    channels, 0.87 and 0.96 there without some blocks and three of ten channels.
    """
    smaller = 1 - size_px[0] / own_px[0]
    return 8 * share**2 + 65 * smaller**2


def is_hopeless(tried: Sequence[Tried]) -> bool:
    """Tell whether the newest one is so far behind the best that it will not come up to it."""
    return tried[-1] not in _hopeful(tried)


def cheapest_hopeful(tried: Sequence[Tried]) -> Tried:
    """Return the cheapest one that may still come up to the best."""
    return min(_hopeful(tried), key=lambda one: one.candidate.work)


def _hopeful(tried: Sequence[Tried]) -> list[Tried]:
    best = max(one.worth for one in tried)
    return [one for one in tried if one.worth >= best - _CATCHES_UP]


def best_first(finished: Sequence[Tried]) -> list[Tried]:
    """Return those that no other beats in both cost and nearness.

    The cheapest of those as near as the nearest, give or take a hundredth, comes first; then what is nearer,
    then what is cheaper.
    """
    front = _front(finished)
    nearest = max((one.worth for one in front), default=0.0)
    near = sorted((one for one in front if one.worth >= nearest - _ALIKE), key=lambda one: one.candidate.work)
    rest = sorted((one for one in front if one not in near[:1]), key=lambda one: -one.worth)
    return [*near[:1], *rest]


def with_sure_one_early(ordered: Sequence[Tried], tried: Sequence[Tried]) -> list[Tried]:
    """Return what is best first, but what only lacks superfluous parts among the first two.

    It loses least when it is exported, and there is not always time to export more than two.
    """
    sure = [one for one in tried if lacks_parts_only(one.candidate)]
    if not sure or sure[0] in ordered[:2]:
        return list(ordered)
    others = [one for one in ordered if one is not sure[0]]
    return [*others[:1], sure[0], *others[1:]]


def lacks_parts_only(candidate: Candidate) -> bool:
    """Tell whether only superfluous parts were taken."""
    return all(gone.stage in {"subnets", "levels"} for gone in candidate.removed)


def _front(tried: Sequence[Tried]) -> list[Tried]:
    return [
        one
        for one in tried
        if not any(
            (other.candidate.work <= one.candidate.work and other.worth > one.worth)
            or (other.candidate.work < one.candidate.work and other.worth >= one.worth)
            for other in tried
        )
    ]


def _cost(structure: Structure, size_px: tuple[int, int], share: float, own_px: tuple[int, int]) -> float:
    return structure.candidate.work * _of_pixels(size_px, own_px) * (1 - share)


def _of_pixels(size_px: tuple[int, int], own_px: tuple[int, int]) -> float:
    return size_px[0] * size_px[1] / (own_px[0] * own_px[1])


def _views_of(place: Place, own_px: tuple[int, int]) -> int:
    """Return how many views a place gets, beside others."""
    structure, size_px, share = place
    is_sure = lacks_parts_only(structure.candidate) and size_px == own_px and not share
    return 1 if is_sure else _VIEWS_OF_SMALL


def _harm(place: Place, own_px: tuple[int, int]) -> float:
    structure, size_px, share = place
    lacks_blocks = any(gone.stage == "blocks" for gone in structure.candidate.removed)
    return likely_harm(size_px, share, own_px) + (_BLOCKS_HARM if lacks_blocks else 0.0)


def _times_apart(one: float, other: float) -> float:
    return math.exp(abs(math.log(one / other)))


def _without_level(found: Sequence[Structure]) -> Structure:
    """Return the smallest structure that lacks no repeated blocks."""
    return [one for one in found if not any(gone.stage == "blocks" for gone in one.candidate.removed)][-1]
