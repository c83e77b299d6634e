"""A new head on the trunk that a camera has: learned, quantized and packed in seconds, a small file to send.

The trunk's file stays as it is, byte for byte; so the head's input has the range of the trunk's output.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from compress.capture import save_heads
from compress.errors import ExportError
from compress.map_lessons import (
    FinishedTrunk,
    HeadPlan,
    ask_full,
    fitted_head,
    make_lessons,
    teach_head,
)
from compress.parts import head_file
from compress.pictures import CALIBRATION_PICTURES, covering, evenly
from compress.plots import Shown
from compress.processes import Child
from compress.protocol import Compressible, TwoPartNetwork
from compress.receipt import write_receipt
from compress.refit_pack import (
    Judged,
    Learned,
    Seen,
    judge,
    manifest_head,
    output_names,
    read_picture,
    with_thresholds,
)
from compress.result import Result
from compress.threads import one_thread_each
from edge_agent.clock import Clock
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.runtime.bundle import MANIFEST_FILE, Bundle, bundle_sha256, digest_files, open_bundle
from edge_agent.runtime.head_update import compose, write_head_update
from edge_agent.runtime.select import open_trunk
from edge_agent.wire.manifest import GoldenFrame, Head, Manifest, MeasuredLimits
from edge_agent.wire.receipt import Receipt

ALLOWED_LOSS = 0.02
"""By so much less a new head may agree with its full detector than the trunk's first head with its own."""

_PICTURES = 32
_HELD_OUT = 16
_HEADS_SHARE = 0.6
_EXPORTERS = {
    "onnx": "compress.export_onnx",
    "litert": "compress.export_litert",
    "tflite": "compress.export_litert",
}

Tell = Callable[[str, float], None]
"""Told what is done now, and how far all is, 0..1; may raise to stop."""


@dataclass(frozen=True)
class Told:
    """What the receipt says of how it came about: remarks, and the command that does it again."""

    warnings: tuple[str, ...]
    reproduce: str


@dataclass(frozen=True)
class Refit:
    """What came out.

    Attributes:
        bundle: The whole new bundle.
        update: What a camera that has the trunk needs of it.
        manifest: Of the new bundle.
        agreement_f1: How far it agrees with its full detector, on pictures that it did not learn from.
        base_agreement_f1: How far the trunk's first head did with its own, as the base's receipt says.
        ap50: On the held-out pictures; none without labelled ones.
        full_ap50: The full detector's on the same.
        update_bytes: The size of the update.
    """

    bundle: Path
    update: Path
    manifest: Manifest
    agreement_f1: float
    base_agreement_f1: float | None
    ap50: float | None
    full_ap50: float | None

    @property
    def update_bytes(self) -> int:
        """Return the size of the update."""
        return self.update.stat().st_size

    @property
    def wants_new_trunk(self) -> bool:
        """Tell whether accuracy asks for a new trunk."""
        floor = self.base_agreement_f1
        return floor is not None and self.agreement_f1 < floor - ALLOWED_LOSS


def refit(
    detectors: Sequence[Compressible],
    base: Path,
    out: Path,
    clock: Clock,
    *,
    release: int,
    plan: HeadPlan | None = None,
    tell: Tell = lambda _what, _share: None,
    told: Told | None = None,
) -> Refit:
    """Put new heads on a bundle's trunk.

    Args:
        detectors: Whose heads; each a full detector whose network is in two parts, all of one input size. The
            first one's pictures are those of the camera.
        base: The zip of a bundle whose network is in two parts.
        out: An empty folder for `bundle.zip` and `heads.zip`.
        clock: For the learning's budget and the manifest.
        release: The new bundle's release number.
        plan: How long each head learns.
        tell: Told how far it is.
        told: What the receipt says of how it came about; none: what a new version's head on its trunk is.

    Raises:
        ExportError: A detector or the base has no such network, or there are no pictures.
        ArtifactError: The base is damaged.
        BackendError: The base's runtime is not installed.
    """
    started_s = clock.monotonic_s()
    opened = open_bundle(base)
    between = opened.manifest.trunk_map
    if between is None:
        message = f"the network of {base.name} is in one piece: compress the detector anew"
        raise ExportError(message)
    with _exporter(opened, out) as exporter, one_thread_each():
        trunk = FinishedTrunk(open_trunk(opened), opened.manifest.input, between)
        work = _Work(opened, trunk, out, clock, plan or HeadPlan(), tell, started_s, told)
        heads = [work.learn(detector, index, len(detectors)) for index, detector in enumerate(detectors)]
        tell("Making the heads int8", _HEADS_SHARE)
        files = work.export(exporter, detectors, heads)
    tell("Running the new bundle as a camera does", 0.8)
    return work.pack(base, detectors, heads, files, release)


