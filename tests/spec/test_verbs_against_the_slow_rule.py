"""Hypothesis makes histories with ties, same-day rows, late rows, leap days and empty tables; every kernel agrees with
the slow rule."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import CATALOGUE, Feature, Records, build
from features.engine import EVER, stream, supplies_of
from features.engine.plan import walks_for
from features.records.days import day_of
from features.records.tables import TABLES
from tests.examples import examples
from tests.spec import due_or_done
from tests.spec.oracle import DAY, SLOW, History, answer

FIRST = dt.date(2023, 12, 1)
PATIENTS = ("anna", "bede")
days = st.integers(0, 520).map(lambda n: FIRST + dt.timedelta(days=n)) | st.just(dt.date(2024, 2, 29))
delays = st.sampled_from([0, 0, 1, 2, 14, 60])


def later(day: dt.date, delay: int) -> dt.date:
    return day + dt.timedelta(days=delay)


@st.composite
def contacts(draw):
    day = draw(days)
    outcome = draw(st.sampled_from(OUTCOMES))
    booked = draw(st.sampled_from([None, 0, 1, 7, 30, 400]))
    booked_on = None if booked is None else later(day, -booked)
    known_on = later(day, draw(delays)) if booked is None else later(booked_on, draw(delays))
    told = draw(st.sampled_from([0, 1, 14, -1, -5]) if outcome.startswith("cancelled") else delays)
    return {
        "patient_id": draw(st.sampled_from(PATIENTS)),
        "contact_on": day,
        "booked_on": booked_on,
        "mode": draw(st.sampled_from(["face_to_face", "video", "telephone", "text", None])),
        "kind": draw(st.sampled_from(["routine", "crisis", "carer", "medicines_review", None])),
        "outcome": outcome,
        "staff_id": draw(st.sampled_from(["s1", "s2", "s3", None])),
        "known_on": known_on,
        "outcome_known_on": None if outcome == "planned" else later(day, told),
    }


OUTCOMES = [
    *("attended", "attended", "did_not_attend"),
    *("cancelled_by_patient", "cancelled_by_service", "planned"),
]


@st.composite
def supplies(draw):
    day = draw(days)
    medicine = draw(
        st.sampled_from(
            [
                "clozapine",
                "olanzapine",
                "lithium",
                "lorazepam",
                "ibuprofen",
                "procyclidine",
                "haloperidol decanoate injection",
            ]
        )
    )
    depot = medicine.endswith("injection")
    return {
        "patient_id": draw(st.sampled_from(PATIENTS)),
        "medicine": medicine,
        "route": "long_acting_injection" if depot else "oral",
        "kind": draw(st.sampled_from(["administered", "dispensed", "prescribed", None] if depot else KINDS)),
        "supplied_on": day,
        "days_supplied": None if depot else draw(st.sampled_from([7, 14, 28, 56, None])),
        "interval_days": draw(st.sampled_from([14, 28, None])) if depot else None,
        "daily_dose_mg": draw(st.sampled_from([5.0, 10.0, 300.0, None])),
        "dose_mg": draw(st.sampled_from([50.0, 300.0, None])) if depot else None,
        "prescriber": draw(st.sampled_from(["trust", "gp", None])),
        "as_required": draw(st.sampled_from([False, False, True, None])),
        "status": draw(st.sampled_from(STATUSES)),
        "known_on": later(day, draw(delays)),
    }


KINDS = ["dispensed", "dispensed", "prescribed", "administered", None]
STATUSES = [None, None, None, "supplied", "reversed", "planned", "not_given", "part_returned"]


@st.composite
def results(draw):
    day = draw(days)
    return {
        "patient_id": draw(st.sampled_from(PATIENTS)),
        "test": "weight",
        "taken_on": day,
        "value": draw(st.sampled_from([60.0, 71.5, 80.25, None])),
        "unit": "kg",
        "known_on": later(day, draw(delays)),
    }


@st.composite
def stays(draw):
    day = draw(days)
    end = draw(st.one_of(st.none(), st.integers(0, 40).map(lambda n: later(day, n))))
    return {
        "patient_id": draw(st.sampled_from(PATIENTS)),
        "admitted_on": day,
        "discharged_on": end,
        "method": draw(st.sampled_from(["emergency", "planned", "transfer", None])),
        "known_on": later(day, draw(delays)),
        "discharge_known_on": None if end is None else later(end, draw(delays)),
    }


@st.composite
def referrals(draw):
    day = draw(days)
    end = draw(st.one_of(st.none(), st.integers(0, 300).map(lambda n: later(day, n))))
    return {
        "patient_id": draw(st.sampled_from(PATIENTS)),
        "team_id": "t1",
        "opened_on": day,
        "closed_on": end,
        "close_reason": None if end is None else draw(st.sampled_from(["planned_end", "did_not_attend", None])),
        "known_on": later(day, draw(delays)),
        "closed_known_on": None if end is None else later(end, draw(delays)),
    }


MAKERS = {
    "contacts": contacts(),
    "supplies": supplies(),
    "results": results(),
    "stays": stays(),
    "referrals": referrals(),
}


def frame(rows: list[dict], name: str) -> pd.DataFrame:
    made = pd.DataFrame(rows)
    key = {"contacts": "contact_id", "referrals": "referral_id"}.get(name)
    if key and rows:
        made[key] = [f"{key}-{n}" for n in range(len(rows))]
    return made


EXTRA = tuple(
    Feature(
        f"weight_{verb}",
        "side_effects",
        verb,
        stream("results", test="weight"),
        window,
        missing,
        "kg",
        -1e5,
        1e5,
        0,
        "A test.",
        value="value",
    )
    for verb, missing in (
        ("total", "zero"),
        ("mean", "unknown"),
        ("highest", "unknown"),
        ("lowest", "unknown"),
        ("slope", "unknown"),
    )
    for window in (90, EVER)
)
FEATURES = (*(f for f in CATALOGUE if f.verb not in {rule.__name__ for rule in due_or_done.RULES}), *EXTRA)


def test_every_verb_has_a_slow_rule():
    """Those of the schedule stand in due_or_done.py and are compared in test_due_against_the_slow_rule.py."""
    assert {f.verb for f in CATALOGUE} <= set(SLOW) | {rule.__name__ for rule in due_or_done.RULES}


@pytest.mark.parametrize("focus", list(MAKERS))
@settings(
    max_examples=examples(12), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(data=st.data())
def test_kernels_agree_with_the_slow_rule(focus, data):
    frames = {"patients": pd.DataFrame({"patient_id": [*PATIENTS, "nobody"]})}
    for name, maker in MAKERS.items():
        rows = data.draw(st.lists(maker, max_size=14 if name == focus else 3), label=name)
        if rows:
            frames[name] = frame(rows, name)
    records = Records.from_frames(frames, today=dt.date(2026, 1, 1))
    dates = set(data.draw(st.lists(days, min_size=1, max_size=2, unique=True), label="as_of"))
    if focus in frames:  # and a day on which an event stands on the edge of a window
        event = data.draw(st.sampled_from(sorted(frames[focus][TABLES[focus].event_day])), label="event")
        window = data.draw(st.sampled_from(sorted({f.window for f in FEATURES if f.table == focus})), label="window")
        edge = event + data.draw(st.sampled_from([window, window + 1]), label="days after") * DAY
        dates.add(min(edge, dt.date(2026, 1, 1)))
    spine = pd.DataFrame([(p, t) for t in dates for p in (*PATIENTS, "nobody")], columns=["patient_id", "as_of"])
    reads = {focus, "stays"} if focus == "supplies" else {focus}
    chosen = [f for f in FEATURES if f.table in reads]
    matrix = build(records, spine, chosen, threads=1)
    # The slow rule reads the version of each row that was known on the day; test_versions.py holds what that is.
    histories = {as_of: History(records.as_known(day_of(as_of))) for as_of in dates}
    for row, (patient, as_of) in enumerate(zip(spine["patient_id"], spine["as_of"], strict=True)):
        for column, feature in enumerate(chosen):
            expected = np.float32(answer(feature, histories[as_of], patient, as_of))
            np.testing.assert_allclose(
                matrix.values[row, column],
                expected,
                rtol=1e-4,
                atol=1e-4,
                err_msg=f"{feature.name} of {patient} on {as_of}",
            )


near = st.integers(0, 40).map(lambda n: FIRST + dt.timedelta(days=n))


@st.composite
def planned(draw):
    """A contact in few days, so that bookings are often made on the day of another contact."""
    row = draw(contacts()) | {"contact_on": draw(near)}
    booked_on = later(row["contact_on"], -draw(st.integers(0, 12))) if draw(st.booleans()) else None
    told = None if row["outcome"] == "planned" else later(row["contact_on"], draw(delays))
    known_on = later(booked_on or row["contact_on"], draw(delays))
    return row | {"booked_on": booked_on, "known_on": known_on, "outcome_known_on": told}


@settings(max_examples=examples(40), deadline=None)
@given(rows=st.lists(planned(), min_size=6, max_size=14), dates=st.lists(near, min_size=1, max_size=4, unique=True))
def test_planned_gaps_agree_with_the_slow_rule(rows, dates):
    frames = {"patients": pd.DataFrame({"patient_id": [*PATIENTS]}), "contacts": frame(rows, "contacts")}
    records = Records.from_frames(frames, today=dt.date(2026, 1, 1))
    spine = pd.DataFrame([(p, t) for t in dates for p in PATIENTS], columns=["patient_id", "as_of"])
    chosen = [feature for feature in CATALOGUE if feature.verb == "planned_gap"]
    values = build(records, spine, chosen, threads=1).values
    histories = {as_of: History(records.as_known(day_of(as_of))) for as_of in dates}
    for row, (patient, as_of) in enumerate(zip(spine["patient_id"], spine["as_of"], strict=True)):
        expected = [np.float32(answer(feature, histories[as_of], patient, as_of)) for feature in chosen]
        np.testing.assert_allclose(values[row], expected, rtol=1e-4, err_msg=f"{patient} on {as_of}")


WEIGHT = stream("results", test="weight")
SUMS = tuple(
    Feature(
        f"weight_{verb}_{window}", "side_effects", verb, WEIGHT, window, missing, "kg", 0, 1e5, 0, "A test.",
        value=value
    )
    for verb, missing, value in (("count", "zero", ""), ("total", "zero", "value"), ("mean", "unknown", "value"))
    for window in (1, 28, 90, EVER)
)  # fmt: skip


@settings(max_examples=examples(30), deadline=None)
@given(data=st.data())
def test_the_loop_for_sums_agrees_with_the_slow_rule_and_the_general_loop(data):
    rows = data.draw(st.lists(results(), min_size=1, max_size=14), label="results")
    frames = {"patients": pd.DataFrame({"patient_id": [*PATIENTS, "nobody"]}), "results": frame(rows, "results")}
    records = Records.from_frames(frames, today=dt.date(2026, 1, 1))
    event = data.draw(st.sampled_from(sorted(row["taken_on"] for row in rows)), label="event")
    edges = {event + n * DAY for n in (0, 1, 2, 28, 29)}
    dates = sorted(edges | set(data.draw(st.lists(days, max_size=3), label="as_of")))
    spine = pd.DataFrame([(p, t) for t in dates for p in (*PATIENTS, "nobody")], columns=["patient_id", "as_of"])
    alone = build(records, spine, SUMS, threads=1).values
    highest = next(feature for feature in EXTRA if feature.verb == "highest")
    in_company = build(records, spine, (*SUMS, highest), threads=1).values[:, : len(SUMS)]
    assert alone.tobytes() == in_company.tobytes()
    counted_only = [feature for feature in SUMS if feature.verb == "count"]  # no value is read
    assert build(records, spine, counted_only, threads=1).values.tobytes() == alone[:, : len(counted_only)].tobytes()
    history = History(records)
    for row, (patient, as_of) in enumerate(zip(spine["patient_id"], spine["as_of"], strict=True)):
        expected = [np.float32(answer(feature, history, patient, as_of)) for feature in SUMS]
        np.testing.assert_allclose(alone[row], expected, rtol=1e-6, err_msg=f"{patient} on {as_of}")


def test_sums_do_not_depend_on_the_row_before():
    """The loop continues from where the row before ended. ``build`` puts rows in order, and here they are not; all is
    known ahead, so only the day decides."""
    made = pd.DataFrame(
        {"patient_id": "anna", "contact_on": pd.date_range("2025-01-01", periods=40, freq="5D"), "outcome": "attended"}
    )
    made = pd.concat([made, made.tail(2).assign(patient_id="bede")], ignore_index=True)
    made = made.assign(contact_id=[f"c{n}" for n in range(42)], known_on="2024-12-01", outcome_known_on="2024-12-01")
    records = Records.from_frames({"patients": pd.DataFrame({"patient_id": ["anna", "bede"]}), "contacts": made})
    contacts = Feature(
        "contacts", "engagement", "count", stream("contacts"), EVER, "zero", "contacts", 0, 99, 0, "A test."
    )
    (walk,) = walks_for(records, [contacts])
    asked = [
        (0, "2025-03-02"),
        (0, "2025-01-01"),
        (0, "2025-01-02"),
        (1, "2025-07-12"),
        (0, "2025-08-01"),
        (1, "2025-08-01"),
    ]
    person, dates = np.array([who for who, _ in asked]), np.array([day_of(day) for _, day in asked], np.int32)
    values = np.empty((len(asked), 1), np.float32)
    walk(person, dates, np.arange(len(asked)), values)
    assert values[:, 0].tolist() == [12, 0, 1, 1, 40, 2]


def test_a_supply_split_into_two_halves_leaves_coverage_unchanged():
    whole = [("anna", "lithium", "2025-01-01", 28), ("anna", "lithium", "2025-02-10", 28)]
    halves = [
        ("anna", "lithium", "2025-01-01", 14),
        ("anna", "lithium", "2025-01-15", 14),
        ("anna", "lithium", "2025-02-10", 28),
    ]
    values = []
    for rows in (whole, halves):
        made = pd.DataFrame(rows, columns=["patient_id", "medicine", "supplied_on", "days_supplied"])
        records = Records.from_frames({"patients": pd.DataFrame({"patient_id": ["anna"]}), "supplies": made})
        spine = pd.DataFrame({"patient_id": ["anna"], "as_of": ["2025-03-20"]})
        names = ["lithium_covered_share_90d", "lithium_gap_days", "lithium_longest_gap_365d"]
        values.append(build(records, spine, names).values.tolist())
    assert values[0] == values[1]


def test_scopes_of_clinical_names():
    assert "clozapine" not in dict(supplies_of("antipsychotic_any_except_clozapine").where)["medicine"]
    assert "olanzapine embonate injection" in dict(supplies_of("antipsychotic_long_acting_injection").where)["medicine"]
