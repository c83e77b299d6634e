"""Which passwords are taken, and what is kept of them."""

from __future__ import annotations

import pytest

from cloud.accounts.names import account_key, account_name
from cloud.accounts.passwords import Cost, hash_of_nobody, hash_password, is_password, refuse_weak
from cloud.errors import InputError

CHEAP = Cost(n=2, r=1, p=1)


@pytest.mark.parametrize(
    ("password", "complaint"),
    [
        ("short", "at least 10 characters"),
        ("x" * 257, "at most 256"),
        ("Password123", "first that are tried"),
        ("aaaaaaaaaaaa", "5 different signs"),
        ("Anna is at home", "leave your name out"),
    ],
)
def test_password_that_is_guessed_early_is_refused_with_advice(password: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        refuse_weak(password, "anna")


def test_some_words_in_a_row_are_taken_by_whoever_has_another_name() -> None:
    refuse_weak("correct horse battery staple", "anna")
    with pytest.raises(InputError, match="leave your name out"):
        refuse_weak("correct horse battery staple", "staple")


def test_only_the_same_password_fits_and_no_two_are_kept_alike() -> None:
    first, second = (hash_password("correct horse", CHEAP) for _ in range(2))

    assert first != second
    assert is_password("correct horse", first)
    assert not is_password("correct horsf", first)
    assert "correct" not in first


def test_password_typed_on_another_system_fits() -> None:
    composed, decomposed = "caf\u00e9 on the hill", "cafe\u0301 on the hill"
    assert is_password(decomposed, hash_password(composed, CHEAP))


@pytest.mark.parametrize("kept", ["", "scrypt$2$1$1$!!$!!", "md5$2$1$1$AA==$AA==", "scrypt$x$1$1$AA==$AA=="])
def test_damaged_hash_fits_no_password(kept: str) -> None:
    assert not is_password("correct horse", kept)


def test_hash_of_nobody_costs_what_a_real_one_costs_and_fits_nothing() -> None:
    nobody, real = hash_of_nobody(CHEAP), hash_password("correct horse", CHEAP)
    assert nobody.split("$")[:4] == real.split("$")[:4]
    assert not is_password("correct horse", nobody)


@pytest.mark.parametrize("name", ["Anna", "jörg.müller", "a@b.example", "李", "night watch"])
def test_names_of_people_are_taken(name: str) -> None:
    assert account_name(f"  {name} ") == name
    assert account_key(name.upper()) == account_key(name.lower())


@pytest.mark.parametrize("name", ["", " ", "<b>anna</b>", "a/b", "x" * 65, "anna\u202e", '"', "-anna"])
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="name"):
        account_name(name)
