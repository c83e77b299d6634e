"""Recovery: it learns, gives the same twice, goes on after a kill; answers fit other grids."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from compress.accuracy import agreement_f1
from compress.errors import CancelledError, ExportError
from compress.lessons import LessonPlan, Material, gather, lessons_for
from compress.recover import RecoverPlan, Standing, distillation_loss, giou_loss, one_cycle, recover
from compress.structures import lesson_loss
from compress.teacher import AnswerStore, Asked, LevelAnswer, Regrid
from compress.threads import one_thread_each
from edge_agent.clock import SystemClock
from tests.compress.tiny import HEIGHT_PX, WIDTH_PX, TinyDetector, fitted_network, scene

SIZE_PX = (WIDTH_PX, HEIGHT_PX)
PLAN = RecoverPlan(steps=30, budget_s=600.0, batch=4, learning_rate=1e-2, checks=0)


@pytest.fixture(scope="module")
def material() -> Material:
    plan = LessonPlan(pictures=24, plain_views=10, random_views=6, held_out=6)
    with one_thread_each():
        return gather(TinyDetector(calibration=24), fitted_network(), plan, lambda _, __: None)


def _damaged() -> nn.Module:
    network = copy.deepcopy(fitted_network())
    with torch.no_grad():
        network.get_parameter("scores.bias").add_(2.0)
        network.get_parameter("boxes.weight").mul_(0.5)
    return network


def _recover(material: Material, plan: RecoverPlan = PLAN, checkpoint: Path | None = None) -> nn.Module:
    lessons = lessons_for(material, SIZE_PX)
    with one_thread_each():
        return recover(_damaged(), lessons, plan, lambda _: 0.0, lambda _: None, SystemClock(), checkpoint)


def test_recover_of_a_damaged_network_lowers_its_loss(material: Material) -> None:
    lessons = lessons_for(material, SIZE_PX)
    numbers = range(len(lessons.pixels))

    taught = _recover(material)

    assert lesson_loss(taught, lessons, numbers) < 0.8 * lesson_loss(_damaged(), lessons, numbers)


def test_recover_with_the_same_seed_gives_the_same_network(material: Material) -> None:
    one, other = _recover(material), _recover(material)

    for expected, found in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(expected, found)


def test_recover_passes_a_stop_on_and_refuses_a_loss_that_is_not_finite(material: Material) -> None:
    lessons = lessons_for(material, SIZE_PX)

    def stop(_: Standing) -> None:
        message = "enough"
        raise CancelledError(message)

    with pytest.raises(CancelledError):
        recover(_damaged(), lessons, PLAN, lambda _: 0.0, stop, SystemClock())
    broken = _damaged()
    with torch.no_grad():
        broken.get_parameter("boxes.bias").fill_(float("nan"))
    with pytest.raises(ExportError, match="went astray"):
        recover(broken, lessons, PLAN, lambda _: 0.0, lambda _: None, SystemClock())


@pytest.mark.slow
def test_recover_after_a_stop_goes_on_from_its_checkpoint(material: Material, tmp_path: Path) -> None:
    lessons, file, seen = lessons_for(material, SIZE_PX), tmp_path / "under_way", list[float]()
    plan = RecoverPlan(steps=30, budget_s=600.0, batch=4, checks=0, checkpoint_s=0.0)

    def stop_half_way(standing: Standing) -> None:
        if standing.fraction >= 0.5:
            message = "enough"
            raise CancelledError(message)

    with pytest.raises(CancelledError):
        recover(_damaged(), lessons, plan, lambda _: 0.0, stop_half_way, SystemClock(), file)
    resumed = recover(
        _damaged(), lessons, plan, lambda _: 0.0, lambda now: seen.append(now.fraction), SystemClock(), file
    )

    assert seen[0] >= 0.5
    assert not file.exists()
    in_one_go = _recover(material, plan)
    for expected, found in zip(in_one_go.parameters(), resumed.parameters(), strict=True):
        assert torch.allclose(expected, found, atol=1e-5)


def test_gather_a_second_time_takes_kept_answers(tmp_path: Path) -> None:
    plan = LessonPlan(pictures=12, plain_views=4, random_views=3, held_out=4)
    detector, store = TinyDetector(calibration=12), AnswerStore(tmp_path)
    first = gather(detector, fitted_network(), plan, lambda _, __: None, store)

    again = gather(detector, nn.Identity(), plan, lambda _, __: None, store)

    for expected, found in zip(first.answers, again.answers, strict=True):
        assert np.array_equal(expected[0].heat, found[0].heat)
    assert first.seen == again.seen


def test_answer_store_with_a_torn_file_has_no_answer(tmp_path: Path) -> None:
    store, pixels = AnswerStore(tmp_path), scene(1).rgb
    level = LevelAnswer(np.zeros((2, 3, 1), np.float16), np.ones((2, 3, 4), np.float16))
    store.put(pixels, (level,))
    assert store.get(pixels) is not None

    file = next(tmp_path.iterdir())
    file.write_bytes(file.read_bytes()[:40])

    assert store.get(pixels) is None


def test_regrid_to_a_larger_input_gives_the_same_boxes(material: Material) -> None:
    larger = (2 * WIDTH_PX, 2 * HEIGHT_PX)
    height, width = material.views[0].shape[:2]
    regrid = Regrid((width, height), SIZE_PX, larger, [8])
    detector = material.detector

    pairs = [
        (
            Asked(detector, SIZE_PX).detections(view, answer),
            Asked(detector, larger).detections(view, regrid(answer)),
        )
        for view, answer in zip(material.views[:10], material.answers, strict=False)
    ]

    strong = [[[box for box in one if box.score >= 0.5] for one in pair] for pair in pairs]
    assert agreement_f1([one for one, _ in strong], [other for _, other in strong]) > 0.9


def test_distillation_loss_of_the_same_answer_is_lowest() -> None:
    heat, sides = torch.rand(4, 5, 2), 1 + torch.rand(4, 5, 4)
    logits = torch.logit(heat.clamp(1e-4, 1 - 1e-4))[None]

    same = distillation_loss([logits, sides[None]], [(heat, sides)])

    assert same < 1e-3
    assert distillation_loss([logits + 1, sides[None]], [(heat, sides)]) > same
    assert distillation_loss([logits, 2 * sides[None]], [(heat, sides)]) > same + 0.1


@pytest.mark.parametrize(("other", "expected"), [((1, 1, 1, 1), 0.0), ((2, 2, 2, 2), 0.75)])
def test_giou_loss_of_boxes_within_each_other_is_the_share_outside(
    other: tuple[int, ...], expected: float
) -> None:
    boxes = torch.ones(1, 1, 4), torch.tensor(other, dtype=torch.float32).view(1, 1, 4)

    assert giou_loss(*boxes).item() == pytest.approx(expected, abs=1e-4)


def test_one_cycle_goes_up_then_down_to_nothing() -> None:
    rates = [one_cycle(step / 20, 1.0) for step in range(21)]

    assert max(rates) == pytest.approx(1.0, abs=0.05)
    assert rates[0] < 0.1
    assert rates[-1] < 0.01
    assert rates[3:] == sorted(rates[3:], reverse=True)
