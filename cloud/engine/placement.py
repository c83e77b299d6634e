"""What a worker takes of a machine, as Ray counts it: pure."""

from __future__ import annotations

from dataclasses import dataclass

_GPU_BYTES = 1_500_000_000
"""Of the graphics processor's memory, for subnets and the library itself, beside detectors."""

_SMALLEST_SHARE = 0.05


@dataclass(frozen=True)
class Share:
    """Processor cores and graphics processors of one worker; book-keeping, Ray measures nothing."""

    num_cpus: float
    num_gpus: float


def share_of_worker(model_gpu_bytes: int, gpu_bytes: int | None) -> Share:
    """Return what one worker takes.

    Args:
        model_gpu_bytes: Budget for detectors on the graphics processor.
        gpu_bytes: Memory of each graphics processor of the cluster; none where there is none.
    """
    if gpu_bytes is None:
        return Share(1.0, 0.0)
    wanted = (model_gpu_bytes + _GPU_BYTES) / gpu_bytes
    # Whoever needs more than half of one needs it alone: two would not fit.
    return Share(1.0, 1.0 if wanted > 0.5 else max(_SMALLEST_SHARE, round(wanted, 3)))
