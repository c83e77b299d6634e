"""How a picture becomes a network's input."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge_agent.wire.base import Document


class InputSpec(Document):
    """How a picture becomes the network's input: RGB, NHWC, letterboxed, then (byte - mean) / std.

    A network with int8 input takes `byte - 128` at scale 1/128, which is the same for mean 127 and std 128
    (the quantized zero point is -1).
    """

    name: str
    width_px: int = Field(gt=0, le=4096)
    height_px: int = Field(gt=0, le=4096)
    dtype: Literal["int8", "uint8", "float32"]
    mean: float = 127.0
    std: float = 128.0
    pad_value: int = Field(127, ge=0, le=255)
    resize: Literal["letterbox"] = "letterbox"
