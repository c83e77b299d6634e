"""A version looks through a video."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.actions.media import note, stage
from cloud.actions.open_home import Home
from cloud.actions.watching import watched
from cloud.store import detectors, media
from cloud.training.config import CancelledError
from cloud.worker.progress import Progress
from cloud.worker.watch import watch
from tests.cloud.datasets.footage import write_video


@pytest.mark.slow  # a trained detector looks at forty frames
def test_version_looks_through_a_video_and_goes_on_after_a_stop(taught: Home, tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", 40, gop=10, b_frames=0)
    with taught.database.write() as session:
        detector_id = detectors.find(session, "persons").id
        staged = stage(taught.settings, detector_id, path)
        media_id = note(session, taught.settings, staged, detector_id, taught.clock.now_s(), "teach").id
    job = {"detector_id": detector_id, "version": 1, "media_id": media_id, "frames": "every"}
    told: list[Progress] = []

    with pytest.raises(CancelledError, match="first 16 frames"):
        watch(taught, job, cancelled=lambda: True)
    done = watch(taught, job, progress=told.append)

    assert done == {"media": media_id, "version": 1, "frames": 40}
    assert [round(one.fraction * 40) for one in told] == [32, 40]
    with taught.database.read() as session:
        found = watched(taught.settings, media.find(session, media_id), 1)
    assert found is not None
    assert found[0] == "every"
    assert found[1].is_whole
    assert [one.frame for one in found[1].between(0, 40)] == list(range(40))
