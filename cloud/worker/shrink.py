"""Compresses a trained version for a kind of device and keeps the bundle."""

from __future__ import annotations

from typing import Any

from cloud.actions.bundles import HEADS_FILE
from cloud.actions.open_home import Home
from cloud.store import bundles
from cloud.store.files import remove_tree, sha256_of
from cloud.store.ids import new_id
from cloud.store.tables import BundleRow
from cloud.worker.loader import load_version
from cloud.worker.progress import Cancelled, Listener, Progress, never, to_nobody
from cloud.worker.refit import RefitAnswer, try_refit
from compress.effort import EFFORTS, QUICK
from compress.progress import Progress as CompressProgress
from compress.refit import as_result
from compress.run import Budget, Result, compress
from edge_agent.runtime.profiles import load_profile


def shrink(
    home: Home,
    reference: str,
    profile: str,
    *,
    effort: str = QUICK.name,
    progress: Listener = to_nobody,
    cancelled: Cancelled = never,
) -> dict[str, Any]:
    """Compress a detector, keep bundle and receipt, and return what was measured.

    When only its head is new, that is put on the trunk that the cameras have already; `heads_bytes` then is
    what they fetch. Otherwise `whole_because` tells why all was made anew, if there was a choice.

    Args:
        home: Where everything lies.
        reference: Name or id; with `@version` an older one.
        profile: Name of the device profile.
        effort: How long to look for a smaller network; with more than `quick` the trunk is made anew.
        progress: Told how far it is.
        cancelled: Asked several times a second.

    Raises:
        NotFoundError: There is no such detector.
        ConfigError: There is no such profile.
        ElfowlError: What compression says.
    """
    device = load_profile(profile)
    detector = load_version(home, reference)
    bundle_id = new_id("bun")
    out = home.settings.bundles_path / detector.ref.id / bundle_id
    out.mkdir(parents=True, exist_ok=True)
    try:
        answer = (
            try_refit(home, detector, profile, out / "refit", progress, cancelled)
            if effort == QUICK.name
            else RefitAnswer(None, None, None)
        )
        if answer.refit is not None and answer.base is not None:
            result = as_result(answer.refit, out)
        else:
            result = compress(
                detector,
                device,
                out,
                Budget(effort=EFFORTS[effort]),
                progress=lambda now: progress(_as_ours(now)),
                cancelled=cancelled,
            )
        _keep(home, bundle_id, result)
    except BaseException:
        remove_tree(out)
        raise
    heads = out / HEADS_FILE
    return {
        "bundle": bundle_id,
        "heads_bytes": heads.stat().st_size if heads.is_file() else None,
        "whole_because": answer.why_not,
        **result.to_json_dict(),
    }


def _keep(home: Home, bundle_id: str, result: Result) -> None:
    receipt = result.receipt
    chosen = next(form for form in receipt.after if form.form == receipt.chosen)
    row = BundleRow(
        id=bundle_id,
        detector_id=receipt.detector.id,
        detector_version=receipt.detector.version,
        profile=receipt.profile,
        runtime=chosen.runtime,
        path=str(result.chosen.relative_to(home.settings.home)),
        sha256=sha256_of(result.chosen),
        length_bytes=result.chosen.stat().st_size,
        receipt_path=str(result.receipt_file.relative_to(home.settings.home)),
        created=home.clock.now_s(),
    )
    with home.database.write(durable=True) as session:
        bundles.add(session, row)


def _as_ours(progress: CompressProgress) -> Progress:
    return Progress(progress.stage, progress.fraction, progress.message, progress.seconds_left)
