"""Everybody with coded psychosis whose antipsychotics ended 91 to 730 days ago has a gap that says so.

Who they are is worked out here from the rows alone: the last day that a supply or an injection given lasts to.
"""

from __future__ import annotations

import pandas as pd
import pytest

from features import find_gaps
from features.kernels.coverage import CARRY_DAYS
from features.reference import MEDICINES
from training.simulator import simulate

SAYS_SO = {"NO_ANTIPSYCHOTIC", "CLZ_BREAK", "LAI_OVERDUE"}
INJECTED, REGULAR = (
    {name for name, m in MEDICINES.items() if m.is_antipsychotic and m.is_long_acting_injection is injected}
    for injected in (True, False)
)


@pytest.fixture(scope="module")
def untreated():
    """(records, day, people, inside): alive, psychosis coded, and nothing that lasts for 91 to 730 days; people at home
    since two months and more, and those in hospital now, where the ward supplies."""
    records = simulate(patients=1500, years=4, seed=37).records
    day = pd.Timestamp("1970-01-01") + pd.Timedelta(days=records.last_day_known() - 29)
    known = {
        name: frame[(frame.known_on < day) & (frame[on] < day)]
        for name, on in (("supplies", "supplied_on"), ("conditions", "recorded_on"), ("stays", "admitted_on"))
        for frame in [records[name]]
    }
    supplies = known["supplies"]
    supplies = supplies[supplies.medicine.isin(INJECTED | REGULAR)]
    injected = supplies.medicine.isin(INJECTED)
    given = ~injected | (supplies.kind.astype("string").fillna("administered") == "administered")
    regular = supplies.as_required.astype("string").fillna("").str.lower().isin(["yes", "true", "1"])
    supplies = supplies[given & ~regular]
    lasts = supplies.interval_days.where(supplies.medicine.isin(INJECTED), supplies.days_supplied).fillna(28)
    ended = (supplies.supplied_on + pd.to_timedelta(lasts, "D")).groupby(supplies.patient_id).max()
    since = (day - ended).dt.days
    stopped = set(since[(since > 90 + CARRY_DAYS) & (since <= 730)].index)
    coded = known["conditions"]
    psychosis = set(coded[(coded.category == "diagnosis") & coded.code.str.match(r"F2[0-9]", na=False)].patient_id)
    stays = known["stays"]
    inside = set(stays[~((stays.discharged_on < day) & (stays.discharge_known_on < day))].patient_id)
    lately = set(stays[stays.discharged_on >= day - pd.Timedelta(days=60)].patient_id)
    died = records["patients"]
    dead = set(died[died.died_on.notna()].patient_id)
    return (
        records,
        day,
        sorted((stopped & psychosis) - inside - lately - dead),
        sorted((stopped & psychosis & inside) - dead),
    )


def test_everybody_off_antipsychotics_with_coded_psychosis_has_the_gap(untreated):
    records, day, people, _ = untreated
    assert len(people) >= 20, "too few to prove anything: a larger trust is needed"
    found = find_gaps(records, day.date(), people)
    said = set(found[found.code.isin(SAYS_SO)].patient_id)
    assert said == set(people), f"silent about {sorted(set(people) - said)}"


def test_missing_treatment_of_an_inpatient_is_shown_with_low_severity(untreated):
    """What the ward gives is not in the extract: the line stays, low."""
    records, day, _, people = untreated
    assert people, "nobody to prove anything: another seed is needed"
    found = find_gaps(records, day.date(), people)
    line = found[found.code == "NO_ANTIPSYCHOTIC"]
    assert set(found[found.code.isin(SAYS_SO)].patient_id) == set(people)
    assert not line.safety.any() and set(line.severity) <= {"low"}
