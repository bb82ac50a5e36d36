"""A model card is free in what it says and typed in what pages read of it."""

from __future__ import annotations

import pytest

from models.bundle.card import checked_card


@pytest.mark.parametrize(
    "card", [{}, {"what": "a tiny model", "synthetic": True}, {"trained_on": {"people": 3, "x": []}}]
)
def test_a_card_is_kept_as_it_is(card):
    assert checked_card(card) == card


@pytest.mark.parametrize(
    "card",
    [None, [], "a card", {"figures": 3}, {"figures": {"admission_90": None}}, {"not_for": "x"}, {"trained_on": []}],
)
def test_anything_else_is_refused(card):
    with pytest.raises(ValueError, match="Card"):
        checked_card(card)
