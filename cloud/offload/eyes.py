"""What a worker looks with: its detectors, and the subnets below them; torch."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import torch

from cloud.cache.figures import TierFigures
from cloud.cache.plan import CachePlan
from cloud.detector.light_int8 import multiplies_bytes
from cloud.offload.bank import BankedHeads
from cloud.offload.batcher import Seen, Waiting
from cloud.offload.cached import CachedDetectors
from cloud.offload.gathered import Question, RunLight, Trunks, detect_each, run_loose, trunks_here
from cloud.offload.pictures import decoded
from cloud.offload.quick import Detect, QuickDetect
from edge_agent.errors import ElfowlError

_LOG = logging.getLogger(__name__)
_MOST_ON_CPU = 1
"""Measured: one core looks at four pictures together no faster than at one after the other, and all wait."""

_MOST_ON_GPU = 64
_NOTHING = np.zeros((64, 64, 3), np.uint8)


class DetectorEyes:
    """Looks at pictures together, each with its own detector. Looking is for one thread, loading for any."""

    def __init__(
        self,
        trunks: Trunks,
        detectors: CachedDetectors,
        run_lights: RunLight = run_loose,
        *,
        quick: bool = False,
    ) -> None:
        """Look with these; `quick`: with int8 numbers where they are known to be good, and alone each."""
        self._trunks, self._detectors = trunks, detectors
        together = partial(detect_each, trunks=trunks, run_lights=run_lights)
        self._detect: Detect = QuickDetect(together) if quick else together

    @classmethod
    def of_this_machine(cls, plan: CachePlan) -> DetectorEyes:
        """Return eyes on the graphics processor where there is one, else on one core.

        Raises:
            StorageError: The disk of the model cache is full or read-only.
        """
        import cv2

        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        trunks = trunks_here()
        if trunks.device.type == "cpu":
            # There a head's own tensors are as near as a row of an array.
            quick = multiplies_bytes(torch.cpu.get_capabilities())
            return cls(trunks, CachedDetectors.of_this_process(plan, trunks.device), quick=quick)
        # One budget for both: detectors as they were loaded, and their heads in rows.
        half = plan.model_copy(update={"gpu_bytes": plan.gpu_bytes // 2})
        banked = BankedHeads(half.gpu_bytes, trunks.device)
        return cls(trunks, CachedDetectors.of_this_process(half, trunks.device), banked.run)

    @property
    def most_at_once(self) -> int:
        """Return how many pictures to look at together, at most: more would only make them wait."""
        return _MOST_ON_CPU if self._trunks.device.type == "cpu" else _MOST_ON_GPU

    def see(self, batch: Sequence[Waiting]) -> list[Seen | ElfowlError]:
        """Return what is seen in each picture, or why it cannot be told."""
        answers: dict[int, Seen | ElfowlError] = {}
        questions: dict[int, Question] = {}
        with ExitStack() as in_use:
            for place, waiting in enumerate(batch):
                try:
                    detector = in_use.enter_context(self._detectors.use(waiting.folder))
                    questions[place] = Question(detector, decoded(waiting.jpeg), part=waiting.part)
                except ElfowlError as error:
                    answers[place] = error
            found = self._detect(list(questions.values()))
        for (place, question), one in zip(questions.items(), found, strict=True):
            answers[place] = one if isinstance(one, ElfowlError) else Seen(question.detector.ref, one)
        return [answers[place] for place in range(len(batch))]

    def get_ready(self, folder: Path) -> None:
        """Load a detector and run it once, for the first run is slow; who asks later hears what is wrong."""
        try:
            with self._detectors.use(folder) as detector:
                found = self._detect([Question(detector, _NOTHING)])
        except ElfowlError as error:
            found = [error]
        if isinstance(found[0], ElfowlError):
            _LOG.warning("%s: %s", folder, found[0])

    def is_ready(self, folder: Path) -> bool:
        """Tell whether a detector is in memory."""
        return self._detectors.is_ready(folder)

    def bring(self, folder: Path) -> None:
        """Load a detector; for any thread.

        Raises:
            ElfowlError: It cannot be loaded.
        """
        self._detectors.bring(folder)

    def figures(self) -> list[TierFigures]:
        """Return what happened in the model cache, the nearest tier first."""
        return self._detectors.figures()
