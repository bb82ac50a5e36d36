"""What was put into the mechanism on purpose, in one table: a model that reads records well should find these, and an audit should see the groups.

``field`` is the number of ``World`` that does it; nothing is repeated by hand. ``concept`` is what acts, ``group`` the inequality group it falls on, if any.
"""

from __future__ import annotations

from typing import NamedTuple

from .world import World


class Planted(NamedTuple):
    concept: str
    acts_on: str
    field: str
    scale: str
    sign: int
    group: str = ""

    def size(self, world: World) -> float:
        """The number as it acts, with its sign."""
        return self.sign * float(getattr(world, self.field))


PLANTED = (
    Planted("severity of illness", "unplanned admission", "admission_severity", "log-hazard per unit", 1),
    Planted("missed medicine of the last weeks", "unplanned admission", "admission_missed", "log-hazard, 0 to 1", 1),
    Planted("missed medicine of the last weeks", "start of a relapse", "relapse_missed", "log-hazard, 0 to 1", 1),
    Planted("substance episode", "unplanned admission", "admission_substance", "log-hazard", 1),
    Planted("discharge, fading over 60 days", "unplanned admission", "admission_discharge", "log-hazard", 1),
    Planted("community treatment order", "unplanned admission", "admission_cto", "log-hazard", 1),
    Planted("no medicine protects", "severity", "severity_unprotected", "units", 1),
    Planted("life event", "severity", "life_event_push", "units, fading in weeks", 1),
    Planted("insight", "taking medicine", "adherence_insight", "logit per unit", 1),
    Planted("side effects", "taking medicine", "adherence_side_effects", "logit per unit", -1),
    Planted("number of medicines", "taking medicine", "adherence_complexity", "logit per medicine over two", -1),
    Planted("substance episode", "taking medicine", "adherence_substance", "logit", -1),
    Planted("support at contacts", "taking medicine", "adherence_support", "logit per unit", 1),
    Planted("medicines review, fading over 120 days", "taking medicine", "review_effect", "logit", 1),
    Planted("contact that took place", "coming to contacts", "engagement_attended", "logit", 1),
    Planted("missed contact", "coming to contacts", "engagement_missed", "logit", -1),
    Planted("outreach that reached the person", "coming to contacts", "engagement_outreach", "logit", 1),
    Planted("change of care coordinator", "coming to contacts", "engagement_staff_change", "logit", -1),
    Planted("side effects", "coming to contacts", "engagement_side_effects", "logit per unit", -1),
    Planted("low engagement", "start of a withdrawal", "withdrawal_engagement", "log-hazard per logit lost", 1),
    Planted(
        "interpreter needed, none provided",
        "coming to contacts",
        "engagement_interpreter_unmet",
        "logit",
        -1,
        "people who need an interpreter",
    ),
    Planted(
        "reasonable adjustment not made",
        "coming to contacts",
        "engagement_adjustment_unmet",
        "logit",
        -1,
        "autistic people and people with a learning disability",
    ),
    Planted("no settled home", "coming to contacts", "engagement_homeless", "logit", -1, "homeless people"),
    Planted("no settled home", "unplanned admission", "admission_homeless", "log-hazard", 1, "homeless people"),
    Planted(
        "deprivation",
        "unplanned admission",
        "admission_deprived",
        "log-hazard",
        1,
        "people in the two most deprived tenths",
    ),
    Planted("ethnicity", "detention once admitted", "detained_black", "logit", 1, "Black people"),
    Planted("youth", "start of a withdrawal", "withdrawal_young", "log-hazard", 1, "young people"),
)

KNOBS = (
    ("drift_admission", "the hazard of admission climbs year by year"),
    ("drift_engagement", "people come less, or more, year by year"),
    ("policy_year, policy_cadence, policy_remote", "from one day on, contacts are rarer or by telephone"),
    ("informative_missing", "tests of people who are unwell are missing; the hidden course is untouched"),
    ("review_effect = 0", "medicines reviews do nothing, and the truth's effect of a review is 0 exactly"),
    ("list_feedback", "people who missed two contacts are put on a list, seen within days and reviewed"),
    ("submission_gap, duplicate_rows, local_codes, visits_elsewhere", "how bad the recording layer is"),
    ("team_shock", "how often a whole team is in trouble for four weeks"),
)
