"""Physical health: weight, glucose and lipids; blood pressure, pulse, QTc and potassium.

A value counts until there is a newer one [D]. A band's severity in ``thresholds.csv`` becomes the gap's: amber
medium, red high, critical critical.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import YEAR, PersonAsKnown, Reading, meant
from features.gaps.rules.number_ranges import NumberRange, NumberRanges, band
from features.gaps.rules.prescribing.interactions import QT_GROUP, important_pairs, unwatched_qt
from features.gaps.shard import Shard
from features.gaps.shard_columns import Bools
from features.medicines.courses import Course
from features.records.tables import SEX
from features.reference import TESTS, THRESHOLDS, bands, low_limit

_SEVERITY: dict[str, Severity] = {"info": "low", "amber": "medium", "red": "high", "critical": "critical"}
MONTHS_3 = 91
BASELINE_BEFORE, BASELINE_AFTER = 90, 14
GLUCOSE = {
    "hba1c": bands("th057", "th056"),
    "fasting_glucose": bands("th059", "th058"),
    "random_glucose": bands("th060"),
}
BMI = bands("th063", "th061")
BMI_LOWER = bands("th110", "th062")
UNDERWEIGHT, _WAIST_MEN, _WAIST_WOMEN, _WAIST_MEN_LOWER = bands("th064", "th068", "th069", "th111")
(DIABETES,) = bands("th108")
EARLY_GAIN_PERCENT = low_limit("th067")
NO_EARLIER = "; no earlier value recorded"
EARLY_DAYS = 42
"""The first weight of the second month still counts for the first month."""
_ACTIONS = {
    "hba1c": "Tell the GP; offer the diabetes prevention programme; weigh metformin; review the antipsychotic.",
    "th057": "In the diabetes range: the GP confirms and treats it; weigh metformin; review the antipsychotic.",
    "fasting_glucose": "Repeat with HbA1c; tell the GP; review the antipsychotic.",
    "random_glucose": "Same day: ask about thirst and weight loss; repeat with HbA1c; tell the GP.",
    "total_cholesterol": "Tell the GP; work out QRISK3; discuss a statin.",
    "qrisk3_10y": "Tell the GP; discuss a statin.",
    "triglycerides": "Repeat fasting; look for alcohol and diabetes.",
    "th081": "Repeat fasting; look for alcohol and diabetes; urgent specialist advice (pancreatitis).",
    "bmi": "Offer a weight programme; review the antipsychotic; weigh metformin.",
    "waist": "Offer a weight programme; review the antipsychotic.",
    "systolic_bp": "Repeat it; offer home readings; tell the GP.",
    "diastolic_bp": "Repeat it; offer home readings; tell the GP.",
    "qtc": "Repeat the ECG; check potassium and magnesium; review QT-prolonging medicines.",
    "potassium": "Correct potassium; repeat the ECG.",
    "pulse": "Repeat it; ask about palpitations; ECG if it stays.",
    "temperature": "Blood count, CRP and troponin today; look for infection and myocarditis.",
    "postural_drop_systolic": "Ask about dizziness and falls; slow the titration or lower the dose.",
}
_DIABETES_ACTION = "Tell the GP or the diabetes team; review the antipsychotic and the medicines for diabetes."
_WEIGHT_ACTION = "Offer a weight programme; weigh metformin; review the antipsychotic."
_UNDERWEIGHT_ACTION = "Ask about eating, illness and mood; tell the GP."
_QT_TOGETHER = "potassium and magnesium; ask the prescriber whether one of them can change."
_QTC_NOW = "ECG and medical review today; correct potassium and magnesium; stop or change QT-prolonging medicines."
_PRESSURE_NOW = "Repeat it today; same-day medical assessment if it stays or there are symptoms."
LIPIDS = {"total_cholesterol": bands("th078"), "qrisk3_10y": bands("th079")}
PRESSURE = {"systolic_bp": bands("th072", "th070", "th074"), "diastolic_bp": bands("th073", "th071")}
TRIGLYCERIDES = bands("th081", "th080")
bands("th051", "th052", "th053", "th055", "th075", "th077")  # named below: the program does not start if one is missing
WEIGHT_GAIN_KG, WEIGHT_GAIN_PERCENT = low_limit("th065"), low_limit("th066")
TEMPERATURE_C, QTC_RISE_MS = low_limit("th023"), low_limit("th054")
PULSE, PULSE_AT_START = low_limit("th076"), low_limit("th024")
METABOLIC = NumberRanges(
    *(band(key, test) for test, keys in (GLUCOSE | LIPIDS).items() for key in keys),
    *(band(key, "triglycerides") for key in TRIGLYCERIDES),
    *(band(key, "bmi") for key in (*BMI, *BMI_LOWER, UNDERWEIGHT)),
    band(DIABETES, "hba1c"),
)
"""Numbers that METABOLIC_WORSENING may be about."""
CARDIOVASCULAR = NumberRanges(
    *(band(key, test) for test, keys in PRESSURE.items() for key in keys),
    *(band(key, "qtc") for key in ("th051", "th052", "th053")),
    band("th055", "potassium"),
    NumberRange("pulse", low=min(PULSE, PULSE_AT_START)),
    band("th077", "pulse"),
    band("th075", "postural_drop_systolic"),
    NumberRange("temperature", low=TEMPERATURE_C),
)
"""Numbers that BP_PULSE_QTC may be about."""
CLOZAPINE_START_DAYS = 126
TEMPERATURE_DAYS = 14
_TRIGLYCERIDE_RAISERS = ("clozapine", "olanzapine", "quetiapine")
_POSTURAL = ("clozapine", "quetiapine", "risperidone")
_SLOWING = ("lithium", "propranolol", "atenolol", "bisoprolol", "metoprolol", "carvedilol", "sotalol", "donepezil")
_FOR_DIABETES = frozenset(("insulin", "gliclazide", "glipizide", "glibenclamide", "glimepiride")) | frozenset(
    ("pioglitazone", "sitagliptin")
)


def _holding(keys: tuple[str, ...], value: float) -> str | None:
    """The first of some bands that holds a value; None for NaN."""
    for key in keys:
        if THRESHOLDS[key].holds(value):
            return key
    return None


def _value(test: str, reading: Reading, key: str, said: str = "") -> Finding:
    row, label = THRESHOLDS[key], TESTS[test].label
    return Finding(
        _SEVERITY[row.severity],
        f"{label} {reading.value:g} {row.unit} on {iso(reading.day)}{said}",
        (citations.threshold(key),),
        (Evidence("results", reading.row, reading.day, label),),
        action=_ACTIONS.get(key) or _ACTIONS[test],
    )


def metabolic(person: PersonAsKnown) -> Iterator[Gap]:
    """METABOLIC_WORSENING, for people with a current antipsychotic.

    [D]: an HbA1c of 42 to 47 for more than a year is low, and is named in the annual check or the review if that is
    overdue. Lipids, and an HbA1c of known diabetes, that did not reach their band within a year are named there too
    and keep their severity. So is a first body mass index in the lower band. No record shows that these worsened.
    Weight up by more than 5 kg
    within 91 days (th065, from the lowest), or by 7% from the baseline (the last weight from 90 days before to 14
    after the start of the antipsychotic held longest), or by 5% within its first month; HbA1c or
    glucose in a Lester band, or with known diabetes (a diagnosis, or a medicine for it) HbA1c of 58 and above;
    BMI that reached a higher band within a year or has no earlier value; the waist, named beside any of these;
    BMI below 18.5;
    cholesterol of 6 or QRISK3 of 10 and above with no statin recorded; triglycerides. The lower limits of BMI are
    used for the people that they apply to; the group is never named. A value counts until there is a newer one, and
    an old value is marked as old.
    """
    held = [course for course in person.current if course.medicine.is_antipsychotic]
    if not held:
        return
    found = [*_weight(person, held)] if _weight_rose(person) else []
    tests = METABOLIC.tests_of(person)
    if not GLUCOSE.keys().isdisjoint(tests):
        found.extend(_glucose(person))
    if "bmi" in tests:
        found.extend(_bmi(person))
    for test, keys in LIPIDS.items():
        last = person.newest(test) if test in tests and not person.on(meant("statin")) else None
        key = _holding(keys, last.value) if last else None
        if last and key:
            finding = _value(test, last, key, f"; no statin recorded{person.not_repeated(last.day)}")
            found.append(finding._replace(folds=not _came_into(person, test, last, low_limit(key))))
    fat = person.newest("triglycerides") if "triglycerides" in tests else None
    raised = any(course.medicine.base in _TRIGLYCERIDE_RAISERS for course in held)
    key = _holding(TRIGLYCERIDES if raised else TRIGLYCERIDES[:1], fat.value) if fat else None
    if fat and key:
        finding = _value("triglycerides", fat, key, person.not_repeated(fat.day))
        found.append(finding._replace(folds=not _came_into(person, "triglycerides", fat, low_limit(key))))
    if found:  # a large waist is common: it is named beside a value that worsened
        found.extend(_waist(person))
    yield from gap_of(CODES["METABOLIC_WORSENING"], found)


def _diabetic(person: PersonAsKnown) -> bool:
    medicines = _FOR_DIABETES | meant("sglt2 inhibitor")
    return bool(person.on(medicines) or person.diagnosed("diabetes"))


def _glucose(person: PersonAsKnown) -> Iterator[Finding]:
    held = {test: _holding(keys, person.newest_value(test)) for test, keys in GLUCOSE.items()}
    high = THRESHOLDS[DIABETES].holds(person.newest_value("hba1c"))
    if not high and not any(held.values()):
        return
    if _diabetic(person):
        last = person.newest("hba1c")
        if last and high:
            finding = _value("hba1c", last, DIABETES, f"; known diabetes{person.not_repeated(last.day)}")
            stood = not _came_into(person, "hba1c", last, low_limit(DIABETES))
            yield finding._replace(action=_DIABETES_ACTION, folds=stood)
        return
    for test, key in held.items():
        last = person.newest(test) if key else None
        if last and key:
            finding = _value(test, last, key, person.not_repeated(last.day))
            known = THRESHOLDS[key].severity == "amber" and not _came_into(person, test, last, low_limit(key))
            yield finding._replace(severity="low", folds=True) if known else finding


def _waist(person: PersonAsKnown) -> Iterator[Finding]:
    code = person.patient("sex")
    last = person.newest("waist")
    if last is None or code is None or SEX[code] not in ("male", "female"):
        return
    key = _WAIST_WOMEN
    if SEX[code] == "male":
        key = _WAIST_MEN_LOWER if person.lower_body_mass_limits else _WAIST_MEN
    if THRESHOLDS[key].holds(last.value) and _came_into(person, "waist", last, low_limit(key)):
        yield _value("waist", last, key)._replace(severity="low", folds=True)


def _came_into(person: PersonAsKnown, test: str, last: Reading, floor: float) -> str:
    """The words for a value that reached its band within a year, or that has no older value to compare."""
    since = last.day - YEAR
    before = [one for one in person.results.numbered(test) if one[0] < last.day]
    if test == "bmi":
        before = sorted([*before, *_by_weight(person, last)])
    if not before:
        return NO_EARLIER
    below = [one for one in before if since <= one[0] and one[1] < floor]
    return f", up from {below[-1][1]:g} on {iso(below[-1][0])}" if below else ""


def _by_weight(person: PersonAsKnown, last: Reading) -> list[tuple[int, float, int]]:
    """Earlier body mass index, calculated from earlier weights: height does not change."""
    weights = person.results.numbered("weight")
    then = [one for one in weights if abs(one[0] - last.day) <= MONTHS_3]
    if not then:
        return []
    near_day, near, _ = min(then, key=lambda one: abs(one[0] - last.day))
    if not near > 0:
        return []
    return [(day, round(last.value * weight / near, 1), row) for day, weight, row in weights if day < near_day]


def weight_rose(shard: Shard) -> Bools:
    """Whose newest weight lies so far above the least that a limit may be reached; 1% is left for rounding."""
    found: Bools | None = shard.kept.get(weight_rose)
    if found is None:
        one = shard.result_segments
        rise = 0.99 * np.minimum(WEIGHT_GAIN_KG, one.least * EARLY_GAIN_PERCENT / 100)
        rose = (one.test == shard.shared.tests.index("weight")) & (one.newest - one.least >= rise)
        found = shard.kept[weight_rose] = shard.any_of(one.who[rose])
    return found


def _weight_rose(person: PersonAsKnown) -> bool:
    """:func:`weight_rose` of one person."""
    least = person.results.least("weight")
    return person.newest_value("weight") - least >= 0.99 * min(WEIGHT_GAIN_KG, least * EARLY_GAIN_PERCENT / 100)


def _weight(person: PersonAsKnown, held: list[Course]) -> Iterator[Finding]:
    last = person.newest("weight")
    if last is None:
        return
    earlier = [r for r in person.readings("weight") if r.day < last.day]
    evidence = Evidence("results", last.row, last.day, "weight")
    recent = [r for r in earlier if last.day - r.day <= MONTHS_3]
    if recent:
        lowest = min(recent, key=lambda r: r.value)
        gain = round(last.value - lowest.value, 6)
        if gain > WEIGHT_GAIN_KG:
            said = f"weight up {gain:g} kg in {last.day - lowest.day} days, to {last.value:g} kg on {iso(last.day)}"
            before = Evidence("results", lowest.row, lowest.day, "weight before")
            yield Finding("high", said, (citations.threshold("th065"),), (evidence, before), action=_WEIGHT_ACTION)
    start = min(course.start for course in held)
    base = [r for r in earlier if start - BASELINE_BEFORE <= r.day <= start + BASELINE_AFTER]
    if base and base[-1].value > 0:
        share = round(100 * (last.value / base[-1].value - 1), 6)
        if share >= WEIGHT_GAIN_PERCENT:
            said = (
                f"weight up {share:.1f}% from {base[-1].value:g} kg on {iso(base[-1].day)} to {last.value:g} kg on "
                f"{iso(last.day)}"
            )
            before = Evidence("results", base[-1].row, base[-1].day, "baseline weight")
            yield Finding("high", said, (citations.threshold("th066"),), (evidence, before), action=_WEIGHT_ACTION)
        elif share >= EARLY_GAIN_PERCENT and last.day - start <= EARLY_DAYS:
            said = f"weight up {share:.1f}% in the first weeks of treatment, to {last.value:g} kg on {iso(last.day)}"
            before = Evidence("results", base[-1].row, base[-1].day, "baseline weight")
            yield Finding("medium", said, (citations.threshold("th067"),), (evidence, before), action=_WEIGHT_ACTION)


def _bmi(person: PersonAsKnown) -> Iterator[Finding]:
    last = person.newest("bmi")
    if last is None:
        return
    if THRESHOLDS[UNDERWEIGHT].holds(last.value):
        finding = _value("bmi", last, UNDERWEIGHT, person.not_repeated(last.day))
        yield finding._replace(action=_UNDERWEIGHT_ACTION, title="Low body weight")
        return
    key = _holding(BMI_LOWER if person.lower_body_mass_limits else BMI, last.value)
    came = key and _came_into(person, "bmi", last, low_limit(key))
    if key and came:
        finding = _value("bmi", last, key, came + person.not_repeated(last.day))
        severity: Severity = "medium" if THRESHOLDS[key].severity == "red" else "low"
        yield finding._replace(severity=severity, folds=severity == "low" and came == NO_EARLIER)


def cardiovascular(person: PersonAsKnown) -> Iterator[Gap]:
    """BP_PULSE_QTC, for people with a current psychotropic.

    [D]: QTc limits as in the table, the lower limit where the record does not say which applies; up by 60 ms or more
    from the earliest; two or more QT-prolonging medicines with no ECG in a year (high where the table forbids the pair,
    else low); potassium under 3.5 with one. Pulse 100 to 120 medium, above 120 high within 18 weeks of a clozapine
    start, under 50 with lithium, a beta blocker or donepezil. Temperature above 38 on clozapine is
    high, since it asks for a blood count the same day, and counts for 14 days. A
    blood pressure of 140/90 to under 180/120 is low (medium from 160/100) and, like a pulse of 100 to 120, no safety
    alarm by itself: the action is to repeat it, not an ECG. A value counts until there is a newer one, and an old
    value is marked as old.
    """
    if not any(course.medicine.is_psychotropic for course in person.current):
        return
    found = [*_qtc(person), *_pulse(person)]
    tests = CARDIOVASCULAR.tests_of(person)
    for test, keys in PRESSURE.items():
        last = person.newest(test) if test in tests else None
        key = _holding(keys, last.value) if last else None
        if last and key:
            found.append(_pressure(person, test, last, key))
    drop = person.newest("postural_drop_systolic") if "postural_drop_systolic" in tests else None
    if drop and THRESHOLDS["th075"].holds(drop.value):
        tricyclics = meant("antidepressant_tca")
        if any(c.medicine.base in _POSTURAL or c.medicine.name in tricyclics for c in person.current):
            said = person.not_repeated(drop.day)
            found.append(_value("postural_drop_systolic", drop, "th075", said)._replace(alarm=False))
    hot = person.latest("temperature", TEMPERATURE_DAYS)
    if hot and hot.value > TEMPERATURE_C and person.base("clozapine"):
        found.append(_value("temperature", hot, "th023", "; on clozapine")._replace(severity="high"))
    yield from gap_of(CODES["BP_PULSE_QTC"], found)


STAGE_TWO = {"systolic_bp": 160, "diastolic_bp": 100}
"""From here a raised pressure is medium: NICE NG136 stage 2 (unverified)."""


def _pressure(person: PersonAsKnown, test: str, last: Reading, key: str) -> Finding:
    """A blood pressure in a band. Below stage 2, a first raised reading within a year of a normal one is to be
    repeated: it is merged into an overdue check or review, at which it is taken again.
    """
    finding = _value(test, last, key, person.not_repeated(last.day))
    if THRESHOLDS[key].severity != "amber":
        return finding._replace(action=_PRESSURE_NOW)
    severity: Severity = "medium" if last.value >= STAGE_TWO[test] else "low"
    before = [r for r in person.readings(test) if last.day - YEAR <= r.day < last.day]
    once = severity == "low" and bool(before) and before[-1].value < low_limit(key)
    return finding._replace(severity=severity, alarm=False, title="Blood pressure raised", folds=once)


def _qtc_limit(person: PersonAsKnown) -> tuple[str, str]:
    """The lower action limit. The table has two; the lower is used if the record does not show which applies."""
    code = person.patient("sex")
    if code is not None and SEX[code] == "female":
        return "th052", ""
    if code is not None and SEX[code] == "male":
        return "th051", ""
    return "th051", "; which limit applies is not recorded, the lower one used"


def _qtc(person: PersonAsKnown) -> Iterator[Finding]:
    qt = person.regimen("qt_medicines")
    last = person.newest("qtc")
    if last:
        lower, note = _qtc_limit(person)
        key = _holding(("th053", lower), last.value)
        if key:
            finding = _value("qtc", last, key, note if key == lower else "")
            yield finding._replace(severity="critical", action=_QTC_NOW) if key == "th053" else finding
        if last.value - person.results.numbers("qtc")[0] >= QTC_RISE_MS:
            first = person.readings("qtc")[0]
            said = f", up {last.value - first.value:g} ms from {iso(first.day)}"
            yield _value("qtc", last, "th054", said)
    if not qt > 0:
        return
    held = person.on(meant(QT_GROUP))
    names = ", ".join(c.medicine.name for c in held)
    salt = person.newest("potassium")
    if salt and THRESHOLDS["th055"].holds(salt.value):
        yield _value("potassium", salt, "th055", f" with {names}")
    ecg = person.last_met("ecg_qtc")
    if qt >= 2 and unwatched_qt(person):
        pair = next((row for *_, row in important_pairs(person) if row.lengthens_qt), None)
        said = (
            f"{qt:g} QT-prolonging medicines ({names}); ECG "
            f"{f'last recorded {iso(ecg.day)}' if ecg else person.absent_test('ecg_qtc')}"
        )
        rows = tuple(person.supplied(c, c.medicine.name) for c in held)
        known = (citations.group(QT_GROUP), *((citations.interaction(pair.id),) if pair else ()))
        if pair:
            said += f"; {pair.severity} together"
        yield Finding(
            "high" if pair else "medium",
            said,
            (*known, citations.clinical("1.1", "D")),
            rows,
            action=f"{'ECG now' if pair else 'Arrange an ECG'}; {_QT_TOGETHER}",
            title="QT-prolonging medicines together and no ECG since, or in a year",
        )


def _pulse(person: PersonAsKnown) -> Iterator[Finding]:
    last = person.newest("pulse")
    if last is None:
        return
    clozapine = [c for c in person.base("clozapine") if 0 <= last.day - c.start <= CLOZAPINE_START_DAYS]
    if clozapine and last.value > PULSE_AT_START:
        yield _value("pulse", last, "th024", "; clozapine started lately")
    elif last.value >= PULSE:
        yield _value("pulse", last, "th076", person.not_repeated(last.day))._replace(alarm=False)
    elif THRESHOLDS["th077"].holds(last.value):
        slow = list(dict.fromkeys(c.medicine.name for c in person.current if c.medicine.name in _SLOWING))
        if slow:
            yield _value("pulse", last, "th077", f" with {', '.join(slow)}")


RULES = (metabolic, cardiovascular)
