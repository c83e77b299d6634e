"""The TFLite files in tflite-runtime 2.14, for old and 32-bit systems, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compress.capture import INPUT_NAME, capture, decoder_outputs, normalised
from compress.export_litert import LiteRtTools
from compress.export_parts import Samples
from tests.compress.tiny import TinyDetector, scene

ENVIRONMENT = Path.home() / ".cache" / "elfowl" / "tflite-runtime-2.14"
PACKAGES = ["tflite-runtime==2.14.0", "numpy<2"]
RUN = """
import sys
import numpy as np
from tflite_runtime.interpreter import Interpreter
interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
(takes,) = interpreter.get_input_details()
interpreter.set_tensor(takes["index"], np.load(sys.argv[2]))
interpreter.invoke()
runner = interpreter.get_signature_runner()
gives = runner.get_output_details()
np.savez(sys.argv[3], **{name: interpreter.get_tensor(gives[name]["index"]) for name in gives})
"""


@pytest.fixture(scope="module")
def python() -> Path:
    """Return an interpreter that has tflite-runtime; made once and kept."""
    interpreter = ENVIRONMENT / "bin" / "python"
    if sys.version_info >= (3, 12):
        pytest.skip("tflite-runtime 2.14 has no wheels for this Python")
    if not (ENVIRONMENT / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        made = subprocess.run(
            [interpreter, "-m", "pip", "install", "-q", *PACKAGES],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            give_up = pytest.fail if os.environ.get("CI") else pytest.skip
            give_up(f"tflite-runtime cannot be had: {made.stderr.strip().splitlines()[-1]}")
        (ENVIRONMENT / "complete").touch()
    return interpreter


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_tflite_runtime_answers_as_litert_from_the_same_files(python: Path, tmp_path: Path) -> None:
    detector = TinyDetector()
    pixels = [scene(seed).rgb for seed in range(8)]
    capture(detector, pixels[:1], tmp_path / "network.pt2")
    samples = Samples(INPUT_NAME, lambda: (normalised(one)[None] for one in pixels))
    names = list(decoder_outputs(detector.decoder))
    tools, files = LiteRtTools(), {"float32": tmp_path / "float.tflite", "int8": tmp_path / "int8.tflite"}
    tools.convert(tmp_path / "network.pt2", files["float32"], samples, names)
    tools.quantize(files["float32"], files["int8"], samples)
    inputs: dict[str, np.ndarray[Any, Any]] = {
        "float32": samples.first(),
        "int8": (pixels[0].astype(np.int16) - 128).astype(np.int8)[None],
    }
    for dtype, file in files.items():
        np.save(tmp_path / "input.npy", inputs[dtype])
        arguments = [file, tmp_path / "input.npy", tmp_path / "out.npz"]
        done = subprocess.run([python, "-c", RUN, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        expected = tools.load(file).run(inputs[dtype], names)
        with np.load(tmp_path / "out.npz") as found:
            for name in names:
                # The kernels of two releases round a few steps apart.
                most = 3.0 if dtype == "int8" else 1e-4
                assert (
                    np.abs(found[name].astype(np.float32) - expected[name].astype(np.float32)).max() <= most
                )
