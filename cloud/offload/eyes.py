"""What a worker looks with: its detectors, and the subnets below them; torch."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from cloud.detector.files import load_detector
from cloud.detector.full import FullDetector
from cloud.offload.batcher import Seen, Waiting
from cloud.offload.gathered import Question, Trunks, detect_each, trunks_here
from cloud.offload.loaded import LoadedDetectors
from cloud.offload.pictures import decoded
from edge_agent.errors import ElfowlError

_LOG = logging.getLogger(__name__)
_MOST_ON_CPU = 1
"""Measured: one core looks at four pictures together no faster than at one after the other, and all wait."""

_MOST_ON_GPU = 64
_NOTHING = np.zeros((64, 64, 3), np.uint8)


class Eyes:
    """Looks at pictures together, each with its own detector. Not for several threads at once."""

    def __init__(self, trunks: Trunks) -> None:
        self._trunks = trunks
        self._detectors = LoadedDetectors(self._load)

    @classmethod
    def of_this_machine(cls) -> Eyes:
        """Return eyes on the graphics processor where there is one, else on one core."""
        import cv2

        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        return cls(trunks_here())

    @property
    def most_at_once(self) -> int:
        """Return how many pictures to look at together, at most: more would only make them wait."""
        return _MOST_ON_CPU if self._trunks.device.type == "cpu" else _MOST_ON_GPU

    def see(self, batch: Sequence[Waiting]) -> list[Seen | ElfowlError]:
        """Return what is seen in each picture, or why it cannot be told."""
        answers: dict[int, Seen | ElfowlError] = {}
        questions: dict[int, Question] = {}
        for place, waiting in enumerate(batch):
            try:
                questions[place] = Question(self._detectors.get(waiting.folder), decoded(waiting.jpeg))
            except ElfowlError as error:
                answers[place] = error
        found = detect_each(list(questions.values()), self._trunks)
        for (place, question), one in zip(questions.items(), found, strict=True):
            answers[place] = one if isinstance(one, ElfowlError) else Seen(question.detector.ref, one)
        return [answers[place] for place in range(len(batch))]

    def get_ready(self, folder: Path) -> None:
        """Load a detector and run it once, for the first run is slow; who asks later hears what is wrong."""
        try:
            found = detect_each([Question(self._detectors.get(folder), _NOTHING)], self._trunks)
        except ElfowlError as error:
            found = [error]
        if isinstance(found[0], ElfowlError):
            _LOG.warning("%s: %s", folder, found[0])

    def _load(self, folder: Path) -> FullDetector:
        detector = load_detector(folder)
        detector.taught_head.to(self._trunks.device)
        return detector