def as_result(made: Refit, out: Path) -> Result:
    """Move a refit's bundle, update and receipt into `out`, and return it as a compression's result."""
    receipt = Receipt.from_json(open_bundle(made.bundle).read("receipt.json"))
    digest, size_bytes = bundle_sha256(made.bundle), made.bundle.stat().st_size
    after = tuple(
        one.model_copy(update={"bundle_sha256": digest, "bundle_bytes": size_bytes}) for one in receipt.after
    )
    receipt = receipt.model_copy(update={"after": after})
    bundle = made.bundle.replace(out / f"{receipt.chosen}.zip")
    made.update.replace(out / "heads.zip")
    json_file, html_file = write_receipt(Shown(receipt), out)
    shutil.rmtree(made.bundle.parent, ignore_errors=True)
    return Result(receipt, json_file, html_file, {receipt.chosen: bundle})


@dataclass(frozen=True)
class _Work:
    base: Bundle
    trunk: FinishedTrunk
    out: Path
    clock: Clock
    plan: HeadPlan
    tell: Tell
    started_s: float
    told: Told | None = None

    def learn(self, detector: Compressible, number: int, count: int) -> Learned:
        """Teach one detector's head on the trunk's maps."""
        network = detector.network().eval()
        if not isinstance(network, TwoPartNetwork) or len(network.heads) != 1:
            message = f"the network of {detector.ref.name} is in one piece: compress it anew"
            raise ExportError(message)
        pictures = tuple(detector.calibration_pictures(_PICTURES))
        if not pictures:
            message = f"detector {detector.ref.name} has no pictures to learn from: add some of its camera"
            raise ExportError(message)
        begun, part = _HEADS_SHARE * number / count, _HEADS_SHARE / count
        self.tell(f"Asking {detector.ref.name}", begun)
        full = ask_full(detector, network, pictures)
        held_out = tuple(evenly(detector.held_out_pictures(), _HELD_OUT))
        full_held_out = ask_full(detector, network, [one.rgb() for one in held_out])
        lessons = make_lessons(detector, self.trunk, self.base.manifest.input, pictures, full)
        start = fitted_head(network.heads[0], self.trunk.between.channels)

        def tell(progress: float) -> None:
            self.tell(f"Teaching the head of {detector.ref.name}", begun + part * (0.3 + 0.7 * progress))

        head = teach_head(start, lessons, self.plan, self.clock.monotonic_s, tell)
        chosen = covering(list(pictures), CALIBRATION_PICTURES)
        calibration = tuple(self.trunk.pixels(pictures[index]) for index in chosen)
        return Learned(head, calibration, held_out, pictures, full, full_held_out)

    def export(
        self, exporter: Child, detectors: Sequence[Compressible], heads: Sequence[Learned]
    ) -> list[Path]:
        """Write the heads in the base's form."""
        program, suffix = self.out / "network.pt2", Path(self.base.manifest.model_file).suffix
        names = output_names(detectors)
        between = self.trunk.between
        sample = torch.zeros(1, between.height, between.width, between.channels)
        with torch.no_grad():
            save_heads([one.head for one in heads], names, sample, program)
        trunk = self.out / f"trunk{suffix}"
        trunk.write_bytes(self.base.read(self.base.manifest.model_file))
        pixels = self.out / "calibration.npy"
        np.save(pixels, np.stack([one for learned in heads for one in learned.calibration]))
        int8_out = self.out / f"int8{suffix}"
        exporter.ask(
            {
                "program": str(program),
                "pixels": str(pixels),
                "outputs": list(names),
                "float_out": str(self.out / f"float{suffix}"),
                "int8_out": str(int8_out),
                "trunk": str(trunk),
            }
        )
        return [head_file(int8_out, index) for index in range(len(heads))]

    def pack(
        self,
        base: Path,
        detectors: Sequence[Compressible],
        learned: Sequence[Learned],
        files: Sequence[Path],
        release: int,
    ) -> Refit:
        """Write the bundle with its measured thresholds, agreement and golden answers."""
        folder = self.out / "bundle"
        self._unpack(folder)
        suffix = Path(self.base.manifest.model_file).suffix
        heads = [
            manifest_head(detector, index, f"head_{index}{suffix}", self.base.manifest)
            for index, detector in enumerate(detectors)
        ]
        for index, file in enumerate(files):
            (folder / f"head_{index}{suffix}").write_bytes(file.read_bytes())
        manifest = self._write(folder, heads, release)
        seen = Seen.by(folder, learned)
        heads = [
            with_thresholds(head, detector, one, seen.tuned[index])
            for index, (head, detector, one) in enumerate(zip(heads, detectors, learned, strict=True))
        ]
        judged = [
            judge(detector, head, one, seen, index)
            for index, (detector, head, one) in enumerate(zip(detectors, heads, learned, strict=True))
        ]
        worst = min(judged, key=lambda one: one.agreement_f1)
        measured = MeasuredLimits(
            machine=manifest.measured.machine if manifest.measured else "unknown",
            ms_p50=round(float(np.percentile(seen.times_ms, 50)), 2),
            ms_p99=round(float(np.percentile(seen.times_ms, 99)), 2),
            peak_memory_bytes=manifest.measured.peak_memory_bytes if manifest.measured else 0,
            ap50=worst.ap50,
            images=len(learned[0].held_out),
        )
        self._write_receipt(folder, detectors[0], worst)
        self._write(folder, heads, release, measured)
        manifest = self._with_golden(folder, heads, release, measured)
        update, whole = self.out / "heads.zip", self.out / "bundle.zip"
        write_head_update(folder, base, update)
        compose(base, update, whole)
        open_bundle(whole)
        return Refit(
            whole, update, manifest, worst.agreement_f1, self._base_agreement(), worst.ap50, worst.full_ap50
        )

    def _unpack(self, folder: Path) -> None:
        for name in self.base.manifest.files:
            if name in {head.model_file for head in self.base.manifest.heads}:
                continue
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.base.read(name))

    def _write(
        self,
        folder: Path,
        heads: Sequence[Head],
        release: int,
        measured: MeasuredLimits | None = None,
        golden: tuple[GoldenFrame, ...] = (),
    ) -> Manifest:
        (folder / MANIFEST_FILE).unlink(missing_ok=True)
        manifest = self.base.manifest.model_copy(
            update={
                "release": release,
                "files": digest_files(folder),
                "heads": tuple(heads),
                "golden": golden,
                "measured": measured or self.base.manifest.measured,
                "created": self.clock.now_s(),
            }
        )
        (folder / MANIFEST_FILE).write_text(manifest.to_json(), "utf-8")
        return manifest

    def _with_golden(
        self, folder: Path, heads: Sequence[Head], release: int, measured: MeasuredLimits
    ) -> Manifest:
        """Let the bundle itself say what it sees on the base's golden pictures."""
        detector = BundleDetector.open(folder)
        golden = tuple(
            GoldenFrame(
                image_file=one.image_file,
                detections=tuple(detector.detect(read_picture(self.base.read(one.image_file)))),
            )
            for one in self.base.manifest.golden
        )
        detector.close()
        return self._write(folder, heads, release, measured, golden)

    def _write_receipt(self, folder: Path, detector: Compressible, judged: Judged) -> None:
        receipt = self._base_receipt()
        if receipt is None:
            return
        chosen = next(one for one in receipt.after if one.form == receipt.chosen)
        # Intervals were not worked out anew, and those of the first head say nothing of this one.
        found = {
            "ap50": judged.ap50,
            "agreement_f1": judged.agreement_f1,
            "ap": None,
            "ap50_change_95": None,
            "agreement_95": None,
            "agreement_images": 0,
        }
        told = self.told or Told(
            (f"only the heads are new; the trunk is that of version {receipt.detector.version}",),
            f"elfowl-cloud detector compress {detector.ref.id}@{detector.ref.version} "
            f"--profile {receipt.profile}",
        )
        written = receipt.model_copy(
            update={
                "detector": detector.ref,
                "before": receipt.before.model_copy(update={"ap50": judged.full_ap50, "ap": None}),
                "after": (chosen.model_copy(update=found),),
                "warnings": told.warnings,
                # What was looked at for the first head says nothing of this one.
                "tried": (),
                "curves": (),
                "differences": (),
                "seconds": {"total": round(self.clock.monotonic_s() - self.started_s, 2)},
                "reproduce": told.reproduce,
                "created": self.clock.now_s(),
            }
        )
        (folder / "receipt.json").write_text(written.to_json(), "utf-8")

    def _base_receipt(self) -> Receipt | None:
        if "receipt.json" not in self.base.manifest.files:
            return None
        return Receipt.from_json(self.base.read("receipt.json"))

    def _base_agreement(self) -> float | None:
        receipt = self._base_receipt()
        if receipt is None:
            return None
        return next(one.agreement_f1 for one in receipt.after if one.form == receipt.chosen)


@contextmanager
def _exporter(base: Bundle, out: Path) -> Iterator[Child]:
    """Start the base's exporter early: it imports for seconds while the head learns."""
    out.mkdir(parents=True, exist_ok=True)
    child = Child(_EXPORTERS[base.manifest.runtime], out / "export.log")
    try:
        yield child
    finally:
        child.kill()
        child.close()
