"""Wishes and side effects of a simulated trust: added rows, invented, and no other row is changed by them."""

from __future__ import annotations

import pandas as pd
import pytest

from features.records.tables import CIRCUMSTANCE_KINDS
from training.simulator import observation, simulate

ADDED = ("wish", "side_effect")
SIZE = {"patients": 120, "years": 2, "seed": 7, "teams": 2}


@pytest.fixture(scope="module")
def trust():
    return simulate(**SIZE)


@pytest.fixture(scope="module")
def without():
    """The same trust where nobody says anything."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(observation, "with_own_words", lambda written, *_: written)
        return simulate(**SIZE)


def test_no_other_row_changes(trust, without):
    for name, frame in without.frames.items():
        same = trust.frames[name]
        if name == "circumstances":
            same = same[~same["kind"].isin(ADDED)].reset_index(drop=True)
        pd.testing.assert_frame_equal(same, frame)


@pytest.mark.parametrize("kind", ADDED)
def test_many_people_have_one_and_each_is_marked_as_invented(trust, kind):
    rows = trust.frames["circumstances"].query("kind == @kind")
    assert kind in CIRCUMSTANCE_KINDS
    assert SIZE["patients"] / 4 < rows["patient_id"].nunique() <= SIZE["patients"]
    assert rows["value"].str.endswith("(invented)").all() and rows["value"].nunique() > 3
    assert (rows["known_on"] >= rows["from_on"]).all()


def test_a_side_effect_follows_a_supply_by_at_most_two_weeks(trust):
    felt = trust.frames["circumstances"].query("kind == 'side_effect' and value.str.startswith('hands shake')")
    lithium = trust.frames["supplies"].query("medicine == 'lithium'")[["patient_id", "supplied_on"]]
    pairs = felt.merge(lithium, on="patient_id")
    days = (pairs["from_on"] - pairs["supplied_on"]).dt.days
    followed = pairs[(days >= 1) & (days <= 14)].groupby(["patient_id", "from_on"]).size()
    # A supply that was lost on its way may leave its report behind.
    assert len(felt) > 0 and len(followed) >= 0.9 * len(felt.groupby(["patient_id", "from_on"]))


def test_they_are_read_without_an_entry_in_the_load_report(trust):
    rows = trust.records["circumstances"]
    assert set(ADDED) <= set(rows["kind"])
    assert not any("wish" in str(one) or "side_effect" in str(one) for one in trust.records.quarantine["reason"])
