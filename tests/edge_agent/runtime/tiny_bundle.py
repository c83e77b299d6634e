"""Small bundles made on the spot, and a backend that answers what it is told."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from edge_agent.errors import BackendError
from edge_agent.runtime.bundle import digest_files
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.manifest import Head, InputSpec, LabelSpec, Manifest, SsdDecoder, TrunkMap

LABELS = (
    LabelSpec(name="Cat", slug="cat", threshold=0.5),
    LabelSpec(name="Dog", slug="dog", threshold=0.8),
)
ANCHORS = np.array([[0.25, 0.25, 0.5, 0.5], [0.75, 0.75, 0.5, 0.5], [0.5, 0.5, 0.2, 0.2]], np.float32)


class FakeBackend:
    """Implements `edge_agent.runtime.backend.Backend`: gives prepared outputs, or fails."""

    def __init__(self, outputs: dict[str, Float32] | None) -> None:
        self._outputs = outputs
        self.seen: list[Rgb] = []
        self.closed = False

    def infer(self, pixels: Rgb) -> dict[str, Float32]:
        self.seen.append(pixels)
        if self._outputs is None:
            message = "the network failed: told to"
            raise BackendError(message)
        return self._outputs

    def close(self) -> None:
        self.closed = True


def write_tiny_bundle(folder: Path, model: bytes = b"model", runtime: str = "onnx") -> Manifest:
    """Write a bundle with one SSD head of two labels and an 8 x 8 float input; returns its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "licenses").mkdir(exist_ok=True)
    (folder / "licenses" / "NOTICE.txt").write_text("made for a test\n")
    (folder / "model.onnx").write_bytes(model)
    anchors = io.BytesIO()
    np.save(anchors, ANCHORS)
    (folder / "anchors.npy").write_bytes(anchors.getvalue())
    head = Head(
        detector=DetectorRef(id="tiny", name="tiny", version=1),
        labels=LABELS,
        decoder=SsdDecoder(boxes_output="boxes", scores_output="scores", anchors_file="anchors.npy"),
    )
    manifest = Manifest.model_validate(
        {
            "name": "tiny",
            "profile": "x86-64",
            "runtime": runtime,
            "precision": "fp32",
            "model_file": "model.onnx",
            "files": digest_files(folder),
            "input": InputSpec(name="image", width_px=8, height_px=8, dtype="float32"),
            "heads": (head,),
            "created": 1_800_000_000.0,
        }
    )
    (folder / "manifest.json").write_text(manifest.to_json())
    return manifest


def split_into_parts(folder: Path, heads: list[bytes], **changes: object) -> Manifest:
    """Make the network of a bundle's folder a trunk, with these head files; returns the new manifest."""
    manifest = Manifest.from_json((folder / "manifest.json").read_text())
    parts = []
    for index, content in enumerate(heads):
        (folder / f"head_{index}.onnx").write_bytes(content)
        decoder = SsdDecoder(
            boxes_output=f"boxes{index or ''}",
            scores_output=f"scores{index or ''}",
            anchors_file="anchors.npy",
        )
        detector = DetectorRef(id=f"tiny{index or ''}", name=f"tiny {index}", version=1)
        parts.append(Head(detector=detector, labels=LABELS, decoder=decoder, model_file=f"head_{index}.onnx"))
    between = TrunkMap(output="map", height=1, width=1, channels=3, dtype="float32")
    (folder / "manifest.json").unlink()
    fields = manifest.model_dump() | {
        "files": digest_files(folder),
        "heads": tuple(parts),
        "trunk_map": between,
    }
    manifest = Manifest.model_validate(fields | changes)
    (folder / "manifest.json").write_text(manifest.to_json())
    return manifest
