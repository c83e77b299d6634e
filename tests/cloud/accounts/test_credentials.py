"""API tokens and setup codes: their form, and what is stored of them."""

from __future__ import annotations

import pytest

from cloud.accounts.credentials import (
    csrf_of,
    digest_of,
    is_api_token,
    is_csrf_of,
    is_setup_code,
    new_api_token,
    new_session_id,
    new_setup_code,
)


def test_api_token_is_known_by_its_form_and_a_typing_error_is_noticed() -> None:
    token = new_api_token()
    wrong = token[:12] + ("0" if token[12] != "0" else "1") + token[13:]
    assert is_api_token(token)
    assert token.startswith("elfowl_")
    assert not is_api_token(wrong)
    assert new_api_token() != token


@pytest.mark.parametrize("text", ["", "elfowl_", "elfowl_" + "é" * 48, "Bearer x", "elfowl_" + "0" * 47])
def test_text_that_is_no_token_is_none(text: str) -> None:
    assert not is_api_token(text)


@pytest.mark.parametrize(
    ("given", "fits"),
    [("K7WM-3RTA-9XQE", True), ("k7wm3rta9xqe", True), (" k7wm 3rta 9xqe", True), ("", False)],
)
def test_setup_code_may_be_typed_in_any_case_with_or_without_dashes(given: str, fits: bool) -> None:
    assert is_setup_code(given, "K7WM-3RTA-9XQE") is fits
    assert new_setup_code() != new_setup_code()


def test_proof_of_a_page_fits_its_own_session_only() -> None:
    mine, other = new_session_id(), new_session_id()
    assert is_csrf_of(csrf_of(mine), mine)
    assert not is_csrf_of(csrf_of(other), mine)
    assert not is_csrf_of("é", mine)
    assert csrf_of(mine) != digest_of(mine)
