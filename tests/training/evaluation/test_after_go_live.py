"""After a list went live, weighted figures are those of a world without reviews; those of unchanged rows are not.

6,000 simulated people of four teams. Those with the highest risks are listed on two days after their row, most of the
listed are reviewed, and a review prevents most later events. What would have happened without reviews is known.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from training.dataset.labels import Followed, FollowUp
from training.dataset.prepare import Prepared
from training.dataset.spells import FOREVER
from training.evaluation import competing_risks
from training.evaluation.capacity import Weekly, figures
from training.evaluation.figures import figures_of, numbered
from training.evaluation.lead_over_rule import Place, over_best_rule
from training.evaluation.report import _rows
from training.impact.exposure import Exposure, exposure_aware, until_reviewed
from training.settings import Settings
from training.statistics.resampling import Draws

DAY = int(np.datetime64("2024-01-01", "D").astype(np.int64))
PEOPLE, TEAMS, SLOTS = 6_000, 4, {team: 300 for team in range(4)}
HORIZONS, NAME = {"admission": (90,)}, "admission_90"
LISTS = (14, 42)
SETTINGS = Settings()
SMALL = SETTINGS.model_copy(update={"evaluation": SETTINGS.evaluation.model_copy(update={"bootstrap_draws": 20})})


class World:
    """Risks, a rule that is worse, events without reviews (``free``) and with them (``real``), and the exposure log."""

    def __init__(self) -> None:
        rng = np.random.default_rng(11)
        logit = rng.normal(-1.6, 1.0, PEOPLE)
        self.risk = 1 / (1 + np.exp(-logit))
        self.rule = 1 / (1 + np.exp(-(logit + rng.normal(0, 1.5, PEOPLE))))
        after = np.where(rng.random(PEOPLE) < self.risk, rng.integers(1, 90, PEOPLE), 999)
        self.ids = np.array([f"p{number:05d}" for number in range(PEOPLE)])
        self.team = np.arange(PEOPLE) % TEAMS
        placed = self.risk >= np.quantile(self.risk, 0.8)
        self.free, lines = self.followed(after), []
        for day in LISTS:
            there = after > day
            seen = there & placed & (rng.random(PEOPLE) < 0.6)
            lines.append(
                pd.DataFrame(
                    {"patient_id": self.ids, "as_of": np.datetime64(DAY + day, "D"), "risk": self.risk,
                     "placed": placed, "exposed": seen, "propensity": np.nan}
                )[there]
            )  # fmt: skip
            prevented = seen & (rng.random(PEOPLE) < 0.8)
            after = np.where(prevented, 999, after)
        self.real, self.log = self.followed(after), pd.concat(lines, ignore_index=True)
        self.exposure = Exposure(dt.date(2024, 1, 1), self.log, 0.0)

    def followed(self, after) -> FollowUp:
        spine = pd.DataFrame({"patient_id": self.ids, "as_of": pd.Timestamp("2024-01-01"), "team_id": self.team})
        day, never = np.where(after < 999, DAY + after, FOREVER), np.full(PEOPLE, FOREVER)
        empty = np.full(PEOPLE, "", dtype=object)
        one = Followed(day.astype(np.int64), never.astype(np.int64), empty, empty, np.ones(PEOPLE, dtype=bool))
        return FollowUp(spine, np.full(PEOPLE, DAY, dtype=np.int64), DAY + 400, {"admission": one})

    def figures(self, followed: FollowUp, weight) -> dict:
        label = followed.labels(HORIZONS)[NAME].to_numpy()
        rows = _rows(followed, np.ones(PEOPLE, dtype=bool), label, "admission", self.team, SMALL, weight)
        scores = {"model": self.risk[rows.at]}
        return figures_of(
            rows, scores, {"rule": self.rule[rows.at]}, {}, SLOTS, [], [f"team {n}" for n in range(TEAMS)], 20
        )

    def lead(self, followed: FollowUp, weight) -> dict:
        label = followed.labels(HORIZONS)[NAME].to_numpy()
        place = Place.of(followed, "admission", label, np.ones(PEOPLE, dtype=bool), weight)
        rules = {"rule": self.rule[place.at]}
        found = over_best_rule(place, self.risk[place.at], rules, place, rules, {}, (100, 300))
        assert found is not None
        return found

    def weekly(self, followed: FollowUp, weight) -> dict:
        status, people = followed.status("admission", 90), np.arange(PEOPLE)
        happened = status == "event"
        days = followed.outcomes["admission"].event_day
        lead = np.where(happened, days - DAY, 0)
        rows = Weekly(
            people, self.team, followed.day, happened | (status == "none"), numbered(people, days, happened), lead,
            np.zeros(PEOPLE, dtype=bool), Draws.of(people, 5, 0), weight,
        )  # fmt: skip
        return figures(rows, {"model": self.risk, "rule": self.rule}, ["rule"], [], [str(n) for n in range(TEAMS)], 20)

    def incidence(self, followed: FollowUp, weight):
        at, first = competing_risks.watched(followed, "admission", np.ones(PEOPLE, dtype=bool), 90)
        draws = Draws.of(at, 20, 0).standing_for(None if weight is None else weight[at])
        return competing_risks.figures(first, self.risk[at], draws, 90, True)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def aware(world) -> Prepared:
    labels = world.real.labels(HORIZONS)
    ready = Prepared(world.real.spine, pd.DataFrame(), None, world.real, labels, None)  # type: ignore[arg-type]
    found, note = exposure_aware(ready, HORIZONS, world.exposure, None)
    assert note.problem == "" and note.exposed_rows > 500
    return found


def test_calibration_ranking_and_capture_are_those_of_a_world_without_reviews(world, aware):
    truth, as_they_are = world.figures(world.free, None), world.figures(world.real, None)
    cut_off, weighted = world.figures(aware.follow_up, None), world.figures(aware.follow_up, aware.weights[NAME])

    def of(found, figure):
        return found["contenders"]["model"][figure]["value"]

    assert of(as_they_are, "observed_to_expected") < 0.85 < 1.02 < of(cut_off, "observed_to_expected")
    for figure, apart in (
        ("observed_to_expected", 0.03), ("auroc", 0.012), ("calibration_slope", 0.06), ("captured_at_slots", 0.02),
        ("precision_at_slots", 0.02), ("brier", 0.005),
    ):  # fmt: skip
        assert of(weighted, figure) == pytest.approx(of(truth, figure), abs=apart), figure
        assert abs(of(as_they_are, figure) - of(truth, figure)) > abs(of(weighted, figure) - of(truth, figure)), figure
    assert weighted["prevalence"] == pytest.approx(truth["prevalence"], abs=0.006)
    listed, free = weighted["listed"]["observed_to_expected"]["value"], truth["listed"]["observed_to_expected"]["value"]
    assert listed == pytest.approx(free, abs=0.05) and as_they_are["listed"]["observed_to_expected"]["value"] < 0.75


def test_what_came_first_is_that_of_a_world_without_reviews(world, aware):
    """Rows that were reviewed are left out, and others stand for them: leaving them out alone is not enough."""
    truth, as_they_are = world.incidence(world.free, None), world.incidence(world.real, None)
    cut_off, weighted = world.incidence(aware.follow_up, None), world.incidence(aware.follow_up, aware.weights[NAME])
    for figure, apart in (("event", 0.006), ("mean_risk", 0.006), ("observed_to_expected", 0.03)):
        true = getattr(truth, figure).value
        assert getattr(weighted, figure).value == pytest.approx(true, abs=apart), figure
    assert as_they_are.event.value < truth.event.value - 0.012
    assert cut_off.event.value < truth.event.value - 0.02
    assert weighted.left.value == 0, "a review is no leaving"
    assert weighted.curve.event[28] == pytest.approx(truth.curve.event[28], abs=0.008)


def test_the_lead_over_the_best_rule_is_that_of_a_world_without_reviews(world, aware):
    truth, as_they_are = world.lead(world.free, None), world.lead(world.real, None)
    weighted = world.lead(aware.follow_up, aware.weights[NAME])
    assert weighted["model"]["value"] == pytest.approx(truth["model"]["value"], abs=0.015)
    assert weighted["difference"]["value"] == pytest.approx(truth["difference"]["value"], abs=0.02)
    assert as_they_are["model"]["value"] < truth["model"]["value"] - 0.05


def test_weekly_lists_are_judged_by_follow_up_that_ends_at_the_review(world):
    followed, weights = until_reviewed(world.real, HORIZONS, world.exposure)
    assert weights is not None
    truth, as_they_are, weighted = (
        found["slots"]["25"]["as_listed"]
        for found in (
            world.weekly(world.free, None), world.weekly(world.real, None), world.weekly(followed, weights[NAME])
        )
    )  # fmt: skip
    assert weighted["precision"]["value"] == pytest.approx(truth["precision"]["value"], abs=0.13)
    assert as_they_are["precision"]["value"] < truth["precision"]["value"] - 0.15
    assert until_reviewed(world.real, HORIZONS, None) == (world.real, None)


def test_weights_of_one_change_no_figure(world):
    same = world.figures(world.real, np.ones(PEOPLE))
    plain = world.figures(world.real, None)
    del same["risk_distribution"], plain["risk_distribution"]  # percentiles lie between two rows without weights
    assert same == plain
    assert world.lead(world.real, np.ones(PEOPLE)) == world.lead(world.real, None)
    assert world.weekly(world.real, np.ones(PEOPLE)) == world.weekly(world.real, None)


def test_reviews_that_nobody_logged_leave_the_figures_wrong(world):
    """The gate ``exposure`` refuses such a model; this is why."""
    lost = replace(world.exposure, lines=world.log.assign(exposed=False))
    followed, weights = until_reviewed(world.real, HORIZONS, lost)
    found = world.figures(followed, weights[NAME] if weights else None)
    assert found["contenders"]["model"]["observed_to_expected"]["value"] < 0.85
