"""One order to compress: what was asked for, and the detector's pictures and network as files."""

from __future__ import annotations

from dataclasses import dataclass

from compress.bundle import BundleSpec
from compress.capture import Capture
from compress.forms import DEPLOYABLE, Form
from compress.limits import Limits
from compress.pictures import StoredPictures
from compress.protocol import Compressible
from compress.second_stage import CapturedStage
from compress.trial import Tryout
from edge_agent.wire.profile import DeviceProfile


@dataclass(frozen=True)
class Order:
    """What every later stage needs.

    `created` is UTC seconds since 1970; `memory_limits` are those of all devices that share it, in bytes.
    """

    detector: Compressible
    profile: DeviceProfile
    release: int
    created: float
    pictures: StoredPictures
    captured: Capture
    limits: Limits
    stage: CapturedStage | None = None
    memory_limits: tuple[int, ...] = ()

    def spec(self, form: Form) -> BundleSpec:
        """Return what is known of a bundle before it was tried."""
        return BundleSpec(self.detector, form, self.profile, self.release, self.created)

    def tryout(self, form: Form) -> Tryout:
        """Return how a form is tried: the full detector without the device's memory limit."""
        limits = self.memory_limits or (self.limits.max_ram_bytes,)
        return Tryout(self.pictures, self.captured.references, limits if form in DEPLOYABLE else ())

    @property
    def thresholds(self) -> dict[str, float]:
        """Return the full detector's thresholds by slug."""
        return {label.slug: label.threshold for label in self.detector.labels}
