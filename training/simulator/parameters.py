"""The parameters of the simulated world as one frozen value, so that a harder world is a copy with a few numbers
changed.

Daily hazards are per day. Effects are on the log-hazard or logit scale unless the name says otherwise. Every number is
a simulator default, set so that the rates that emerge fall where ``features/reference/epidemiology.csv`` puts them;
none is an estimate from patients.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import numpy as np


@dataclass(frozen=True)
class World:
    """Rates and effects of the mechanism. Planted effects are named by the process they act on."""

    # severity: an own level, a pull towards it, daily noise, and relapse
    severity_spread: float = 0.9
    severity_pull: float = 0.035
    severity_noise: float = 0.07
    severity_unprotected: float = 1.2  # rise of the target when no medicine protects
    severity_substance: float = 0.35
    severity_relapse: float = 1.9
    relapse_hazard: float = 0.00036
    relapse_missed: float = 1.7  # per unit of accumulated missed medicine (0 to 1)
    relapse_substance: float = 0.7
    relapse_level: float = 0.5
    relapse_end: float = 0.022
    life_event_hazard: float = 0.0015
    life_event_push: float = 0.55

    # substance episodes
    substance_start: float = 0.0022
    substance_end: float = 0.012
    substance_young_men: float = 0.1  # added to the share of people prone to episodes

    # homes
    homeless_hazard: float = 0.00007
    homeless_substance: float = 2.0  # times the hazard, added
    homeless_deprived: float = 1.5
    homeless_end: float = 0.004

    # adherence (logit of taking today's tablets)
    adherence_level: float = 2.25
    adherence_spread: float = 1.35
    adherence_pull: float = 0.05
    adherence_noise: float = 0.11
    adherence_insight: float = 0.6
    adherence_side_effects: float = 0.55
    adherence_complexity: float = 0.18
    adherence_substance: float = 0.9
    adherence_support: float = 0.7
    adherence_carer: float = 0.15
    adherence_young: float = 0.25
    adherence_deprived: float = 0.1
    stop_hazard: float = 0.00075
    stop_end: float = 0.010
    persuaded: float = 0.22  # share of attended contacts that end an intentional stop

    # engagement (logit of attending)
    engagement_level: float = 2.72
    engagement_spread: float = 0.65
    engagement_pull: float = 0.012
    engagement_noise: float = 0.03
    engagement_attended: float = 0.06
    engagement_missed: float = 0.22
    engagement_outreach: float = 0.45
    engagement_staff_change: float = 0.45
    engagement_side_effects: float = 0.25
    engagement_substance: float = 0.55
    engagement_unwell: float = 0.35
    engagement_interpreter_unmet: float = 0.8
    engagement_adjustment_unmet: float = 0.5
    engagement_homeless: float = 0.6
    engagement_young: float = 0.25
    engagement_living_alone: float = 0.3
    engagement_deprived: float = 0.12
    withdrawal_hazard: float = 0.00034
    withdrawal_end: float = 0.008
    withdrawal_depth: float = 4.2
    withdrawal_engagement: float = 0.75
    withdrawal_substance: float = 0.45
    withdrawal_insight: float = 0.25
    withdrawal_severity: float = 0.2  # services keep hold of people who are unwell
    withdrawal_stopped: float = 0.3
    withdrawal_young: float = 0.35
    withdrawal_living_alone: float = 0.35
    staff_change_hazard: float = 0.0011

    # care
    cadence_days: float = 37.0
    cancelled_by_service: float = 0.04
    cancelled_by_patient: float = 0.075
    text_hazard: float = 0.011
    carer_hazard: float = 0.002
    crisis_hazard: float = 0.00021
    crisis_severity: float = 0.95
    closing_hazard: float = 0.006  # per day, once three offers failed and six weeks were silent
    depot_offer: float = 0.012
    clozapine_offer: float = 0.018
    clozapine_stop_hazard: float = 0.0004  # in the first two years of a course
    clozapine_stop_deprived: float = 0.51
    # lift of the logit of taking tablets by an attended medicines review, and of side effects eased; 0: reviews do
    # nothing
    review_effect: float = 0.5
    review_fade_days: float = 120.0
    visit_detects: float = 0.5

    # admission (log-hazard per day)
    admission_base: float = -9.48
    admission_severity: float = 1.35
    admission_missed: float = 1.0
    admission_substance: float = 0.4
    admission_discharge: float = 1.3  # straight after discharge, fading with ``admission_fade_days``
    admission_fade_days: float = 60.0
    admission_homeless: float = 0.45
    admission_deprived: float = 0.3
    admission_cto: float = 0.2
    admission_season: float = 0.05
    planned_admission_hazard: float = 0.000022
    stay_log_median: float = 3.2
    stay_log_spread: float = 0.9
    detained_base: float = -0.45
    detained_severity: float = 0.3
    detained_insight: float = 0.3
    detained_black: float = 0.9

    # leaving and arriving
    planned_end_hazard: float = 0.0016
    transfer_hazard: float = 0.00009
    transfer_out_hazard: float = 0.00004
    move_hazard: float = 0.00006
    move_homeless: float = 0.69
    death_hazard: float = 0.000018
    death_age: float = 0.055  # per year of age from 45
    return_hazard: float = 0.0005
    move_back_hazard: float = 0.001  # of somebody who moved away
    arrivals_per_year: float = 0.24  # new people a year per person of the first day's caseload

    # definitions of the outcome that the mechanism watches for (docs/clinical.md section 2.3)
    silent_days: float = 90.0
    silent_offers: float = 2.0

    # shocks that a whole team feels at once: chance per team and 28 days, and what they multiply
    team_shock: float = 0.03
    team_shock_cancels: float = 3.0
    team_shock_staff: float = 4.0

    # the recording layer
    duplicate_rows: float = 0.002  # of contacts, supplies and results, sent twice
    local_codes: float = 0.002  # of contacts and results, coded in words no vocabulary holds
    submission_gap: float = 0.004  # chance per team and calendar month that the team's contacts never arrive
    visits_elsewhere: float = (
        0.04  # attended clozapine clinics whose blood the register has and whose visit the team's system has not
    )

    # adversarial worlds: all off here; each one changes only what it names
    drift_admission: float = 0.0  # added to the log-hazard of admission for each year since the first day
    drift_engagement: float = 0.0  # added to the logit of attending for each year since the first day
    policy_year: float = 0.0  # years after the first day on which a policy begins; 0 for never
    policy_cadence: float = 1.0  # from then on, multiplies the days between contacts
    policy_remote: float = 0.0  # from then on, this share of face-to-face routine contacts is by telephone
    informative_missing: float = 0.0  # tests vanish with chance 1 - exp(-this x severity above the ordinary)
    list_feedback: float = (
        0.0  # probability that somebody who missed two contacts is put on a list, seen within days and reviewed
    )

    def to_record(self) -> np.ndarray:
        """The same numbers as a one-row structured array that compiled code reads by name."""
        row = np.zeros(1, dtype=np.dtype([(field.name, "f8") for field in fields(self)], align=True))
        for name, value in asdict(self).items():
            row[0][name] = value
        return row
