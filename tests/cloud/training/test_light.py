"""Light heads learn drawn scenes, and come out the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cloud.datasets.pictures import read_pictures
from cloud.detector.full import run_head
from cloud.detector.light import LightHead, LightNetwork, light_neck
from cloud.subnets.features import shared_extractor
from cloud.subnets.registry import subnet_by_name
from cloud.training.cache import NoCache
from cloud.training.learn import LearnPlan
from cloud.training.light import PEAK_RATE, learn_light, pool_light
from cloud.training.samples import FrameSamples, SamplePlan, frame_samples
from compress.threads import one_thread_each
from tests.cloud.training.scenes import draw_scene

SUBNET = subnet_by_name("ssd_mobilenet_v2")


def look(folder: Path, count: int) -> list[FrameSamples]:
    frames = {frame.source: frame for frame in (draw_scene(folder, number) for number in range(count))}
    plan = SamplePlan((160, 128), ("red",), 1, 1, 2, 0)
    return [
        frame_samples(frames[source], rgb, plan, [shared_extractor(SUBNET)], NoCache(), lambda _: False)
        for source, rgb in read_pictures(frames)
    ]


def teach(samples: list[FrameSamples], steps: int) -> LightHead:
    plan = LearnPlan(steps, 8, PEAK_RATE, 0)
    with one_thread_each():
        pool = pool_light(samples, light_neck(SUBNET))
        return learn_light(pool, range(len(samples)), 1, plan, lambda progress: progress)[-1]


@pytest.mark.slow
def test_learn_light_from_a_few_scenes_scores_objects_above_background(tmp_path: Path) -> None:
    samples = look(tmp_path, 5)
    network = LightNetwork(light_neck(SUBNET), teach(samples[:4], 60))
    unseen = samples[4]
    logits, _ = run_head(network, tuple(level.astype("float32") for level in unseen.plain_levels))
    inside = []
    for box in unseen.frame.boxes:
        x1, y1, x2, y2 = box.box_xyxy_norm
        inside.append(logits[0, int((y1 + y2) * 8), int((x1 + x2) * 10), 0])
    assert sum(inside) / len(inside) > float(torch.tensor(logits).median()) + 1.5


@pytest.mark.slow
def test_learn_light_with_the_same_seed_gives_the_same_head(tmp_path: Path) -> None:
    samples = look(tmp_path, 2)
    first, second = (teach(samples, 5).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(torch.equal(value, value.half().float()) for value in first.values())
