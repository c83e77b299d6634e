"""Whether to ask the cloud about a picture: one pure function."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from edge_agent.wire.event import OffloadReason


@dataclass(frozen=True)
class OffloadPermit:
    """Whether pictures may go to the cloud at all, right now. All must hold.

    Attributes:
        allowed: The owner lets pictures leave the camera (the privacy switch).
        quota_left: Bytes of today's quota are left.
        breaker_open: The cloud failed lately; asking waits.
        in_flight: A question of this camera is still unanswered.
    """

    allowed: bool = False
    quota_left: bool = True
    breaker_open: bool = False
    in_flight: bool = False

    @property
    def reachable(self) -> bool:
        """Return whether the cloud may answer in the camera's place."""
        return self.allowed and self.quota_left and not self.breaker_open

    @property
    def granted(self) -> bool:
        """Return whether asking is possible."""
        return self.reachable and not self.in_flight


@dataclass(frozen=True)
class Situation:
    """What is known about a picture and the camera.

    Attributes:
        has_local_model: The camera has a detector that works.
        worth_a_look: The motion gate is open for this picture.
        unsure: The verdict about something in it is in doubt; see `doubt`.
        hot: The camera is too hot to run its detector.
        behind: The detector cannot keep up.
        explicit: Somebody asked for this picture.
        since_whole_s: Seconds since the cloud last got a whole picture in place of the local detector.
    """

    has_local_model: bool = True
    worth_a_look: bool = True
    unsure: bool = False
    hot: bool = False
    behind: bool = False
    explicit: bool = False
    since_whole_s: float = float("inf")


@dataclass(frozen=True)
class OffloadSettings:
    """How often to ask.

    A question costs tens of kilobytes, so it has to be able to turn a verdict. Scores of a network that was
    compressed to 8 bits differ from the full one's by some hundredths, those of a network that is a tenth of
    it by tenths. So the allowance goes to the nearest to the threshold first: the band is narrow while little
    of it is left, and wide after a quiet time. `doubt_after_s` leaves out things that are merely coming into
    view: their scores cross the band on the way up.

    Attributes:
        share: Of a camera's pictures, so many may be asked about; see `Allowance`.
        saved: So many questions at most are saved up while there is nothing to ask.
        band: A verdict is in doubt while the middle score is this near to the threshold.
        wider_below: So many times the band, below the threshold, while all of `saved` is left.
        wider_above: The same above it; beyond, the camera's word outweighs the cloud's.
        doubled_band: The same where a thing is at the place of one that was told of: perhaps they are one.
        doubt_after_s: A thing is followed for so long before it is asked about.
        hold_s: What is in doubt is told of once the cloud has answered, or so long after it could be asked.
        object_cooldown_s: An object without an answer is asked about at most this often.
        whole_every_s: Least time between two pictures that the cloud looks at in place of the camera.
        adopt_margin: What nobody asked about, but the cloud sees, counts from so far over the threshold.
    """

    share: float = 0.02
    saved: float = 10.0
    band: float = 0.04
    wider_below: float = 5.0
    wider_above: float = 3.0
    doubled_band: float = 0.2
    doubt_after_s: float = 0.6
    hold_s: float = 1.0
    object_cooldown_s: float = 300.0
    whole_every_s: float = 1.0
    adopt_margin: float = 0.2


@dataclass(frozen=True)
class Allowance:
    """How many questions about doubts are left; each picture of the camera adds a little.

    Never more than one, and `share` of the pictures so far, were asked. What somebody wishes to know, and
    what the cloud sees in the camera's place, is not counted.
    """

    questions: float = 1.0

    def after_picture(self, settings: OffloadSettings) -> Allowance:
        """Return what is left once the camera gave another picture."""
        return Allowance(min(max(1.0, settings.saved), self.questions + settings.share))

    def after_question(self) -> Allowance:
        """Return what is left once something was asked."""
        return Allowance(self.questions - 1.0)

    @property
    def is_left(self) -> bool:
        """Return whether a question may be asked."""
        return self.questions >= 1.0

    def band(self, settings: OffloadSettings) -> float:
        """Return how near to the threshold a score must be to be worth a question now."""
        spare = max(0.0, self.questions - 1.0) / max(1.0, settings.saved - 1.0)
        return settings.band * (1.0 + max(0.0, settings.wider_below - 1.0) * min(1.0, spare))


@dataclass(frozen=True)
class Standing:
    """How the verdict about one followed thing stands.

    Attributes:
        middle: The middle one of its last scores, which the threshold is held against.
        best_middle: The highest that this ever was.
        threshold: Score from which it counts as seen.
        followed_s: How long it is followed.
        since_asked_s: When the cloud was last asked about it.
        settled: The cloud has answered.
        known_wrong: The cloud saw nothing at this very place lately.
        doubled: Nobody was told of it, but of something at its place: they may be the same.
    """

    middle: float
    best_middle: float
    threshold: float
    followed_s: float
    since_asked_s: float = float("inf")
    settled: bool = False
    known_wrong: bool = False
    doubled: bool = False


def decide_offload(
    situation: Situation, permit: OffloadPermit, settings: OffloadSettings
) -> OffloadReason | None:
    """Return why the cloud should look at a picture, or none when it should not.

    A person's wish comes first and needs no motion; then what keeps the camera from looking; then doubt.
    """
    if not permit.granted:
        return None
    if situation.explicit:
        return "explicit"
    if not situation.worth_a_look:
        return None
    instead = instead_of_local(situation)
    if instead is not None:
        return instead if situation.since_whole_s >= settings.whole_every_s else None
    return "unsure" if situation.unsure else None


def instead_of_local(situation: Situation) -> OffloadReason | None:
    """Return why the camera's own detector should rest, or none."""
    if not situation.has_local_model:
        return "no_local_model"
    if situation.hot:
        return "hot"
    return "behind" if situation.behind else None


def doubt(standing: Standing, settings: OffloadSettings, band: float) -> float | None:
    """Return how far a thing is from where an answer would surely matter; none: it is not worth a question.

    A thing that once was clearly seen stays believed: it dips because it is turned away, hidden or far,
    and is still there. What the cloud has answered is not asked again. Of one thing a detector may see two
    boxes for a while: the second one is in doubt whether it wavers or not.

    Args:
        standing: Of the thing.
        settings: How often to ask.
        band: How near to the threshold a score must be; see `Allowance.band`.
    """
    if standing.settled or standing.known_wrong or standing.since_asked_s < settings.object_cooldown_s:
        return None
    if standing.followed_s < settings.doubt_after_s:
        return None
    above = min(band, settings.band * settings.wider_above)
    over = standing.middle - standing.threshold
    if standing.best_middle <= standing.threshold + above and -band <= over <= above:
        return abs(over)
    # Doubles come second to what wavers most, and before what wavers less.
    return settings.band / 2 if standing.doubled and abs(over) <= settings.doubled_band else None


def waits(standing: Standing, settings: OffloadSettings, band: float | None) -> bool:
    """Return whether a thing that nobody was told of has to wait: the cloud may soon know better.

    A word that is taken back a moment later was a false alarm all the same. But the camera's own word stands
    when no answer comes in time.

    Args:
        standing: Of the thing.
        settings: How often to ask.
        band: As for `doubt`; none while no question is left.
    """
    if settings.hold_s <= 0.0 or standing.settled:
        return False
    if standing.followed_s > settings.doubt_after_s + settings.hold_s:
        return False
    if standing.since_asked_s <= settings.hold_s:
        return True
    # It will be old enough to be asked about.
    return band is not None and doubt(replace(standing, followed_s=math.inf), settings, band) is not None
