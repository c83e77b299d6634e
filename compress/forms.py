"""The forms into which a detector is exported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge_agent.errors import ConfigError
from edge_agent.wire.detection import Precision
from edge_agent.wire.manifest import RuntimeName


@dataclass(frozen=True)
class Form:
    """One way to write the network down, for one runtime in one precision."""

    name: str
    runtime: RuntimeName
    precision: Precision
    input_dtype: Literal["int8", "float32"]
    model_file: str


FULL = Form("full", "onnx", "fp32", "float32", "model.onnx")
"""The full detector: its float export stands for it, once its outputs are shown to be torch's own."""

LITERT_FP32 = Form("litert_fp32", "litert", "fp32", "float32", "model.tflite")
LITERT_INT8 = Form("litert_int8", "litert", "int8", "int8", "model.tflite")
ONNX_INT8 = Form("onnx_int8", "onnx", "int8", "float32", "model.onnx")

DEPLOYABLE = (LITERT_INT8, ONNX_INT8)
"""The forms that become bundles."""


def runs_on(form: Form, runtimes: tuple[RuntimeName, ...]) -> bool:
    """Tell whether a device with these runtimes can run the form; tflite and LiteRT load the same files."""
    same_file = {"litert", "tflite"}
    return form.runtime in runtimes or (form.runtime in same_file and bool(same_file & set(runtimes)))


FILE_FORMS = {
    "tflite-int8": "int8.tflite",
    "tflite-float": "float.tflite",
    "onnx-int8": "int8.onnx",
    "onnx-float": "float.onnx",
}
"""The networks that one can ask for as plain files: name → file. Of a network in two parts all its files."""


def parse_forms(text: str | None) -> tuple[str, ...]:
    """Read names of `FILE_FORMS` divided by commas; none: no files.

    Raises:
        ConfigError: There is no such form.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(","))) if text is not None else ()
    for name in names:
        if name not in FILE_FORMS:
            message = f"--forms: there is no form {name!r}; choose from {', '.join(sorted(FILE_FORMS))}"
            raise ConfigError(message)
    return names
