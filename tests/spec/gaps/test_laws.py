"""What holds for every gap: the codes, their words, their marks, their evidence; and names that agree with the
regimen's numbers."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import CATALOGUE, Records, build, find_gaps
from features.gaps import CODES, citations, people
from features.gaps.person_view import meant
from features.gaps.rules.engagement import changes
from features.gaps.rules.prescribing import antipsychotics, interactions
from features.gaps.rules.supply import oral
from features.kernels.regimen import OVER_DAYS
from features.medicines.courses import by_base, first_of_each
from features.records import day_of
from features.records.tables import TABLES
from features.reference import PROTOCOLS, THRESHOLDS, groups
from tests.examples import examples
from tests.spec.gaps import test_golden as golden_set
from tests.spec.gaps.golden import AS_OF, records_of
from tests.spec.gaps.test_golden import CASES, answers

REASON_CODES = [
    "CLZ_FBC_OVERDUE",
    "CLZ_BREAK",
    "CLZ_RESULT_RED_AMBER",
    "CLZ_LEVEL_SMOKING",
    "CLZ_GI_HYPOMOTILITY",
    "LI_LEVEL_OVERDUE",
    "LI_LEVEL_ABNORMAL",
    "LI_RENAL_THYROID_CALCIUM",
    "LAI_OVERDUE",
    "POST_DISCHARGE_RECONCILE",
    "BP_PULSE_QTC",
    "INTERACTION_NEW",
    "VALPROATE_PPP",
    "NO_ANTIPSYCHOTIC",
    "INTERACTION_STANDING",
    "STOCK_AT_HOME",
    "LAI_SAFE_USE",
    "RESULT_DANGEROUS",
    "ALLERGY_CONFLICT",
    "DOSE_ABOVE_MAXIMUM",
    "PREGNANCY_RISK",
]
OTHER_CODES = [
    "SUPPLY_GAP_ORAL",
    "ADHERENCE_FALLING",
    "REGIMEN_CHANGE_RECENT",
    "HDAT",
    "ANTIPSYCHOTIC_POLYPHARMACY",
    "TRS_NO_CLOZAPINE",
    "METABOLIC_WORSENING",
    "MONITORING_NEVER_DONE",
    "SIDE_EFFECT_BURDEN",
    "ANTICHOLINERGIC_BURDEN",
    "BZD_Z_PREGABALIN_LONG",
    "DNA_PATTERN",
    "NO_CONTACT",
    "CRISIS_SIGNAL",
    "EQUALITY_NEED_UNMET",
    "MEDICINES_REVIEW_OVERDUE",
    "ALLERGY_NOT_RECORDED",
    "SHARED_CARE_UNCLEAR",
    "ANTIPSYCHOTIC_NEED",
    "MONITORING_OVERDUE",
    "SMOKING_CHANGE",
    "CTO_TREATMENT_FORM",
    "LIVING_SITUATION",
    "WITHDRAWAL_RISK",
]
FORBIDDEN = re.compile(
    r"\b(age|aged|years old|elderly|sex|male|female|man|men|woman|women|gender|ethnic\w*|race|black|white "
    r"british|south asian|language|english|"
    r"disab\w*|autis\w*|housing|homeless\w*|hostel|depriv\w*|because|due "
    r"to|caused|non-?complian\w*|non-?adheren\w*|refus\w*|fail\w*|"
    r"not done|low risk|suicid\w*)\b",
    re.IGNORECASE,
)


def test_the_codes_and_their_safety_marks():
    assert {code for code, row in CODES.items() if row.safety} == set(REASON_CODES)
    assert {code for code, row in CODES.items() if not row.safety} == set(OTHER_CODES)


def test_every_code_fires_and_does_not_fire_in_the_golden_set():
    fires = Counter(case.code for case in CASES if case.severity != "-")
    silent = Counter(case.code for case in CASES if case.severity == "-")
    assert set(fires) == set(silent) == set(CODES)
    assert len(CASES) >= 300


@pytest.mark.parametrize("code", CODES)
def test_titles_actions_and_standards_avoid_blame_cause_and_protected_characteristics(code):
    row = CODES[code]
    for text in (row.title, row.standard, row.action.replace("do not discharge", "")):
        assert not FORBIDDEN.search(text), text


def test_values_and_evidence_avoid_blame_cause_and_protected_characteristics():
    for gaps in answers():
        for gap in gaps:
            for text in (gap["value"], *(row["what"] for row in gap["evidence"])):
                assert not FORBIDDEN.search(text), text


def test_a_person_of_whom_nothing_is_recorded_is_not_silent():
    nothing = Records.from_frames({"patients": pd.DataFrame({"patient_id": ["anna"]})})
    found = find_gaps(nothing, AS_OF)
    assert found["code"].tolist() == ["NO_CONTACT", "ALLERGY_NOT_RECORDED"]
    assert found["value"].tolist() == ["no attended contact recorded", "allergy status not recorded"]
    assert not found["verified"].any()


def test_the_verified_mark_comes_from_the_rows_behind_the_gap():
    marked = re.compile(r"unverified|\[D\]|\[R\]", re.IGNORECASE)
    seen = Counter()
    for gaps in answers():
        for gap in gaps:
            assert gap["verified"] is (not marked.search(gap["source"])), gap["source"]
            seen[gap["verified"]] += 1
    assert min(seen[True], seen[False]) > 50


def test_facts_take_their_mark_from_the_reference_row():
    for key, row in THRESHOLDS.items():
        assert citations.threshold(key) == (f"{key}: {row.source.strip()}", "unverified" not in row.source)
    for place, row in enumerate(PROTOCOLS):
        assert citations.protocol(place).verified == ("unverified" not in row.source)
    assert citations.interaction("ix024").verified
    assert not citations.interaction("ix012").verified
    assert not citations.group("qt prolonging medicine").verified


def test_evidence_rows_are_the_persons_own_and_carry_their_day():
    frames = {name: golden_set.records()[name] for name in TABLES}
    for gap in golden_set.found().to_dict("records"):
        for row in gap["evidence"]:
            frame = frames[row["table"]]
            source = frame.iloc[row["row"]]
            assert source["patient_id"] == gap["patient_id"]
            days = {
                source[c.name].date().isoformat()
                for c in TABLES[row["table"]].columns
                if c.kind == "date" and not pd.isna(source[c.name])
            }
            assert row["on"] in days, gap["code"]


def test_due_date_and_days_overdue_agree():
    for gaps in answers():
        for gap in gaps:
            if pd.isna(gap["due_on"]):
                assert pd.isna(gap["days_overdue"])
            elif gap["code"] not in ("CLZ_BREAK", "SUPPLY_GAP_ORAL"):  # days in hospital are left out
                assert gap["days_overdue"] == max(0, (AS_OF - gap["due_on"].date()).days), gap["code"]


def test_share_covered_is_the_features_own():
    records = records_of([case for case in CASES if "lithium" in case.tables.get("supplies", "")])
    spine = pd.DataFrame({"patient_id": records.patient_ids, "as_of": AS_OF})
    feature = build(records, spine, ["lithium_covered_share_90d"]).values[:, 0]
    t = day_of(AS_OF)
    compared = 0
    for value, person in zip(feature, people(records, np.arange(len(records)), t), strict=True):
        courses = oral.classes(person).get("lithium")
        if courses and not np.isnan(value):
            assert oral.covered(person, courses, t - 90, t) == pytest.approx(value, abs=1e-6)
            compared += 1
    assert compared > 50


MEDICINES_TRIED = (
    "clozapine",
    "olanzapine",
    "haloperidol",
    "haloperidol decanoate injection",
    "citalopram",
    "lithium",
    "valproate",
    "lamotrigine",
    "diazepam",
    "pregabalin",
    "procyclidine",
    "ibuprofen",
    "ramipril",
    "morphine",
)
SUPPLIES = st.lists(
    st.tuples(
        st.sampled_from(MEDICINES_TRIED),
        st.integers(0, 400),
        st.sampled_from((7, 28, 56, 90)),
        st.sampled_from((None, 5.0, 10.0, 20.0)),
        st.booleans(),
        st.sampled_from(("trust", "gp", None)),
    ),
    min_size=1,
    max_size=25,
)


def last_of_each_side(person) -> dict[str, list[int]]:
    """Of each medicine, the last days on which trust and GP supplied it, regularly or when needed."""
    sides: dict[str, list[int]] = {}
    for course in person.courses:
        known = sides.setdefault(course.medicine.name, list(course.seen))
        sides[course.medicine.name] = [max(days) for days in zip(known, course.seen, strict=True)]
    return sides


@settings(max_examples=examples(40), deadline=None)
@given(SUPPLIES)
def test_names_agree_with_the_numbers_of_the_regimen(supplies):
    frame = pd.DataFrame(
        [
            {
                "patient_id": "anna",
                "medicine": name,
                "supplied_on": pd.Timestamp(AS_OF) - pd.Timedelta(days=ago),
                "days_supplied": days,
                "daily_dose_mg": dose,
                "dose_mg": dose,
                "as_required": required,
                "prescriber": prescriber,
            }
            for name, ago, days, dose, required, prescriber in supplies
        ]
    )
    frame["known_on"] = frame["supplied_on"]
    made = Records.from_frames({"patients": pd.DataFrame({"patient_id": ["anna"]}), "supplies": frame})
    t = day_of(AS_OF)
    (person,) = people(made, np.array([0]), t)
    held = antipsychotics.antipsychotics(person)
    shares = [share for share in map(antipsychotics.percent, held) if share is not None]
    pairs = interactions.important_pairs(person)
    dependence = [c for c in person.current if c.medicine.name in groups()["dependence forming"]]
    named = {
        "antipsychotics": len(by_base(held)),
        "antipsychotics_60d": len(by_base(c for c in held if t - c.start > OVER_DAYS)),
        "psychotropics": len(by_base(c for c in person.current if c.medicine.is_psychotropic)),
        "percent_of_max": sum(shares) if shares else np.nan,
        "acb_total": sum(c.medicine.acb_score for c in first_of_each(person.current)),
        "qt_medicines": len(person.on(meant("qt prolonging medicine"))),
        "regular_items": sum(not c.required for c in person.current),
        "as_required_items": sum(c.required for c in person.current),
        "dependence_days": max((t - c.start for c in dependence), default=0),
        "starts_28d": len(changes.starts(person)),
        "stops_28d": len(changes.stops(person)),
        "shared_prescribing_90d": sum(min(both) >= t - 90 for both in last_of_each_side(person).values()),
        "prescriber_changes_180d": sum(t - day <= 180 for c in person.courses for day, _, _ in c.sides),
        "interactions": len(pairs),
        "new_interactions_30d": sum(t - max(a.start, b.start) <= 30 for a, b, _ in pairs),
        "procyclidine_days": max((t - c.start for c in person.base("procyclidine")), default=0),
    }
    if not person.courses:  # every supply lies on or after the day
        return
    assert named == pytest.approx({name: person.regimen(name) for name in named}, nan_ok=True)


@pytest.mark.parametrize(
    ("code", "feature"),
    [
        ("CLZ_FBC_OVERDUE", "clozapine_fbc_days_past_due"),
        ("CLZ_BREAK", "clozapine_gap_days"),
        ("LI_LEVEL_OVERDUE", "lithium_level_days_past_due"),
        ("LAI_OVERDUE", "depot_days_past_due"),
    ],
)
def test_days_overdue_are_the_features_own(code, feature):
    gaps = golden_set.found().query("code == @code and days_overdue.notna()").set_index("patient_id")
    spine = pd.DataFrame({"patient_id": gaps.index, "as_of": AS_OF})
    values = build(golden_set.records(), spine, [feature]).values[:, 0]
    assert len(gaps) > 5
    np.testing.assert_array_equal(values, gaps["days_overdue"].clip(upper=CATALOGUE[feature].high).to_numpy())
