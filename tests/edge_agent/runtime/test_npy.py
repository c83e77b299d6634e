"""numpy's files read by several threads at once, and files that are something else."""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edge_agent.runtime.npy import read_array, read_arrays


class _Slow:
    """Garbage that takes a while to go, so that threads change in the middle of whatever goes on."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        sum(range(200))


@pytest.fixture
def restless() -> Iterator[None]:
    """Let threads and the collector of garbage interrupt each other as often as they can."""
    interval_s, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(20, 2, 2)
    yield
    sys.setswitchinterval(interval_s)
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("restless")
def test_arrays_read_by_four_threads_at_once_come_back_whole() -> None:
    one, several = io.BytesIO(), io.BytesIO()
    np.save(one, np.arange(6))
    np.savez(several, a=np.arange(6), b=np.ones((2, 3), np.float16))

    def read(_: int) -> bool:
        _Slow()
        arrays = read_arrays(io.BytesIO(several.getvalue()))
        alone = read_array(io.BytesIO(one.getvalue()))
        return list(arrays) == ["a", "b"] and np.array_equal(alone, arrays["a"]) and bool(arrays["b"].all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(400)))


@pytest.mark.parametrize("read", [read_array, read_arrays])
def test_array_file_that_holds_python_objects_or_the_other_kind_is_refused(
    read: Callable[[io.BytesIO], object],
) -> None:
    one, several, objects = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(one, np.arange(6))
    np.savez(several, np.arange(6))
    np.save(objects, np.array([{}], object), allow_pickle=True)

    for file in (objects, several if read is read_array else one):
        with pytest.raises(ValueError, match=r"allow_pickle|belong"):
            read(io.BytesIO(file.getvalue()))
