"""Tries new heads on the trunk that cameras of a profile have, before a version is compressed anew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from cloud.actions.bundles import bundle_path
from cloud.actions.open_home import Home
from cloud.detector.full import FullDetector
from cloud.detector.head import AnchorFreeHead
from cloud.store import bundles
from cloud.store.files import remove_tree
from cloud.store.tables import BundleRow
from cloud.worker.loader import load_version
from cloud.worker.progress import Cancelled, Listener, Progress
from compress.errors import CancelledError
from compress.refit import Refit, refit
from edge_agent.errors import ElfowlError
from edge_agent.runtime.bundle import open_bundle
from edge_agent.runtime.head_update import trunk_sha256


@dataclass(frozen=True)
class RefitAnswer:
    """A new head on the kept trunk, or why the whole detector has to be compressed."""

    refit: Refit | None
    base: BundleRow | None
    why_not: str | None


def try_refit(
    home: Home, detector: FullDetector, profile: str, out: Path, progress: Listener, cancelled: Cancelled
) -> RefitAnswer:
    """Put a version's head on the trunk in use for a profile, if it was taught on that very trunk.

    Args:
        home: Where everything lies.
        detector: The new version.
        profile: Name of the device profile.
        out: A folder of its own; empty again when there is no refit.
        progress: Told how far it is.
        cancelled: Asked now and then.

    Raises:
        CancelledError: `cancelled` said so.
    """
    with home.database.read() as session:
        base = bundles.trunk_in_use(session, detector.ref.id, profile)
    if base is None:
        return RefitAnswer(None, None, None)
    why_not = _why_not(home, detector, base)
    if why_not is not None:
        return RefitAnswer(None, base, why_not)

    def tell(what: str, fraction: float) -> None:
        if cancelled():
            message = "the compression was cancelled; nothing was written"
            raise CancelledError(message)
        progress(Progress("refit", fraction, what))

    try:
        made = refit(
            [detector],
            bundle_path(home.settings, base),
            out,
            home.clock,
            release=detector.ref.version,
            tell=tell,
        )
    except CancelledError:
        raise
    except ElfowlError as error:
        remove_tree(out)
        return RefitAnswer(None, base, str(error))
    if made.wants_new_trunk:
        remove_tree(out)
        return RefitAnswer(None, base, _too_far(made))
    return RefitAnswer(made, base, None)


def same_trunk(one: FullDetector, other: FullDetector) -> bool:
    """Tell whether two versions differ only in what comes after their adapters."""
    if not (isinstance(one.taught_head, AnchorFreeHead) and isinstance(other.taught_head, AnchorFreeHead)):
        return False
    if (one.spec.subnets, one.input_size_px) != (other.spec.subnets, other.input_size_px):
        return False
    adapters = [head.adapters.state_dict() for head in (one.taught_head, other.taught_head)]
    return all(torch.equal(tensor, adapters[1][name]) for name, tensor in adapters[0].items())


def _why_not(home: Home, detector: FullDetector, base: BundleRow) -> str | None:
    if base.detector_version == detector.ref.version:
        return "this very version is compressed again"
    try:
        path = bundle_path(home.settings, base)
        if trunk_sha256(open_bundle(path).manifest) is None:
            return f"the network of version {base.detector_version} is in one piece there"
        before = load_version(home, f"{detector.ref.id}@{base.detector_version}")
    except ElfowlError as error:
        return str(error)
    if not same_trunk(detector, before):
        return f"its trunk was taught anew since version {base.detector_version}"
    return None


def _too_far(made: Refit) -> str:
    return (
        f"a new head on the old trunk agrees with the full detector to {made.agreement_f1:.3f}, "
        f"the first one did to {made.base_agreement_f1:.3f}: accuracy asks for a new trunk"
    )
