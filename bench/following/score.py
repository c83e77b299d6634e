"""MOTA and IDF1 by TrackEval, the reference implementation.

TrackEval names OpenCV with windows and matplotlib as its needs, of which these two scores use nothing, and
that OpenCV would overwrite the one without windows. So its wheel alone, with a known digest, is put into a
folder of the user's cache, once.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.following.sequences import Boxes, Clip
from edge_agent.errors import ElfowlError
from edge_agent.pipeline.boxes import iou_matrix, to_arrays

_WHEEL: Final = (
    "trackeval==1.3.0 --hash=sha256:bf5ed90f7b5a3eafc6dcfce36fb900259a587e8f3b2438ef23d72e7d4ab94efb"
)
_FOLDER: Final = Path.home() / ".cache" / "elfowl" / "trackeval-1.3.0"
_LIMIT_S: Final = 300.0


class TrackEvalError(ElfowlError):
    """TrackEval cannot be had; the text says why."""


@dataclass(frozen=True)
class Score:
    """How well things were followed.

    Attributes:
        mota: 1 less misses, false boxes and switches of identity, as shares of all true boxes.
        idf1: Share of boxes that carry the right identity, over the whole clip.
        switches: How often a followed person got another number.
        misses: True boxes that nobody told of.
        false: Boxes that were told of, and are nobody's.
    """

    mota: float
    idf1: float
    switches: int
    misses: int
    false: int


def score(clip: Clip, told: Mapping[int, Boxes]) -> Score:
    """Return the scores on the frames that are both annotated and looked at.

    Raises:
        TrackEvalError: TrackEval is not here and cannot be installed.
    """
    metrics = _trackeval()
    data = _as_trackeval(clip, told)
    with contextlib.redirect_stdout(io.StringIO()):
        clear = metrics.CLEAR({"PRINT_CONFIG": False}).eval_sequence(data)
        identity = metrics.Identity({"PRINT_CONFIG": False}).eval_sequence(data)
    return Score(
        mota=float(clear["MOTA"]),
        idf1=float(identity["IDF1"]),
        switches=int(clear["IDSW"]),
        misses=int(clear["CLR_FN"]),
        false=int(clear["CLR_FP"]),
    )


def _as_trackeval(clip: Clip, told: Mapping[int, Boxes]) -> dict[str, Any]:
    frames = [frame for frame in sorted(clip.truth) if frame in told]
    true, ours = [clip.truth[frame] for frame in frames], [told[frame] for frame in frames]
    true_ids, our_ids = _numbered(true), _numbered(ours)
    return {
        "num_timesteps": len(frames),
        "num_gt_ids": len(true_ids),
        "num_tracker_ids": len(our_ids),
        "num_gt_dets": sum(map(len, true)),
        "num_tracker_dets": sum(map(len, ours)),
        "gt_ids": [np.array([true_ids[n] for n, _ in boxes], dtype=int) for boxes in true],
        "tracker_ids": [np.array([our_ids[n] for n, _ in boxes], dtype=int) for boxes in ours],
        "similarity_scores": [
            iou_matrix(to_arrays([b for _, b in one]), to_arrays([b for _, b in other])).astype(float)
            for one, other in zip(true, ours, strict=True)
        ],
    }


def _numbered(frames: list[Boxes]) -> dict[int, int]:
    return {number: i for i, number in enumerate(sorted({n for boxes in frames for n, _ in boxes}))}


def _trackeval() -> Any:  # noqa: ANN401 - a module without types
    if not _FOLDER.is_dir():
        _install()
    if str(_FOLDER) not in sys.path:
        sys.path.append(str(_FOLDER))
    return importlib.import_module("trackeval.metrics")


def _install() -> None:
    _FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_FOLDER.parent) as folder:
        wanted, made = Path(folder) / "wanted.txt", Path(folder) / "made"
        wanted.write_text(_WHEEL)
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes"]
        done = subprocess.run(
            [*command, "--target", made, "-r", wanted],
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_S,
        )
        if done.returncode:
            message = f"trackeval cannot be installed into {_FOLDER}: {done.stderr.strip().splitlines()[-1]}"
            raise TrackEvalError(message)
        _move_whole(made)


def _move_whole(made: Path) -> None:
    """Put it where it belongs at once, unless another process was quicker."""
    with contextlib.suppress(OSError):
        os.replace(made, _FOLDER)  # noqa: PTH105 - fails where a folder with content is
    shutil.rmtree(made, ignore_errors=True)
