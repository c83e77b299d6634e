"""What the cloud shall be asked about next; keeps how many questions are left, and where it saw nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge_agent.pipeline.boxes import inside, iou
from edge_agent.pipeline.decide import Allowance, OffloadSettings, Standing, doubt, waits
from edge_agent.pipeline.still import StillPlaces
from edge_agent.pipeline.track import Track

_DOUBLE_IOU = 0.05
_DOUBLE_INSIDE = 0.3

Thresholds = Callable[[Track], float]
"""Returns the score from which a thing counts as seen."""


class Doubts:
    """The doubts of one camera."""

    def __init__(self, settings: OffloadSettings) -> None:
        """Begin with one question to ask."""
        self._settings = settings
        self._allowance = Allowance()
        self._denied = StillPlaces()

    def note_picture(self) -> None:
        """Count a picture: each adds to what may be asked."""
        self._allowance = self._allowance.after_picture(self._settings)

    def note_question(self) -> None:
        """Count a question about doubts."""
        self._allowance = self._allowance.after_question()

    def note_denial(self, track: Track, at_s: float) -> None:
        """Remember that the cloud saw nothing where a thing was at `at_s`, monotonic seconds."""
        self._denied.remember(track.label, track.box_at(at_s), at_s)

    def among(self, tracks: Sequence[Track], at_s: float, threshold: Thresholds) -> tuple[Track, ...]:
        """Return what is in doubt, the most doubtful first; nothing while no question is left.

        Args:
            tracks: All that is followed.
            at_s: The moment of the last look, monotonic seconds.
            threshold: Of each of them.
        """
        if not self._allowance.is_left or self._settings.band <= 0.0:
            return ()
        band = self._allowance.band(self._settings)
        found = [
            (distance, track.number, track)
            for track in tracks
            if track.misses == 0
            and (distance := doubt(self._standing(track, tracks, at_s, threshold), self._settings, band))
            is not None
        ]
        return tuple(track for _, _, track in sorted(found))

    def waiting(self, tracks: Sequence[Track], at_s: float, threshold: Thresholds) -> frozenset[int]:
        """Return the numbers of the things that are told of only after an answer, while one may come in time.

        Args:
            tracks: All that is followed.
            at_s: The moment of the last look, monotonic seconds.
            threshold: Of each of them.
        """
        if self._settings.band <= 0.0:
            return frozenset()
        band = self._allowance.band(self._settings) if self._allowance.is_left else None
        return frozenset(
            track.number
            for track in tracks
            if not track.announced
            and waits(self._standing(track, tracks, at_s, threshold), self._settings, band)
        )

    def _standing(
        self, track: Track, tracks: Sequence[Track], at_s: float, threshold: Thresholds
    ) -> Standing:
        return Standing(
            middle=track.middle,
            best_middle=track.best_middle,
            threshold=threshold(track),
            followed_s=at_s - track.first_s,
            since_asked_s=at_s - track.asked_s,
            settled=track.cloud is not None,
            known_wrong=self._denied.knows(
                track.label, track.box, track.first_s, self._settings.object_cooldown_s
            ),
            doubled=not track.announced and _is_beside_told(track, tracks, at_s),
        )


def _is_beside_told(track: Track, tracks: Sequence[Track], at_s: float) -> bool:
    """Return whether a thing is where another one is, or should be, that was told of."""
    told = [one for one in tracks if one.announced and one.label == track.label]
    places = [box for one in told for box in (one.box, one.motion.predicted(at_s))]
    return any(
        iou(box, track.box) >= _DOUBLE_IOU or inside(track.box, box) >= _DOUBLE_INSIDE for box in places
    )
