"""Which files of a compressed network are handed out."""

from __future__ import annotations

from pathlib import Path

from compress.forms import LITERT_INT8, ONNX_INT8
from compress.pack import write_files
from compress.trial import Trial


def test_files_asked_for_come_from_the_chosen_form_first_and_then_from_the_others(tmp_path: Path) -> None:
    whole, mixed, out = (tmp_path / name for name in ("whole", "mixed", "files"))
    for folder, names in ((whole, ("int8.tflite", "float.tflite", "int8.onnx")), (mixed, ("int8.tflite",))):
        folder.mkdir()
        for name in names:
            (folder / name).write_text(f"{folder.name} {name}")
    chosen = Trial(LITERT_INT8, mixed / "int8.tflite", tmp_path, tmp_path)
    other = Trial(ONNX_INT8, whole / "int8.onnx", tmp_path, tmp_path)
    write_files(chosen, (chosen, other), ("tflite-int8", "tflite-float", "onnx-int8"), out)
    assert {file.name: file.read_text() for file in out.iterdir()} == {
        "int8.tflite": "mixed int8.tflite",
        "float.tflite": "whole float.tflite",
        "int8.onnx": "whole int8.onnx",
    }
