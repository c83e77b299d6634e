"""Profiles by name."""

from __future__ import annotations

import pytest

from edge_agent.errors import ConfigError
from edge_agent.runtime.profiles import load_profile, parse_profile, profile_names


def test_unknown_name_lists_all_and_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'pi-zero-2w'") as caught:
        load_profile("Pi-Zero-2")
    assert all(name in str(caught.value) for name in profile_names())


@pytest.mark.parametrize("name", ["../pyproject", "", "pi-4.yaml", "zzzzzz"])
def test_odd_name_is_only_unknown(name: str) -> None:
    with pytest.raises(ConfigError, match="no device profile"):
        load_profile(name)


@pytest.mark.parametrize(
    ("text", "words"),
    [("a: [", "is not YAML"), ("- 1", "x.yaml"), ("name: pi-4\nspeed: fast\n", "x.yaml: ")],
)
def test_wrong_yaml_is_refused_with_its_file(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        parse_profile(text, "x.yaml")
    assert "\n" not in str(caught.value)
