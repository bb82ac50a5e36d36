"""Physical health: weight, glucose and lipids; blood pressure, pulse, QTc and potassium.

Values count for a year unless said otherwise [D]. A band's severity in ``thresholds.csv`` becomes the gap's: amber
medium, red high, critical critical.
"""

from __future__ import annotations

from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import YEAR, Person, Reading, meant
from features.gaps.rules.interactions import important_pairs, unwatched_qt
from features.medicines.courses import Course
from features.records.tables import SEX
from features.reference import TESTS, THRESHOLDS, bands, low_limit

_SEVERITY: dict[str, Severity] = {"info": "low", "amber": "medium", "red": "high", "critical": "critical"}
MONTHS_3 = 91
BASELINE_BEFORE, BASELINE_AFTER = 90, 14
_GLUCOSE = {
    "hba1c": bands("th057", "th056"),
    "fasting_glucose": bands("th059", "th058"),
    "random_glucose": bands("th060"),
}
_BMI = bands("th063", "th061")
_LIPIDS = {"total_cholesterol": bands("th078"), "qrisk3_10y": bands("th079")}
_PRESSURE = {"systolic_bp": bands("th072", "th070", "th074"), "diastolic_bp": bands("th073", "th071")}
_TRIGLYCERIDES = bands("th081", "th080")
bands("th051", "th052", "th053", "th055", "th075", "th077")  # named below: the start stops where one is missing
WEIGHT_GAIN_KG, WEIGHT_GAIN_PERCENT = low_limit("th065"), low_limit("th066")
TEMPERATURE_C, QTC_RISE_MS = low_limit("th023"), low_limit("th054")
PULSE, PULSE_AT_START = low_limit("th076"), low_limit("th024")
CLOZAPINE_START_DAYS = 126
TEMPERATURE_DAYS = 14
_TRIGLYCERIDE_RAISERS = ("clozapine", "olanzapine", "quetiapine")
_POSTURAL = ("clozapine", "quetiapine", "risperidone")
_SLOWING = ("lithium", "propranolol", "atenolol", "bisoprolol", "metoprolol", "carvedilol", "sotalol", "donepezil")
QT_GROUP = "qt prolonging medicine"


def _holding(keys: tuple[str, ...], value: float) -> str | None:
    return next((key for key in keys if THRESHOLDS[key].holds(value)), None)


def _value(test: str, reading: Reading, key: str, said: str = "") -> Finding:
    row, label = THRESHOLDS[key], TESTS[test].label
    return Finding(
        _SEVERITY[row.severity],
        f"{label} {reading.value:g} {row.unit} on {iso(reading.day)}{said}",
        (citations.threshold(key),),
        (Evidence("results", reading.row, reading.day, label),),
    )


def metabolic(person: Person) -> Iterator[Gap]:
    """METABOLIC_WORSENING, for people with a current antipsychotic.

    [D]: weight up by more than 5 kg within 91 days (th065, from the lowest), or by 7% from the baseline (the last
    weight from 90 days before to 14 after the start of the antipsychotic held longest); HbA1c or glucose in a Lester
    band; BMI that came into a higher band within a year; cholesterol of 6 or QRISK3 of 10 and above with no statin
    recorded; triglycerides. The lower BMI limits for some groups are not used here.
    """
    held = [course for course in person.current if course.medicine.is_antipsychotic]
    if not held or not person.results:
        return
    found = [*_weight(person, held)]
    for test, keys in _GLUCOSE.items():
        last = person.latest(test)
        key = last and _holding(keys, last.value)
        if last and key:
            found.append(_value(test, last, key))
    found.extend(_bmi(person))
    for test, keys in _LIPIDS.items():
        last = person.latest(test)
        key = last and _holding(keys, last.value)
        if last and key and not person.on(meant("statin")):
            found.append(_value(test, last, key, "; no statin recorded"))
    fat = person.latest("triglycerides")
    if fat:
        raised = any(course.medicine.base in _TRIGLYCERIDE_RAISERS for course in held)
        key = _holding(_TRIGLYCERIDES if raised else _TRIGLYCERIDES[:1], fat.value)
        if key:
            found.append(_value("triglycerides", fat, key))
    if found:
        yield from gap_of(CODES["METABOLIC_WORSENING"], found)


def _weight(person: Person, held: list[Course]) -> Iterator[Finding]:
    last = person.latest("weight")
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
            yield Finding("high", said, (citations.threshold("th065"),), (evidence, before))
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
            yield Finding("high", said, (citations.threshold("th066"),), (evidence, before))


