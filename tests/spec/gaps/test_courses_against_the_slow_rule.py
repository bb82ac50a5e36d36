"""The compiled loop over supplies finds the courses that a slow one in plain Python finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from features import Records
from features.medicines import regimen
from features.medicines.courses import KEPT_DAYS, course_columns, courses_of
from features.records.days import day_of
from features.reference import MEDICINES

NAMES = ("clozapine", "olanzapine", "paliperidone injection monthly", "lithium")
_MEDICINES = tuple(MEDICINES.values())
AS_OF = day_of("2026-01-04")


def _extract(seed: int) -> Records:
    """Supplies of two people over three years: gaps, early collections, late knowledge, changes of dose and side."""
    draw = np.random.default_rng(seed)
    rows = []
    for who in ("one", "two"):
        for name in (n for n in NAMES if n in MEDICINES):
            for day in np.sort(draw.integers(1, 1100, 14)):
                on = pd.Timestamp("2026-01-04") - pd.Timedelta(days=int(day) - 20)
                rows.append(
                    {
                        "patient_id": who,
                        "medicine": name,
                        "kind": str(draw.choice(["dispensed", "prescribed"])),
                        "supplied_on": on,
                        "known_on": on + pd.Timedelta(days=int(draw.integers(0, 40))),
                        "days_supplied": float(draw.choice([7, 28, 56])),
                        "daily_dose_mg": float(draw.choice([5, 10, np.nan])),
                        "prescriber": str(draw.choice(["trust", "gp"])),
                        "as_required": bool(draw.random() < 0.2) and "injection" not in name,
                    }
                )
    people = pd.DataFrame({"patient_id": ["one", "two"]})
    return Records.from_frames({"patients": people, "supplies": pd.DataFrame(rows)})


def _slowly(taking: regimen.RegimenInputs, place: int, as_of: int) -> dict[tuple[str, bool], dict[str, Any]]:
    found: dict[tuple[str, bool], dict[str, Any]] = {}
    for row in range(int(taking.offsets[place]), int(taking.offsets[place + 1])):
        day, length, dose = int(taking.day[row]), int(taking.length[row]), float(taking.dose_mg_a_day[row])
        if day >= as_of or taking.known[row] >= as_of or taking.until[row] < as_of:
            continue
        name, side = _MEDICINES[taking.medicine[row]].name, int(taking.prescriber[row])
        held = name, bool(taking.as_required[row])
        one = found.get(held)
        if one is None:
            one = found[held] = {"start": day, "end": day, "first": day, "past": [], "spans": [], "doses": []}
            one |= {"sides": [], "side": -1, "first_row": row}
        elif day > one["end"] + 90:
            one["past"].append((one["start"], one["end"]))
            one["start"] = one["end"] = day
            one["first_row"] = row
        begin = min(max(day, one["end"]), day + 7)
        one["end"] = max(one["end"], begin + length)
        one["last_row"] = row
        if one["end"] > as_of - KEPT_DAYS:
            one["spans"].append((begin, one["end"]))
        known = one["doses"][-1] if one["doses"] else (None, None)
        if dose == dose and not (known[1] == dose and known[0] >= one["start"]):
            one["doses"].append((day, dose))
        if side >= 0 and one["side"] != side:
            one["sides"] += [(day, one["side"], side)] if one["side"] >= 0 else []
            one["side"] = side
    return found


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("before", [0, 250, 800])
def test_the_courses_of_each_person_are_those_of_the_slow_rule(seed: int, before: int) -> None:
    taking, as_of = regimen.prepare(_extract(seed)), AS_OF - before
    for place, courses in enumerate(courses_of(course_columns(taking, np.array([0, 1]), as_of), 2, _MEDICINES)):
        slow = _slowly(taking, place, as_of)
        assert [(c.medicine.name, c.required) for c in courses] == list(slow)
        for course in courses:
            one = slow[course.medicine.name, course.required]
            assert (course.start, course.end, course.first_start) == (one["start"], one["end"], one["first"])
            assert (course.first_row, course.last_row) == (one["first_row"], one["last_row"])
            assert (course.past, course.spans) == (one["past"], one["spans"])
            assert (course.doses, course.sides) == (one["doses"], one["sides"])
            latest = one["doses"][-1] if one["doses"] else None
            assert course.dose == (latest[1] if latest and latest[0] >= one["start"] else None)


def test_people_without_supplies_have_no_course() -> None:
    records = Records.from_frames({"patients": pd.DataFrame({"patient_id": ["one", "two"]})})
    assert courses_of(course_columns(regimen.prepare(records), np.array([1, 0]), AS_OF), 2, _MEDICINES) == [[], []]
