"""The device's one network: exchanged while cameras look."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from edge_agent.agent.local_detector import LocalDetector, OpenedBundle
from edge_agent.errors import ArtifactError, BackendError
from tests.fakes.squares import open_square_bundle, square_picture


def test_detect_without_network_is_an_error_never_nothing() -> None:
    with pytest.raises(BackendError, match="no detector"):
        LocalDetector(open_square_bundle).detect(square_picture(0))


def test_load_that_fails_keeps_the_old_network() -> None:
    detector = LocalDetector(open_square_bundle)
    detector.load(Path("one"))
    with pytest.raises(ArtifactError):
        detector.load(Path("damaged"))
    assert detector.path == Path("one")
    assert detector.detect(square_picture(0))[0].label == "red_square"


def test_load_closes_the_network_before_and_counts_anew() -> None:
    opened: list[OpenedBundle] = []

    def opener(path: Path, threads: int) -> OpenedBundle:
        opened.append(open_square_bundle(path, threads))
        return opened[-1]

    detector = LocalDetector(opener)
    detector.load(Path("one"))
    detector.detect(square_picture(0))
    detector.load(Path("two2"))
    closed = [getattr(bundle.detector, "closed", None) for bundle in opened]
    assert closed == [True, False]
    assert (detector.generation, detector.looks) == (2, 0)
    assert detector.manifest is not None
    assert detector.manifest.release == 2


def test_failure_is_counted_and_told() -> None:
    detector = LocalDetector(open_square_bundle)
    detector.load(Path("broken"))
    with pytest.raises(BackendError):
        detector.detect(square_picture(0))
    assert (detector.failures, detector.looks) == (1, 0)


def test_failing_network_counts_as_none_until_loaded_again() -> None:
    broken = True

    def opener(path: Path, threads: int) -> OpenedBundle:
        return open_square_bundle(Path("broken") if broken else path, threads)

    detector = LocalDetector(opener)
    detector.load(Path("one"))
    for _ in range(5):
        assert detector.ready
        with pytest.raises(BackendError):
            detector.detect(square_picture(0))
    assert detector.failing
    assert not detector.ready
    assert detector.generation == 2, "cameras take notice"
    broken = False
    detector.load(Path("one"))
    assert detector.ready
    assert len(detector.detect(square_picture(0))) == 1


def test_cameras_look_while_networks_are_exchanged() -> None:
    detector = LocalDetector(open_square_bundle)
    detector.load(Path("one"))
    counts: list[int] = []

    def look() -> None:
        counts.extend(len(detector.detect(square_picture(5))) for _ in range(200))

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(20):
        detector.load(Path(f"bundle{number}"))
    for thread in threads:
        thread.join()
    assert counts == [1] * 400


@pytest.mark.parametrize(
    "times_ms", [[3.0], [5.0, 1.0], [4.0, 1.0, 2.0], [float(n % 17) for n in range(150)]]
)
def test_inference_times_are_what_numpy_calls_percentiles(times_ms: list[float]) -> None:
    detector = LocalDetector(open_square_bundle)
    detector._times_ms.extend(times_ms)
    assert detector.inference_ms() == pytest.approx(tuple(np.percentile(times_ms, [50, 99])))


def test_inference_times_and_behind() -> None:
    detector = LocalDetector(open_square_bundle)
    detector.load(Path("one"))
    assert detector.inference_ms() is None
    for _ in range(10):
        detector.detect(square_picture(0))
    assert detector.inference_ms() == (1.0, 1.0)
    assert not detector.behind
    detector._times_ms.extend([5000.0] * 5)
    assert detector.behind