def _bmi(person: Person) -> Iterator[Finding]:
    last = person.latest("bmi")
    key = last and _holding(_BMI, last.value)
    if not last or not key:
        return
    floor = low_limit(key)
    below = [r for r in person.readings("bmi") if last.day - YEAR <= r.day < last.day and r.value < floor]
    if below:
        yield _value("bmi", last, key, f", up from {below[-1].value:g} on {iso(below[-1].day)}")


def cardiovascular(person: Person) -> Iterator[Gap]:
    """BP_PULSE_QTC, for people with a current psychotropic.

    [D]: QTc limits as in the table, the lower limit where the record does not say which applies; up by 60 ms or more
    from the earliest; two or more QT-prolonging medicines with no ECG in a year (high where the interaction
    table rates the pair high or contraindicated, else medium); potassium under 3.5 with one.
    Pulse 100 to 120 medium, above 120 high within 18 weeks of a clozapine start, under 50 with lithium, a beta blocker
    or donepezil. Temperature above 38 on clozapine counts for 14 days.
    """
    if not any(course.medicine.is_psychotropic for course in person.current):
        return
    found = [*_qtc(person), *_pulse(person)]
    for test, keys in _PRESSURE.items():
        last = person.latest(test)
        key = last and _holding(keys, last.value)
        if last and key:
            found.append(_value(test, last, key))
    drop = person.latest("postural_drop_systolic")
    if drop and THRESHOLDS["th075"].holds(drop.value):
        tricyclics = meant("antidepressant_tca")
        if any(c.medicine.base in _POSTURAL or c.medicine.name in tricyclics for c in person.current):
            found.append(_value("postural_drop_systolic", drop, "th075"))
    hot = person.latest("temperature", TEMPERATURE_DAYS)
    if hot and hot.value > TEMPERATURE_C and person.base("clozapine"):
        found.append(_value("temperature", hot, "th023", "; on clozapine"))
    if found:
        yield from gap_of(CODES["BP_PULSE_QTC"], found)


def _qtc_limit(person: Person) -> tuple[str, str]:
    """The lower action limit, which the table splits in two; the lower of the two where the record does not say which
    applies."""
    code = person.patient("sex")
    if code is not None and SEX[code] == "female":
        return "th052", ""
    if code is not None and SEX[code] == "male":
        return "th051", ""
    return "th051", "; which limit applies is not recorded, the lower one used"


def _qtc(person: Person) -> Iterator[Finding]:
    qt = person.regimen("qt_medicines")
    last = person.latest("qtc")
    if last:
        lower, note = _qtc_limit(person)
        key = _holding(("th053", lower), last.value)
        if key:
            finding = _value("qtc", last, key, note if key == lower else "")
            yield finding._replace(severity="critical") if key == "th053" else finding
        first = person.readings("qtc")[0]
        if last.value - first.value >= QTC_RISE_MS:
            said = f", up {last.value - first.value:g} ms from {iso(first.day)}"
            yield _value("qtc", last, "th054", said)
    if not qt > 0:
        return
    held = person.on(meant(QT_GROUP))
    names = ", ".join(c.medicine.name for c in held)
    salt = person.latest("potassium")
    if salt and THRESHOLDS["th055"].holds(salt.value):
        yield _value("potassium", salt, "th055", f" with {names}")
    ecg = person.last_met("ecg_qtc")
    if qt >= 2 and unwatched_qt(person):
        pair = next((row for *_, row in important_pairs(person) if row.lengthens_qt), None)
        said = (
            f"{qt:g} QT-prolonging medicines ({names}); ECG "
            f"{f'last recorded {iso(ecg.day)}' if ecg else 'not recorded'}"
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
            action="ECG now; potassium and magnesium; ask the prescriber whether one of them can change.",
            title="QT-prolonging medicines together and no ECG in a year",
        )


def _pulse(person: Person) -> Iterator[Finding]:
    last = person.latest("pulse")
    if last is None:
        return
    clozapine = [c for c in person.base("clozapine") if 0 <= last.day - c.start <= CLOZAPINE_START_DAYS]
    if clozapine and last.value > PULSE_AT_START:
        yield _value("pulse", last, "th024", "; clozapine started lately")
    elif last.value >= PULSE:
        yield _value("pulse", last, "th076")
    elif THRESHOLDS["th077"].holds(last.value):
        slow = [c.medicine.name for c in person.current if c.medicine.name in _SLOWING]
        if slow:
            yield _value("pulse", last, "th077", f" with {', '.join(slow)}")


RULES = (metabolic, cardiovascular)
