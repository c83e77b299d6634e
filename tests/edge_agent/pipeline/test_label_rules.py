"""What the pipeline knows about labels."""

from __future__ import annotations

from edge_agent.pipeline.detector import rule_for
from tests.edge_agent.pipeline.scenes import CLOUD, PERSON


def test_rule_for_known_label_keeps_the_cameras_rule() -> None:
    assert rule_for({"person": PERSON}, "person", CLOUD) is PERSON


def test_rule_for_label_that_only_the_cloud_knows_names_the_clouds_detector() -> None:
    rule = rule_for({}, "heron", CLOUD)
    assert (rule.slug, rule.threshold, rule.detector) == ("heron", 0.5, CLOUD)
