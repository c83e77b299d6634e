"""The steps of a compression, with the seconds that they took on the machine where this was written."""

from __future__ import annotations

from compress.effort import Effort
from compress.progress import Stage, Step

PART = "candidate {}: "
"""Before the names of the steps that every candidate has."""

SEARCH = "search"

_OVERHEAD_S = 180.0
_SMALLER = 0.5
_USUAL_PICTURES = 75


def plan_for(count: int, effort: Effort) -> tuple[Stage, ...]:
    """Return the plan for so many candidates, the detector's own first.

    Args:
        count: Candidates.
        effort: How long all together may take, and on how many pictures is measured.
    """
    search = (Step(SEARCH, "Teaching smaller networks", search_s(effort), budgeted=True),)
    return (
        ("prepare", ((Step("prepare", "Reading the camera's pictures", 1.0),),)),
        *_candidate(0, 1.0, effort),
        *((("search", (search,)),) if effort.searches else ()),
        *(stage for number in range(1, count) for stage in _candidate(number, _SMALLER, effort)),
        ("time", ((Step("time", "Timing all forms in turns", 0.6 * effort.turns * count),),)),
        ("pack", ((Step("pack", "Packing bundles and receipt", 1.0),),)),
    )


def search_s(effort: Effort) -> float:
    """Return the seconds that a search has at least, however long it took to get there."""
    return max(effort.budget_s - _OVERHEAD_S, 10.0)


def _candidate(number: int, size: float, effort: Effort) -> tuple[Stage, ...]:
    looks = 1.0 + effort.unlabelled / _USUAL_PICTURES

    def step(name: str, message: str, expected_s: float) -> Step:
        return Step(PART.format(number) + name, message, size * expected_s)

    litert = (
        step("litert_convert", "Writing TFLite", 14.0),
        step("litert_quantize", "Making TFLite int8", 7.0),
        step("litert_measure", "Running the TFLite bundle as a camera does", 5.0 * looks),
    )
    onnx = (
        step("onnx_convert", "Writing ONNX", 6.0),
        step("onnx_quantize", "Making ONNX int8", 7.0),
        step("full_measure", "Running the full detector", 5.0 * looks),
        step("onnx_measure", "Running the ONNX bundle as a camera does", 4.0 * looks),
    )
    return (
        ("prepare", ((step("capture", "Capturing the network", 5.0),),)),
        ("export", (litert, onnx)),
    )
