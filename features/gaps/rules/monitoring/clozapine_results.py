"""Clozapine: amber and red results, and what was supplied after them (docs/clinical.md section 4)."""

from __future__ import annotations

from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import PersonAsKnown, Reading
from features.gaps.rules.monitoring.clozapine import HISTORY_DAYS, course_of
from features.kernels.lookups import RED
from features.monitoring.condition_inputs import YES
from features.reference import THRESHOLDS, bands, high_limit

MYOCARDITIS_DAYS = 56
_GENERAL = {"wbc": bands("th003", "th002"), "anc": bands("th013", "th006", "th005")}
_BEN = {"wbc": bands("th009", "th008"), "anc": bands("th013", "th012", "th011")}
_RED_BELOW = {
    keys: max(high_limit(key) for key in keys if THRESHOLDS[key].severity != "amber")
    for keys in (*_GENERAL.values(), *_BEN.values())
}
"""By bands: the number below which a count is red."""
_OTHERS: dict[str, tuple[str, ...]] = {"platelets": bands("th014"), "eosinophils": bands("th015")}
_FIRST_WEEKS: dict[str, tuple[str, ...]] = {"troponin": bands("th020"), "crp": bands("th021", "th022")}
_LABELS = {"wbc": "white cells", "anc": "neutrophils", "crp": "CRP"}
_SEVERITY: dict[str, Severity] = {"amber": "high", "red": "critical", "critical": "critical"}
_BEN_QUESTION = (
    "Ask whether benign ethnic neutropenia (BEN) was ever looked for, and the monitoring service about registering it,"
    " before clozapine is lost."
)
_HEART = "Stop clozapine; ECG, troponin and CRP the same day; cardiology: myocarditis is suspected."
_TELLS = {
    "emergency": (
        "Agranulocytosis on clozapine: emergency",
        "Emergency: stop clozapine now; same-day admission and haematology; temperature and signs of infection;"
        " tell the monitoring service.",
    ),
    "red": (
        "Red blood result on clozapine",
        "Stop clozapine at once; blood count daily until two are green; haematology; tell the monitoring service.",
    ),
    "amber": (
        "Amber blood result on clozapine",
        "Clozapine continues; blood count twice weekly until green; look for infection and other causes.",
    ),
    "platelets": ("Low platelets on clozapine", "Repeat the same day; stopping clozapine is advised; haematology."),
    "eosinophils": (
        "High eosinophils on clozapine",
        "Repeat the same day with troponin and CRP; stopping clozapine is advised; look for signs of myocarditis.",
    ),
    "troponin": ("Troponin raised in the first weeks of clozapine", _HEART),
    "crp": (
        "CRP raised in the first weeks of clozapine",
        "Troponin and ECG the same day; CRP and troponin daily; from 100, stop clozapine and ask cardiology;"
        " look for infection.",
    ),
}


def red_or_amber(person: PersonAsKnown) -> Iterator[Gap]:
    """CLZ_RESULT_RED_AMBER: the colour of the white cells and neutrophils in force is amber or red (amber until a
    green count, red until two in a row: the schedule's own answer), or the latest platelets or eosinophils are red, or
    troponin or CRP in the first 8 weeks; or clozapine was supplied again after a red count.

    Limits registered for BEN apply where that is recorded. [D]: platelets and eosinophils of the present course only
    (from 10 days before it); a trend (three falling values) is shown with a value that fired and does not fire alone.
    """
    course = course_of(person)
    if course is None:
        return
    found = [*_again_after_red(person), *(_coloured(person) if person.answers.colour else ())]
    for test, keys in _OTHERS.items():
        last = person.newest(test)
        key = last and last.day >= course.start - 10 and _band(keys, last.value)
        if last and key:
            found.append(_result(test, last, key, ""))
    for test, keys in _FIRST_WEEKS.items():
        last = person.latest(test)
        lately = last and 0 <= last.day - course.start <= MYOCARDITIS_DAYS
        key = last and _band(keys, last.value)
        if last and lately and key and person.as_of - course.start <= MYOCARDITIS_DAYS + 28:
            found.append(_result(test, last, key, ""))
    emergency = [finding for finding in found if finding.title == _TELLS["emergency"][0]]
    if emergency:  # shown first and alone
        found = [*emergency, *(one._replace(action=emergency[0].action) for one in found if one not in emergency)]
    if found:
        yield from gap_of(CODES["CLZ_RESULT_RED_AMBER"], found)


AFTER_RED_DAYS = 3
"""A supply this soon after a red count may have been handed over before the count was known [D]."""


