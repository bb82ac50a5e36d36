"""NHS numbers: the check digit, and a pseudonym that says nothing without its key. The numbers are made up from test ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.security.nhs_numbers import NotAnNhsNumber, checked, looks_like_one, pseudonym

KEY, OTHER = b"k" * 32, b"o" * 32


@pytest.mark.parametrize("number", ["9434765919", "943 476 5919", "943-476-5919", " 9434765870 ", "9990000018"])
def test_published_examples_and_test_numbers_hold(number):
    assert checked(number).isdigit() and len(checked(number)) == 10


@pytest.mark.parametrize("number", ["9434765918", "943476591", "94347659190", "94 34765919", "abc", "", "٩٤٣٤٧٦٥٩١٩"])
def test_others_are_refused_without_being_repeated(number):
    with pytest.raises(NotAnNhsNumber) as refused:
        checked(number)
    assert not number or number not in str(refused.value)


@given(st.integers(0, 999_999_999), st.integers(0, 8), st.integers(1, 9))
def test_every_single_slip_is_found(nine, place, change):
    """Modulus 11 finds any one wrong digit; that is what it is for."""
    valid = [n for n in (f"{nine:09d}{last}" for last in range(10)) if looks_like_one(n)]
    assert len(valid) <= 1
    for number in valid:
        slipped = number[:place] + str((int(number[place]) + change) % 10) + number[place + 1 :]
        assert not looks_like_one(slipped)


def test_a_pseudonym_needs_its_key_and_names_it():
    made = pseudonym("943 476 5919", KEY, "k2026")
    assert made == pseudonym("9434765919", KEY, "k2026")
    assert made.startswith("k2026.") and "9434765919" not in made
    assert made.split(".")[1] != pseudonym("9434765919", OTHER, "k2026").split(".")[1]


@pytest.mark.parametrize(("key", "key_id"), [(b"short", "k1"), (KEY, ""), (KEY, "K 1")])
def test_weak_keys_and_odd_ids_are_refused(key, key_id):
    with pytest.raises(ValueError):
        pseudonym("9434765919", key, key_id)
