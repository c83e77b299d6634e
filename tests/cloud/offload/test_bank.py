"""Heads in one array answer as they do alone, whichever rows they have had."""

from __future__ import annotations

from pathlib import Path

import pytest
import simplejpeg
import torch

from cloud.cache.key import ModelKey
from cloud.cache.plan import CachePlan
from cloud.cache.slots import Slots
from cloud.detector.files import save_detector
from cloud.detector.full import FullDetector
from cloud.detector.light import LightHead, LightNetwork, rounded
from cloud.errors import BusyError, InputError
from cloud.offload.bank import BankedHeads, HeadBank, HeadForm
from cloud.offload.batcher import Seen, Waiting
from cloud.offload.cached import CachedDetectors
from cloud.offload.eyes import DetectorEyes
from cloud.offload.gathered import Levels, OnnxTrunks, run_light
from cloud.settings import Settings
from tests.cloud.cache.made_up import body, ref_to
from tests.cloud.detector.test_shared import assert_same, light_detector, some_pictures

CHANNELS = (6, 4, 2)
FORM = HeadForm(CHANNELS, 3, 8, 16)
CPU = torch.device("cpu")


def head(seed: int, classes: int = 1) -> LightHead:
    torch.manual_seed(seed)
    return rounded(LightHead(CHANNELS, classes, 8, 16))


def key(name: object) -> ModelKey:
    return ref_to(body(name)).key


def levels_for(count: int) -> Levels:
    random = torch.Generator().manual_seed(0)
    return tuple(
        torch.randn(count, channels, 8 >> at, 12 >> at, generator=random)
        for at, channels in enumerate(CHANNELS)
    )


def assert_answers(bank: HeadBank, names: list[int]) -> None:
    heads = [head(name, 1 + name % 3) for name in names]
    levels = levels_for(len(names))
    with torch.inference_mode():
        scores, boxes = bank.run([(key(name), one) for name, one in zip(names, heads, strict=True)], levels)
        for row, one in enumerate(heads):
            own = tuple(level[row : row + 1] for level in levels)
            alone_scores, alone_boxes = run_light([one], own)
            classes = alone_scores.shape[1]
            torch.testing.assert_close(scores[row : row + 1, :classes], alone_scores)
            torch.testing.assert_close(boxes[row : row + 1], alone_boxes)


def test_heads_of_a_bank_answer_as_each_alone_also_after_rows_changed_hands() -> None:
    bank = HeadBank(FORM, 8, CPU)
    for start in range(0, 40, 4):
        assert_answers(bank, [start, start + 1, start + 2, start, start + 3])
    assert (len(bank), bank.evictions) == (8, 32)


def test_bank_grows_as_heads_come_and_keeps_what_it_has() -> None:
    bank = HeadBank(FORM, 1000, CPU)
    small = bank.nbytes
    for start in range(0, 300, 10):
        assert_answers(bank, list(range(start, start + 10)))
    assert (len(bank), bank.evictions, bank.nbytes) == (300, 0, 2 * small)
    assert_answers(bank, [0, 299, 7])


def test_batch_with_more_heads_than_rows_is_refused_and_the_next_is_answered() -> None:
    bank = HeadBank(FORM, 4, CPU)
    with pytest.raises(BusyError):
        bank.run([(key(name), head(name)) for name in range(5)], levels_for(5))
    assert_answers(bank, [7, 8])


def test_head_of_another_form_takes_no_row() -> None:
    bank = HeadBank(FORM, 4, CPU)
    with pytest.raises(InputError, match="no place"):
        bank.run([(key("a"), head(0, classes=4))], levels_for(1))
    assert len(bank) == 0


def test_row_in_use_is_given_to_nobody_else() -> None:
    slots = Slots(3)
    mine = slots.enter(key("mine"))
    others = set()
    for name in range(20):
        others.add(slots.enter(key(name)))
        slots.give(key(name))
    assert mine not in others
    assert slots.take(key("mine")) == mine
    assert slots.needed == 3


def saved_light(folder: Path, number: int, *names: str) -> Path:
    """Save a light detector that finds something here and there; return its folder."""
    detector = light_detector(number, *names)
    assert isinstance(detector.taught_head, LightNetwork)
    torch.nn.init.zeros_(detector.taught_head.head.get_parameter("scores.bias"))
    place = folder / detector.ref.id / "v1"
    spec = detector.spec.model_copy(update={"architecture": "light_stride8"})
    save_detector(FullDetector(spec, detector.taught_head), place)
    return place


def test_worker_with_a_bank_sees_what_one_without_it_sees_and_keeps_each_head_once(tmp_path: Path) -> None:
    labels = (("cat",), ("cat", "dog", "cow"), ("hat",), tuple(f"thing_{number}" for number in range(9)))
    folders = [saved_light(tmp_path / "detectors", at, *some) for at, some in enumerate(labels)]
    jpegs = [simplejpeg.encode_jpeg(picture, 90, "RGB") for picture in some_pictures(4)]
    plan, bank = CachePlan.of(Settings(home=tmp_path)), BankedHeads(1_000_000, CPU)
    loose = DetectorEyes(OnnxTrunks(), CachedDetectors(plan, CPU))
    banked = DetectorEyes(OnnxTrunks(), CachedDetectors(plan, CPU), bank.run)
    # The last one has more classes than rows have room for, and takes who is looked at with it along.
    for asked, held in (((0, 1, 2, 0), 3), ((2, 1), 3), ((0, 3), 3)):
        batch = [Waiting(folders[at], jpegs[at], 0.0, 1.0, lambda _: None) for at in asked]
        seen, alone = ([one for one in eyes.see(batch) if isinstance(one, Seen)] for eyes in (banked, loose))
        assert [one.detector.id for one in seen] == [f"d{at}" for at in asked]
        assert all(one.detections for one in seen)
        assert_same([list(one.detections) for one in seen], [list(one.detections) for one in alone])
        assert len(bank) == held
