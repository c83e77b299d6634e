"""Wrong addresses: a page for people, a problem document for programs."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from tests.cloud.api.conftest import make_cloud
from tests.cloud.api.people import Person, add_person

_AS_A_BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="module")
def anna(tmp_path_factory: pytest.TempPathFactory) -> Person:
    return add_person(make_cloud(tmp_path_factory.mktemp("nothing")), "Anna", "owner")


@pytest.mark.parametrize(
    ("path", "nearest"),
    [("/cameras", "/devices"), ("/Event", "/events"), ("/roll-outs/7", "/rollouts"), ("/%3Cb%3Exq", "")],
)
def test_wrong_address_in_a_browser_shows_a_page_that_knows_what_was_meant(
    anna: Person, path: str, nearest: str
) -> None:
    answer = anna.client.get(path, headers=_AS_A_BROWSER)

    main = BeautifulSoup(answer.text, "html.parser").select_one("main#main")
    assert answer.status_code == 404
    assert "Content-Security-Policy" in answer.headers
    assert main is not None
    assert main["data-nearest"] == nearest
    assert "<b>" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [("GET", "/cameras", {}), ("POST", "/cameras", _AS_A_BROWSER), ("GET", "/api/v1/cameras", _AS_A_BROWSER)],
)
def test_wrong_address_for_a_program_is_a_problem_document(
    anna: Person, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = anna.client.request(method, path, headers=headers)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
