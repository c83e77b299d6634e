"""Looks at one picture after the other with int8 numbers, where the processor multiplies bytes.

There a detector needs half of the time, and hardly ever says anything else (docs/offload.md). What cannot be
looked at so is looked at as elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

from cloud.detector.full import FullDetector, decode_detections, run_head
from cloud.detector.full_int8 import Int8Full, int8_full
from cloud.detector.head import AnchorFreeHead
from cloud.detector.light import LightNetwork
from cloud.detector.light_int8 import int8_levels
from cloud.offload.gathered import Question
from edge_agent.errors import ElfowlError
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.vision.letterbox import Letterboxed, letterbox
from edge_agent.wire.detection import Detection

Found = list[Detection] | ElfowlError
"""What is seen in one picture, or why that cannot be told."""

Detect = Callable[[Sequence[Question]], list[Found]]
"""Answers questions, one answer each."""

_Outputs = tuple[Float32, Float32]


class QuickDetect:
    """Answers questions, in any thread; an int8 head, some 0.3 MB, is kept as long as its detector is."""

    def __init__(self, otherwise: Detect) -> None:
        """Ask `otherwise` where a detector has no int8 numbers."""
        self._otherwise = otherwise
        self._made: WeakKeyDictionary[AnchorFreeHead, Int8Full | None] = WeakKeyDictionary()

    def __call__(self, questions: Sequence[Question]) -> list[Found]:
        """Return what each picture's own detector sees in it, or why it cannot tell."""
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> Found:
        detector = question.detector
        boxed = letterbox(question.rgb, *question.look_px, detector.spec.input.pad_value)
        outputs = self._outputs(detector, boxed.pixels[None])
        if outputs is None:
            return self._otherwise([question])[0]
        return _decoded(question, outputs, boxed)

    def _outputs(self, detector: FullDetector, pixels: Rgb) -> _Outputs | None:
        head = detector.taught_head
        if isinstance(head, LightNetwork):
            levels = int8_levels(detector.manifests[0])
            return None if levels is None else run_head(head.head, levels.levels(pixels))
        network = self._network(head, detector) if isinstance(head, AnchorFreeHead) else None
        return None if network is None else network.outputs(pixels)

    def _network(self, head: AnchorFreeHead, detector: FullDetector) -> Int8Full | None:
        if head not in self._made:
            self._made[head] = int8_full(head, detector.manifests)
        return self._made[head]


def _decoded(question: Question, outputs: _Outputs, boxed: Letterboxed) -> Found:
    try:
        return decode_detections(question.detector.spec, *outputs, boxed.to_source_norm, question.score_floor)
    except ElfowlError as error:
        return error
