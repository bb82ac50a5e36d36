"""The lottery band in the nightly run: off by default, approved by name, logged with its chances, shown to staff."""

from __future__ import annotations

import datetime as dt
import sqlite3

import pytest
from pydantic import ValidationError

from features.settings import LotterySettings, NightlySettings, load_settings
from models import RiskModel
from serving.nightly.rows.impact_rows import impact_rows
from serving.nightly.run import list_rules, score_store
from serving.worklists.ranking import Ranking
from tests.serving.conftest import client_of, sign_in

WIDE = LotterySettings.model_construct(
    enabled=True,
    approved_by="Ada Example, chief pharmacist",
    approved_on=dt.date(2026, 1, 1),
    seed=5,
    each_side=3,
    margin=50.0,
    most_capture_cost=1.0,
)
"""Wider than settings allow, so that a team of eight people has a band."""


def test_the_band_is_off_in_the_settings_file():
    assert not load_settings(NightlySettings).lottery.enabled


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"approved_by": "Ada Example, chief pharmacist", "seed": 5},
        {"approved_by": "Ada", "approved_on": "2026-01-01", "seed": 5},
        {"approved_by": "Ada Example, chief pharmacist", "approved_on": "2026-01-01"},
    ],
)
def test_a_band_needs_a_named_approver_a_day_and_a_seed(given):
    with pytest.raises(ValidationError, match="approved_by"):
        LotterySettings(enabled=True, **given)


def test_a_band_may_never_cost_more_than_one_in_a_hundred():
    with pytest.raises(ValidationError, match="most_capture_cost"):
        LotterySettings(most_capture_cost=0.02)


def first_list(home):
    """The home as before its first run: nobody holds a place."""
    for path in home.glob("service.db*"):
        path.unlink()
    return home


def test_the_rules_of_lists_without_a_band_are_as_before(home):
    model = RiskModel.load(home / "bundles", self_test=False)
    assert list_rules(model, Ranking.RISK).band is None
    assert list_rules(model, Ranking.RISK, WIDE).band.seed == 5


def test_a_run_logs_who_took_part_with_which_chance_and_never_somebody_with_a_gap(home, world):
    first_list(home)
    summary = score_store(home / "store", home / "bundles", home, world.AS_OF, threads=1, lottery=WIDE)
    with sqlite3.connect(home / "service.db") as connection:
        draws = connection.execute(
            "SELECT d.patient_id, d.propensity, d.drawn, l.worst_gap, l.slot FROM list_draws d JOIN list_lines l "
            "ON l.run_id = d.run_id AND l.patient_id = d.patient_id WHERE d.run_id = ?",
            (summary.run_id,),
        ).fetchall()
    assert draws and all(0 < chance < 1 for _, chance, *_ in draws)
    assert all(worst == 9 for *_, worst, _ in draws)
    assert all((slot == "lottery") == bool(drawn) for _, _, drawn, _, slot in draws if slot != "longest_unseen")
    assert sum(team["drawn"] for team in summary.teams) == sum(bool(row[2]) for row in draws)


def test_the_next_night_draws_nothing(home, world):
    first_list(home)

    def run(days: int) -> int:
        day = world.AS_OF + dt.timedelta(days=days)
        made = score_store(home / "store", home / "bundles", home, day, threads=1, lottery=WIDE)
        with sqlite3.connect(home / "service.db") as connection:
            ((found,),) = connection.execute(
                "SELECT count(*) FROM list_draws WHERE run_id = ?", (made.run_id,)
            ).fetchall()
        return int(found)

    assert run(0) > 0
    assert run(1) == 0


def draws_of(home):
    with sqlite3.connect(home / "service.db") as connection:
        return connection.execute("SELECT run_id, patient_id, drawn, propensity FROM list_draws").fetchall()


def winners(home, run_id):
    """Who has a place on a run's lists."""
    with sqlite3.connect(home / "service.db") as connection:
        query = "SELECT patient_id FROM list_lines WHERE run_id = ? AND slot IS NOT NULL"
        return {row[0] for row in connection.execute(query, (run_id,))}


@pytest.mark.parametrize("change", [{"seed": 6}, {"each_side": 1}, {"margin": 0.01}], ids=str)
def test_other_settings_on_the_same_day_or_in_the_same_week_draw_nobody_again(home, world, change):
    """Otherwise somebody could try seeds until a favourite wins."""
    first_list(home)
    first = score_store(home / "store", home / "bundles", home, world.AS_OF, threads=1, lottery=WIDE)
    drawn, listed = draws_of(home), winners(home, first.run_id)
    other = WIDE.model_copy(update=change)
    for days in (0, 3):
        day = world.AS_OF + dt.timedelta(days=days)
        again = score_store(home / "store", home / "bundles", home, day, threads=1, lottery=other)
        assert again.run_id != first.run_id and draws_of(home) == drawn
        won = {person for _, person, got, _ in drawn if got}
        assert won <= listed and won <= winners(home, again.run_id)


def test_switching_the_band_off_in_the_week_keeps_the_draws_that_were_logged_and_draws_no_more(home, world):
    first_list(home)
    score_store(home / "store", home / "bundles", home, world.AS_OF, threads=1, lottery=WIDE)
    drawn = draws_of(home)
    score_store(home / "store", home / "bundles", home, world.AS_OF + dt.timedelta(days=1), threads=1)
    assert draws_of(home) == drawn and len(impact_rows(home)["draws"]) == len(drawn)


def test_the_rows_of_the_read_out_are_the_draws_and_the_lists_without_one(home, world):
    lists = impact_rows(home)
    assert lists["draws"].empty and len(lists["reviews"]) == 0
    lines = lists["lines"]  # north alone has a line; the person unseen for longest is not compared
    assert set(lines["team_id"]) == {"north"} and lines["listed"].sum() == 2 and "N01" not in set(lines["patient_id"])
    # Two equal risks at the line lie on it, at distance 0.
    assert lines.loc[lines["listed"], "distance"].min() >= 0 >= lines.loc[~lines["listed"], "distance"].max()
    assert lines["distance"].min() < 0
    score_store(first_list(home) / "store", home / "bundles", home, world.AS_OF, threads=1, lottery=WIDE)
    drawn = impact_rows(home)
    assert len(drawn["draws"]) > 1 and drawn["lines"].empty
    assert drawn["draws"]["gaps_closed"].isna().all()  # nobody is four weeks on


@pytest.mark.parametrize("path", ["/teams/north/overview", "/teams/north"])
def test_the_pages_of_a_team_say_to_staff_that_there_is_a_draw_and_only_then(home, world, path):
    def page() -> str:
        with client_of(home) as client:
            sign_in(client, "pharmacist:north")
            return client.get(path).text

    words = "some of the last places are drawn at random once a week"
    assert "North team" in (before := page()) and words not in before
    score_store(first_list(home) / "store", home / "bundles", home, world.AS_OF, threads=1, lottery=WIDE)
    assert words in page()
