"""A team's id has one spelling: the records, a token, a membership and an address name the same team."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from features import Records
from serving.identity.callers import Role, ScopeError, checked_scope
from serving.security.memberships import join_team, leave_team, teams_of
from serving.storage import migrations

SPELLED = ["T01", " T01", "T01\u00a0", "\uff340\uff11", "T01\u200b", "T01\ufeff"]
TODAY = dt.date(2026, 1, 5)


@pytest.mark.parametrize("spelled", SPELLED)
def test_records_and_tokens_spell_a_team_alike(spelled):
    records = Records.from_frames(
        {"patients": pd.DataFrame({"patient_id": []}), "teams": pd.DataFrame({"team_id": [spelled]})}
    )
    assert set(records["teams"]["team_id"]) == checked_scope(Role.PHARMACIST, [spelled]) == {"T01"}


@pytest.mark.parametrize("spelled", SPELLED)
def test_a_membership_is_of_the_team_and_ends_by_any_spelling(spelled, tmp_path):
    join_team(tmp_path, "https://id.example", "sam", spelled, TODAY, None, "rota")
    with migrations.opened(tmp_path) as database, database.read() as connection:
        assert teams_of(connection, "https://id.example", "sam", TODAY).ids == {"T01"}
    assert leave_team(tmp_path, "https://id.example", "sam", SPELLED[1], TODAY + dt.timedelta(1), "rota") == 1


@pytest.mark.parametrize("empty", ["", " ", "\u200b", "1.2E+09"])
def test_an_id_of_which_nothing_is_left_is_refused(empty):
    with pytest.raises(ScopeError, match="team id is empty"):
        checked_scope(Role.CMHT_SYSTEM, [empty])
