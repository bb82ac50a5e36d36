"""A law: a record made worse never leaves the person with less said, or said more mildly, about that medicine.

Worse is: the latest supplies taken away, a reassuring test or a review removed, or a dose raised. What may change is
which gap speaks. A review that was held after a medicine ran out is a recorded decision: supplies are taken away from
people without one, and the review itself is taken away from all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from features import Records, find_gaps
from features.gaps.gap import SEVERITIES
from features.reference import TESTS
from tests.examples import examples
from tests.spec.gaps.golden import AS_OF

ABOUT = {
    "clozapine": ("CLZ_BREAK", "NO_ANTIPSYCHOTIC"),
    "injection": ("LAI_OVERDUE", "NO_ANTIPSYCHOTIC"),
    "olanzapine": ("SUPPLY_GAP_ORAL", "NO_ANTIPSYCHOTIC"),
    "lithium": ("SUPPLY_GAP_ORAL",),
    "lamotrigine": ("SUPPLY_GAP_ORAL",),
    "sertraline": ("WITHDRAWAL_RISK",),
}
"""The gaps that tell of a medicine that is not in hand."""
NAMES = {"injection": "haloperidol decanoate injection"}
SILENT = len(SEVERITIES)


@dataclass(frozen=True)
class Drawn:
    """One person: a medicine collected every ``every`` days, last ``ago`` days ago, and what else is on record."""

    medicine: str
    every: int
    ago: int
    diagnosis: str | None
    reviewed: int | None
    hospital: bool

    def supplies(self, dropped: int) -> list[int]:
        return [self.ago + self.every * n for n in range(dropped, 14)]


DRAWN = st.builds(
    Drawn,
    st.sampled_from(sorted(ABOUT)),
    st.sampled_from((7, 14, 28)),
    st.integers(0, 120),
    st.sampled_from((None, "F20.0", "F31.7")),
    st.none() | st.integers(1, 200),
    st.booleans(),
)


def days_ago(days: int) -> pd.Timestamp:
    return pd.Timestamp(AS_OF) - pd.Timedelta(days=days)


def records(drawn: Drawn, dropped: int = 0, reviewed: bool = True) -> Records:
    injection = drawn.medicine == "injection"
    days = [days_ago(ago) for ago in drawn.supplies(dropped) if ago > 0]
    name = NAMES.get(drawn.medicine, drawn.medicine)
    supplies = pd.DataFrame({"patient_id": "anna", "medicine": name, "supplied_on": days, "known_on": days})
    supplies["kind"] = "administered" if injection else "dispensed"
    supplies["interval_days" if injection else "days_supplied"] = drawn.every
    frames: dict[str, Any] = {"patients": pd.DataFrame({"patient_id": ["anna"]}), "supplies": supplies}
    if drawn.diagnosis:
        on = days_ago(900)
        row = {"category": "diagnosis", "system": "icd10", "code": drawn.diagnosis, "recorded_on": on, "known_on": on}
        frames["conditions"] = pd.DataFrame([{"patient_id": "anna", **row}])
    if drawn.reviewed and reviewed:
        on = days_ago(drawn.reviewed)
        row = {"contact_id": "c1", "contact_on": on, "mode": "face_to_face", "kind": "medicines_review"}
        row |= {"outcome": "attended", "known_on": on, "outcome_known_on": on}
        frames["contacts"] = pd.DataFrame([{"patient_id": "anna", **row}])
    if drawn.hospital:
        stay = {"admitted_on": days_ago(160), "discharged_on": days_ago(140), "method": "planned", "ward": "acute"}
        stay |= {"known_on": days_ago(160), "discharge_known_on": days_ago(140)}
        frames["stays"] = pd.DataFrame([{"patient_id": "anna", **stay}])
    return Records.from_frames(frames)


def loudest(made: Records, codes: tuple[str, ...]) -> int:
    """Rank of the worst gap about a medicine: 0 is critical; after the last where there is none."""
    found = find_gaps(made, AS_OF)
    said = found[found["code"].isin(codes)]["severity"]
    return min((SEVERITIES.index(severity) for severity in said), default=SILENT)


@settings(max_examples=examples(40), deadline=None)
@given(DRAWN, st.integers(1, 6))
def test_supplies_taken_away_are_never_reported_as_less_severe(drawn: Drawn, dropped: int) -> None:
    codes = ABOUT[drawn.medicine]
    worse, as_it_is = records(drawn, dropped, reviewed=False), records(drawn, reviewed=False)
    assert loudest(worse, codes) <= loudest(as_it_is, codes)


@settings(max_examples=examples(20), deadline=None)
@given(DRAWN)
def test_a_review_that_is_not_there_is_never_reported_as_less_severe(drawn: Drawn) -> None:
    codes = ABOUT[drawn.medicine]
    assert loudest(records(drawn, reviewed=False), codes) <= loudest(records(drawn), codes)


COUNT = ("CLZ_FBC_OVERDUE",)


@settings(max_examples=examples(20), deadline=None)
@given(st.sampled_from((60, 200, 700)), st.lists(st.integers(1, 120), min_size=1, max_size=6, unique=True))
def test_a_blood_count_removed_is_never_reported_as_less_severe(start: int, counts: list[int]) -> None:
    def with_counts(ages: list[int]) -> Records:
        days = [days_ago(ago) for ago in sorted(ages, reverse=True)]
        began = days_ago(start)
        supplies = {"medicine": "clozapine", "supplied_on": began, "days_supplied": start + 28, "known_on": began}
        results = {"taken_on": days, "known_on": days, "value": 4.0, "unit": TESTS["anc"].unit}
        both = [pd.DataFrame({"patient_id": "anna", "test": test, **results}) for test in ("anc", "wbc")]
        return Records.from_frames(
            {
                "patients": pd.DataFrame({"patient_id": ["anna"]}),
                "supplies": pd.DataFrame([{"patient_id": "anna", **supplies}]),
                "results": pd.concat(both),
            }
        )

    assert loudest(with_counts(sorted(counts)[1:]), COUNT) <= loudest(with_counts(counts), COUNT)


@settings(max_examples=examples(20), deadline=None)
@given(st.sampled_from(("olanzapine", "haloperidol", "aripiprazole")), st.integers(1, 40), st.integers(1, 40))
def test_a_dose_raised_is_never_reported_as_less_severe(medicine: str, mg: int, more: int) -> None:
    def on(dose: int) -> Records:
        day = days_ago(20)
        row = {"medicine": medicine, "supplied_on": day, "days_supplied": 28, "daily_dose_mg": dose, "known_on": day}
        return Records.from_frames(
            {
                "patients": pd.DataFrame({"patient_id": ["anna"]}),
                "supplies": pd.DataFrame([{"patient_id": "anna", **row}]),
            }
        )

    assert loudest(on(mg + more), ("HDAT", "DOSE_ABOVE_MAXIMUM")) <= loudest(on(mg), ("HDAT", "DOSE_ABOVE_MAXIMUM"))


ECG = ("BP_PULSE_QTC", "INTERACTION_STANDING", "INTERACTION_NEW")


@settings(max_examples=examples(15), deadline=None)
@given(st.integers(1, 500), st.integers(1, 300))
def test_an_ecg_removed_or_older_is_never_reported_as_less_severe(ago: int, older: int) -> None:
    def with_ecg(age: int | None) -> Records:
        rows = [
            {"medicine": name, "supplied_on": days_ago(day), "days_supplied": 28, "known_on": days_ago(day)}
            for name in ("citalopram", "quetiapine")
            for day in range(200, 0, -28)
        ]
        frames = {
            "patients": pd.DataFrame({"patient_id": ["anna"]}),
            "supplies": pd.DataFrame([{"patient_id": "anna", **row} for row in rows]),
        }
        if age is not None:
            day = days_ago(age)
            ecg = {"patient_id": "anna", "test": "ecg_qtc", "taken_on": day, "known_on": day}
            frames["results"] = pd.DataFrame([ecg])
        return Records.from_frames(frames)

    as_it_is = loudest(with_ecg(ago), ECG)
    assert loudest(with_ecg(ago + older), ECG) <= as_it_is
    assert loudest(with_ecg(None), ECG) <= as_it_is