def _again_after_red(person: PersonAsKnown) -> Iterator[Finding]:
    """Clozapine supplied again after a red count (section 4.7): critical until a review was attended since [D]. While
    the red count is in force its own line speaks, and a count before clozapine was ever taken is none."""
    course = course_of(person)
    if course is None or person.answers.colour == RED:
        return
    ben = person.circumstance("benign_ethnic_neutropenia")
    limits = _BEN if ben is not None and ben.value in YES else _GENERAL
    reds = [
        (reading, key, test)
        for test, keys in limits.items()
        if person.results.least(test) < _RED_BELOW[keys]
        for reading in person.readings(test)
        if reading.day > course.first_start
        and (key := _band(keys, reading.value)) is not None
        and THRESHOLDS[key].severity != "amber"
    ]
    if not reds:
        return
    reading, key, test = max(reds, key=lambda one: one[0].day)
    again = next(
        (row for row in person.supplies_of("clozapine", HISTORY_DAYS) if row.day > reading.day + AFTER_RED_DAYS), None
    )
    if again is None or person.reviewed_since(again.day):
        return
    name = _LABELS.get(test, test)
    yield Finding(
        "critical",
        f"clozapine supplied on {iso(again.day)} after a red count ({name} {reading.value:g} on {iso(reading.day)}); no"
        " review recorded since",
        (citations.clinical("4.7", "V"), citations.threshold(key)),
        (
            Evidence("results", reading.row, reading.day, name),
            Evidence("supplies", again.row, again.day, "clozapine supplied after a red count"),
        ),
        action=(
            "Ask the prescriber, haematology and the monitoring service (central non-rechallenge database) today"
            " whether clozapine may continue; record what was agreed."
        ),
        title="Clozapine supplied again after a red blood result",
    )


def _coloured(person: PersonAsKnown) -> Iterator[Finding]:
    ben = person.circumstance("benign_ethnic_neutropenia")
    registered = ben is not None and ben.value in YES
    since, red = person.answers.coloured_on, person.answers.colour == RED
    for test, keys in (_BEN if registered else _GENERAL).items():
        readings = person.readings(test)
        after = [(r, _band(keys, r.value)) for r in readings if r.day >= since]
        marked = [(r, key) for r, key in after if key]
        if red:
            marked = [(r, key) for r, key in marked if THRESHOLDS[key].severity != "amber"] or marked
        if not marked:
            continue
        reading, key = marked[-1]
        note = " (BEN limits)" if registered else ""
        greens = sum(r.day > reading.day and not held for r, held in after)
        if red:
            note += f"; {greens} of 2 green results since"
        values = [r.value for r in readings[-3:]]
        if len(values) == 3 and values[0] > values[1] > values[2]:
            note += f"; falling over 3 tests ({', '.join(f'{v:g}' for v in values)})"
        by_ben = _band(_BEN[test], reading.value)
        told = THRESHOLDS[by_ben].severity if by_ben else "green"
        if ben is None and told != THRESHOLDS[key].severity:
            yield _asked(person, test, told, _result(test, reading, key, note))
        else:
            yield _result(test, reading, key, note)


def _asked(person: PersonAsKnown, test: str, by_ben: str, finding: Finding) -> Finding:
    """The finding with a note that the record does not show whether BEN limits apply."""
    course = course_of(person)
    before = [r.value for r in person.readings(test) if course and r.day <= course.first_start]
    said = f"BEN status {person.absent('benign_ethnic_neutropenia')}: by BEN limits this is {by_ben}"
    if before:
        low, high = min(before), max(before)
        said += f"; before clozapine {low:g}" + (f" to {high:g}" if high > low else "")
    return finding._replace(
        value=f"{finding.value}; {said}",
        action=f"{finding.action} {_BEN_QUESTION}",
        unchecked=("whether BEN limits apply",),
    )


def _band(keys: tuple[str, ...], value: float) -> str | None:
    return next((key for key in keys if THRESHOLDS[key].holds(value)), None)


def _result(test: str, reading: Reading, key: str, note: str) -> Finding:
    row = THRESHOLDS[key]
    name = _LABELS.get(test, test)
    word = "agranulocytosis" if key == "th013" else row.severity
    title, action = _TELLS["emergency"] if key == "th013" else _TELLS.get(test, _TELLS[row.severity])
    return Finding(
        _SEVERITY[row.severity],
        f"{name} {reading.value:g} {row.unit} on {iso(reading.day)}: {word}{note}",
        (citations.threshold(key),),
        (Evidence("results", reading.row, reading.day, name),),
        action=action,
        title=title,
    )


RULES = (red_or_amber,)
