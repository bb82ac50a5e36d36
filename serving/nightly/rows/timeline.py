"""The parts of a person's record that the pages show: the last year as events, the medicines held, adjustments
needed, and groups for the equality view.

Computed by the nightly run from the records of a shard, column by column, and stored with the scores, so that a page
reads no extract. Everything reads both clocks: a row counts only if it happened and became known before ``as_of``.
Days are whole numbers relative to ``as_of`` (-1 is the day before, 0 and above lie ahead), which is compact and the
same whatever the calendar.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from features import Records
from features.jit import jit
from features.kernels.coverage import carried
from features.kernels.regimen import CURRENT_GRACE_DAYS
from features.medicines import regimen
from features.medicines.supply_days import days_assumed, is_injection
from features.monitoring import due_dates
from features.records import NO_DAY, TABLES, day_of
from features.reference import MEDICINES
from serving.nightly.rows.circumstances import circumstances_of

WINDOW_DAYS, AHEAD_DAYS = 365, 90
ADJUSTMENTS = ("interpreter", "language", "accessible_format", "reasonable_adjustment")
NOT_NEEDED = frozenset(("not_required", "not required", "no", "none"))
UNKNOWN = "not recorded"
AGE_BANDS = ((0, "under 25"), (25, "25 to 44"), (45, "45 to 64"), (65, "65 and over"))

SUPPLY = ("day", "medicine", "kind", "injection", "from", "to", "mg", "as_required", "days_assumed")
RESULT = ("day", "test", "value")
DUE = ("test", "due", "last", "grace")
CONTACT = ("day", "kind", "mode", "outcome")
STAY = ("from", "to", "ward", "method")
"""The fields of one event of each list, in order. ``from`` and ``to`` of a supply are the days it covers, with
remaining stock carried over for at most ``CARRY_DAYS``; ``mg`` is a day's dose, or an injection's; ``days_assumed`` is
how many days were assumed where the record does not say how long it lasts, else 0."""

_Days = npt.NDArray[np.int32]


def timelines(records: Records, as_of: dt.date, people: Sequence[str]) -> list[dict[str, Any]]:
    """One row of the table ``timelines`` per person, without ``run_id``: current ``medicines``, ``adjustments`` and
    ``events``.
    """
    t, places = day_of(as_of), records.positions(people)
    supplies, held = _supplies(records, t)
    results, contacts, stays = _results(records, t), _contacts(records, t), _stays(records, t)
    dues, adjustments = _dues(records, t, places), _adjustments(records, t)
    circumstances = circumstances_of(records, t, places.tolist())
    return [
        {
            "patient_id": patient,
            "medicines": listed(held.get(place, ())),
            "adjustments": [list(kept) for kept in adjustments.get(place, {}).items()],
            "events": {
                "supplies": supplies.get(place, []),
                "results": results.get(place, []),
                "dues": dues[row],
                "contacts": contacts.get(place, []),
                "stays": stays.get(place, []),
                "circumstances": circumstances[row],
            },
        }
        for row, (patient, place) in enumerate(zip(people, places.tolist(), strict=True))
    ]


def listed(names: Iterable[str]) -> str:
    """Words as one text with commas around each, so that SQL can search for one:
    ``,clozapine,lithium,``.
    """
    found = sorted(set(names))
    return f",{','.join(found)}," if found else ""


def _supplies(records: Records, t: int) -> tuple[dict[int, list[Any]], dict[int, list[str]]]:
    """Supplies that touch the window, by person, each once even if several rows describe it; and the names of the
    medicines each holds now."""
    taking, patient, injection = regimen.prepare(records), records.tables["supplies"].patient, is_injection(records)
    columns, assumed = records.columns("supplies"), days_assumed(records)
    stands = np.flatnonzero((taking.day < t) & (taking.known < t) & (taking.until >= t))
    medicine = taking.medicine
    stands = stands[np.lexsort((stands, medicine[stands], patient[stands]))]
    begin, end = _covered(patient[stands].astype(np.int64), medicine[stands], taking.day[stands], taking.length[stands])
    now = end + CURRENT_GRACE_DAYS >= t
    names = np.array(list(MEDICINES), dtype=object)[medicine[stands]]
    held: dict[int, list[str]] = {}
    for place, name in zip(patient[stands][now].tolist(), names[now].tolist(), strict=True):
        held.setdefault(place, []).append(name)
    shown = np.flatnonzero(end > t - WINDOW_DAYS)
    rows = stands[shown]
    mg = np.where(injection[rows], columns["dose_mg"][rows], taking.dose_mg_a_day[rows])
    return _by_person(
        patient[rows],
        taking.day[rows] - t,
        names[shown],
        _words("supplies", "kind", columns["kind"][rows]),
        injection[rows].astype(int),
        begin[shown] - t,
        end[shown] - t,
        _number(mg),
        taking.as_required[rows].astype(int),
        np.where(assumed[rows], taking.length[rows], 0),
    ), held


@jit()
def _covered(person, medicine, day, length):  # type: ignore[no-untyped-def]
    """The days [from, to) that each supply covers, with remaining stock carried over by the rule of
    :func:`features.kernels.coverage.carried`. Rows of one person and medicine are together, in order of day."""
    begin, end = np.zeros(len(day), np.int64), np.zeros(len(day), np.int64)
    for i in range(len(day)):
        again = i > 0 and person[i] == person[i - 1] and medicine[i] == medicine[i - 1]
        begin[i], end[i] = carried(day[i], end[i - 1] if again else day[i], length[i])
    return begin, end


def _results(records: Records, t: int) -> dict[int, list[Any]]:
    columns, patient = records.columns("results"), records.tables["results"].patient
    day = columns["taken_on"]
    rows = np.flatnonzero((day < t) & (columns["known_on"] < t) & (day >= t - WINDOW_DAYS))
    return _by_person(
        patient[rows],
        day[rows] - t,
        _words("results", "test", columns["test"][rows]),
        _number(columns["value"][rows]),
        _words("results", "comparator", columns["comparator"][rows]),
    )


def _contacts(records: Records, t: int) -> dict[int, list[Any]]:
    """Contacts of the window and booked contacts; an outcome that is not known yet is read as planned."""
    columns, patient = records.columns("contacts"), records.tables["contacts"].patient
    day = columns["contact_on"]
    rows = np.flatnonzero((columns["known_on"] < t) & (day >= t - WINDOW_DAYS) & (day < t + AHEAD_DAYS))
    outcome = _words("contacts", "outcome", columns["outcome"][rows])
    outcome[columns["outcome_known_on"][rows] >= t] = "planned"
    kept = (day[rows] < t) | (outcome == "planned")
    rows, outcome = rows[kept], outcome[kept]
    kind, mode = (_words("contacts", name, columns[name][rows]) for name in ("kind", "mode"))
    return _by_person(patient[rows], day[rows] - t, kind, mode, outcome)


def _stays(records: Records, t: int) -> dict[int, list[Any]]:
    """Stays that overlap the window; a discharge that is not known yet is read as missing."""
    columns, patient = records.columns("stays"), records.tables["stays"].patient
    ended = (columns["discharged_on"] < t) & (columns["discharge_known_on"] < t)
    touches = ~ended | (columns["discharged_on"] > t - WINDOW_DAYS)
    rows = np.flatnonzero((columns["admitted_on"] < t) & (columns["known_on"] < t) & touches)
    end = np.array([None] * len(rows), dtype=object)
    end[ended[rows]] = (columns["discharged_on"][rows][ended[rows]] - t).tolist()
    ward, method = (_words("stays", name, columns[name][rows]) for name in ("ward", "method"))
    return _by_person(patient[rows], columns["admitted_on"][rows] - t, end, ward, method)


def _dues(records: Records, t: int, places: npt.NDArray[np.int64]) -> list[list[Any]]:
    """The earliest due day of every scheduled test by row of ``places``, from the schedule that features and gaps
    use.
    """
    days = np.full(len(places), t, np.int32)
    dues = due_dates.due_dates(due_dates.prepare(records), places, days)
    found: list[dict[str, Any]] = [{} for _ in range(len(places))]
    rows, items = np.nonzero((dues.protocol >= 0) & (dues.day < t + AHEAD_DAYS))
    due, last, protocol = (part[rows, items].tolist() for part in (dues.day, dues.last, dues.protocol))
    grace, tests = due_dates.grace_days(), [item.test for item in due_dates.items()]
    for row, item, day, done, asks in zip(rows.tolist(), items.tolist(), due, last, protocol, strict=True):
        test = tests[item]
        if test not in found[row] or day - t < found[row][test][1]:
            found[row][test] = [test, day - t, None if done == NO_DAY else done - t, int(grace[asks])]
    return [sorted(tests.values(), key=lambda due: (due[1], due[0])) for tests in found]


def _adjustments(records: Records, t: int) -> dict[int, dict[str, str]]:
    """The latest of each kind of need, by person; an entry that says nothing is needed is left out."""
    found = _latest(records, t, ADJUSTMENTS)
    needs = {
        place: {kind: value for kind, value in kinds.items() if value.strip().lower() not in NOT_NEEDED}
        for place, kinds in found.items()
    }
    # A language alone is not a need: it says which interpreter to ask for.
    return {place: kinds for place, kinds in needs.items() if set(kinds) - {"language"}}


def groups(records: Records, as_of: dt.date, people: Sequence[str]) -> list[dict[str, Any]]:
    """One row of the table ``person_groups`` per person: the groups that the equality view counts. Nothing else reads
    them.
    """
    t, columns = day_of(as_of), records.columns("patients")
    circumstances = _latest(records, t, ("interpreter", "housing"))
    ethnicity = columns["ethnicity"].to_pylist()
    sex, disability, autism = (
        _words("patients", name, columns[name]) for name in ("sex", "learning_disability", "autism")
    )
    found = []
    for patient, place in zip(people, records.positions(people).tolist(), strict=True):
        decile, born = columns["deprivation_decile"][place], int(columns["birth_date"][place])
        around = circumstances.get(place, {})
        interpreter = around.get("interpreter", UNKNOWN).strip().lower()
        found.append(
            {
                "patient_id": patient,
                "groups": {
                    "age": UNKNOWN if born == NO_DAY else _band((t - born) / 365.25),
                    "sex": sex[place] or UNKNOWN,
                    "ethnicity": ethnicity[place] or UNKNOWN,
                    "deprivation": UNKNOWN if np.isnan(decile) else f"fifth {int((decile + 1) // 2)}",
                    "interpreter": "not needed" if interpreter in NOT_NEEDED else interpreter,
                    "learning disability": disability[place] or UNKNOWN,
                    "autism": autism[place] or UNKNOWN,
                    "housing": around.get("housing", UNKNOWN),
                },
            }
        )
    return found


def _band(years: float) -> str:
    return next(label for least, label in reversed(AGE_BANDS) if years >= least or least == 0)


def _latest(records: Records, t: int, kinds: Sequence[str]) -> dict[int, dict[str, str]]:
    """The latest value of some kinds of circumstance, by person and kind."""
    columns, patient = records.columns("circumstances"), records.tables["circumstances"].patient
    if not len(patient):
        return {}
    kind = np.array(columns["kind"].to_pylist(), dtype=object)
    rows = np.flatnonzero((columns["from_on"] < t) & (columns["known_on"] < t) & np.isin(kind, kinds))
    values = columns["value"]
    found: dict[int, dict[str, str]] = {}
    for row, place in zip(rows.tolist(), patient[rows].tolist(), strict=True):
        found.setdefault(place, {})[kind[row]] = str(values[row])
    return found


def _by_person(patient: npt.NDArray[Any], *columns: npt.NDArray[Any]) -> dict[int, list[Any]]:
    """Rows as plain values, by person. Rows of a person are together and keep their order."""
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    begins: list[int] = np.flatnonzero(np.r_[True, patient[1:] != patient[:-1]]).tolist() if len(patient) else []
    ends = [*begins[1:], len(patient)] if len(patient) else []
    return {int(patient[first]): rows[first:last] for first, last in zip(begins, ends, strict=True)}


def _words(table: str, column: str, codes: npt.NDArray[Any]) -> npt.NDArray[np.object_]:
    return np.array([*TABLES[table].column(column).values, ""], dtype=object)[codes]


def _number(values: npt.NDArray[np.float64]) -> npt.NDArray[np.object_]:
    """Numbers as plain values with three decimals, None if there is none: for display, not for computing."""
    out = np.round(values, 3).astype(object)
    out[np.isnan(values)] = None
    return out
