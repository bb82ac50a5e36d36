"""The effects planted in the mechanism, in one table. A model that reads records well should find them, and an audit
should show the groups.

``field`` is the parameter of ``World`` that causes it; no value is repeated here. ``concept`` is what acts,
``group`` the inequality group it falls on, if any.
"""

from __future__ import annotations

from typing import NamedTuple

from training.simulator.parameters import World


class Planted(NamedTuple):
    concept: str
    acts_on: str
    field: str
    scale: str
    sign: int
    group: str = ""

    def size(self, world: World) -> float:
        """The parameter's value with its sign."""
        return self.sign * float(getattr(world, self.field))


YOUNG, ALONE, DEPRIVED = "people under 35", "people who live alone", "people in the two most deprived tenths"
HOMELESS, NEEDS_INTERPRETER = "homeless people", "people who need an interpreter"
NEEDS_ADJUSTMENT = "autistic people and people with a learning disability"

ADMISSION, RELAPSE, SEVERITY = "unplanned admission", "start of a relapse", "severity"
TAKING, COMING, WITHDRAWAL = "taking medicine", "coming to contacts", "start of a withdrawal"
DETENTION = "detention once admitted"

PLANTED = (
    Planted("severity of illness", ADMISSION, "admission_severity", "log-hazard per unit", 1),
    Planted("missed medicine of the last weeks", ADMISSION, "admission_missed", "log-hazard, 0 to 1", 1),
    Planted("substance episode", ADMISSION, "admission_substance", "log-hazard", 1),
    Planted("discharge, fading over 60 days", ADMISSION, "admission_discharge", "log-hazard", 1),
    Planted("community treatment order", ADMISSION, "admission_cto", "log-hazard", 1),
    Planted("time of year, most in summer", ADMISSION, "admission_season", "log-hazard, half of peak to trough", 1),
    Planted("missed medicine of the last weeks", RELAPSE, "relapse_missed", "log-hazard, 0 to 1", 1),
    Planted("substance episode", RELAPSE, "relapse_substance", "log-hazard", 1),
    Planted("own level of severity", RELAPSE, "relapse_level", "log-hazard per unit", 1),
    Planted("relapse", SEVERITY, "severity_relapse", "units", 1),
    Planted("no medicine protects", SEVERITY, "severity_unprotected", "units", 1),
    Planted("substance episode", SEVERITY, "severity_substance", "units", 1),
    Planted("life event", SEVERITY, "life_event_push", "units, fading in weeks", 1),
    Planted("insight", TAKING, "adherence_insight", "logit per unit", 1),
    Planted("side effects", TAKING, "adherence_side_effects", "logit per unit", -1),
    Planted("number of medicines", TAKING, "adherence_complexity", "logit per medicine over two", -1),
    Planted("substance episode", TAKING, "adherence_substance", "logit", -1),
    Planted("support at contacts", TAKING, "adherence_support", "logit per unit", 1),
    Planted("medicines review, fading over 120 days", TAKING, "review_effect", "logit", 1),
    Planted("contact that took place", COMING, "engagement_attended", "logit", 1),
    Planted("missed contact", COMING, "engagement_missed", "logit", -1),
    Planted("outreach that reached the person", COMING, "engagement_outreach", "logit", 1),
    Planted("change of care coordinator", COMING, "engagement_staff_change", "logit", -1),
    Planted("side effects", COMING, "engagement_side_effects", "logit per unit", -1),
    Planted("substance episode", COMING, "engagement_substance", "logit", -1),
    Planted("being unwell", COMING, "engagement_unwell", "logit per unit of severity over 1", -1),
    Planted("low engagement", WITHDRAWAL, "withdrawal_engagement", "log-hazard per logit lost", 1),
    Planted("substance episode", WITHDRAWAL, "withdrawal_substance", "log-hazard", 1),
    Planted("having stopped medicine", WITHDRAWAL, "withdrawal_stopped", "log-hazard", 1),
    Planted("insight", WITHDRAWAL, "withdrawal_insight", "log-hazard per unit", -1),
    Planted("being unwell", WITHDRAWAL, "withdrawal_severity", "log-hazard per unit of severity, up to 1", -1),
    Planted("severity of illness", DETENTION, "detained_severity", "logit per unit", 1),
    Planted("insight", DETENTION, "detained_insight", "logit per unit", -1),
    Planted("substance episode", "losing a home", "homeless_substance", "times the hazard, added", 1),
    Planted("age", "death", "death_age", "log-hazard per year over 45", 1),
    Planted(
        "interpreter needed, none provided", COMING, "engagement_interpreter_unmet", "logit", -1, NEEDS_INTERPRETER
    ),
    Planted("reasonable adjustment not made", COMING, "engagement_adjustment_unmet", "logit", -1, NEEDS_ADJUSTMENT),
    Planted("no settled home", COMING, "engagement_homeless", "logit", -1, HOMELESS),
    Planted("no settled home", ADMISSION, "admission_homeless", "log-hazard", 1, HOMELESS),
    Planted("no settled home", "moving away", "move_homeless", "log-hazard", 1, HOMELESS),
    Planted("deprivation", ADMISSION, "admission_deprived", "log-hazard", 1, DEPRIVED),
    Planted("deprivation", COMING, "engagement_deprived", "logit", -1, DEPRIVED),
    Planted("deprivation", TAKING, "adherence_deprived", "logit", -1, DEPRIVED),
    Planted("deprivation", "losing a home", "homeless_deprived", "times the hazard, added", 1, DEPRIVED),
    Planted("deprivation", "stopping clozapine", "clozapine_stop_deprived", "log-hazard", 1, DEPRIVED),
    Planted("ethnicity", DETENTION, "detained_black", "logit", 1, "Black people"),
    Planted("youth", WITHDRAWAL, "withdrawal_young", "log-hazard", 1, YOUNG),
    Planted("youth", COMING, "engagement_young", "logit", -1, YOUNG),
    Planted("youth", TAKING, "adherence_young", "logit", -1, YOUNG),
    Planted("youth", "substance episodes", "substance_young_men", "share prone to them, added", 1, "men under 35"),
    Planted("living alone", WITHDRAWAL, "withdrawal_living_alone", "log-hazard", 1, ALONE),
    Planted("living alone", COMING, "engagement_living_alone", "logit", -1, ALONE),
    Planted("a carer", TAKING, "adherence_carer", "logit", 1, "people with a carer"),
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
