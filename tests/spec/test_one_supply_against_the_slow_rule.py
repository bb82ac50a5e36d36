"""Which rows stand on each day, and for what: the compiled step against the slow rule, on rows that lie close
together."""

from __future__ import annotations

import datetime as dt
import math

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from features import Records
from features.medicines.supply_days import supplies_once
from features.records.days import day_of
from tests.examples import examples
from tests.spec.one_supply import one_supply
from tests.spec.oracle import DAY, History

FIRST = dt.date(2025, 1, 1)


@st.composite
def rows(draw, medicine):
    day = FIRST + draw(st.integers(0, 8)) * DAY
    depot = medicine.endswith("injection")
    return {
        "patient_id": "anna",
        "medicine": medicine,
        "kind": draw(st.sampled_from(["prescribed", "dispensed", "administered", None])),
        "supplied_on": day,
        "days_supplied": None if depot else draw(st.sampled_from([7, 28, None])),
        "interval_days": draw(st.sampled_from([14, None])) if depot else None,
        "daily_dose_mg": draw(st.sampled_from([100.0, 200.0])),
        "dose_mg": 50.0 if depot else None,
        "prescriber": draw(st.sampled_from(["trust", "gp", None])),
        "status": draw(st.sampled_from([None, None, "supplied", "reversed", "planned", "part_returned"])),
        "known_on": day + draw(st.integers(0, 4)) * DAY,
    }


@settings(max_examples=examples(60), deadline=None)
@given(
    st.sampled_from(["clozapine", "haloperidol decanoate injection"]).flatmap(lambda m: st.lists(rows(m), max_size=7))
)
def test_each_day_reads_the_rows_that_the_slow_rule_reads(drawn):
    patients = pd.DataFrame({"patient_id": ["anna"]})
    frame = pd.DataFrame(drawn, columns=list(drawn[0]) if drawn else ["patient_id", "medicine", "supplied_on"])
    records = Records.from_frames({"patients": patients, "supplies": frame}, today=dt.date(2026, 1, 1))
    kept, once = History(records).of("supplies", "anna"), supplies_once(records)
    for number in range(45):
        today = FIRST + number * DAY
        seen = [row for row in kept if row["supplied_on"] < today and row["known_on"] < today]
        slow = [(row["supplied_on"], row["known_on"], row["stands_for"], row["dose_a_day"]) for row in one_supply(seen)]
        t = day_of(today)
        fast = [
            (row["supplied_on"], row["known_on"], int(once.length[i]), _or_none(once.dose_mg_a_day[i]))
            for i, row in enumerate(kept)
            if day_of(row["supplied_on"]) < t and day_of(row["known_on"]) < t <= once.until[i]
        ]
        assert fast == slow, today


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
