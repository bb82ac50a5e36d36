"""Numbers, dates and codes in words, by docs/architecture.md rule 6: nobody is graded down, nothing is called a
cause.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from features.reference import TESTS
from features.reference.medicines.brand_forms import FORM_NOT_RECORDED

OUTCOMES = {
    "admission": "Unplanned admission",
    "disengagement": "Disengagement",
}
OUTCOME_SENTENCES = {
    "admission": "have an unplanned psychiatric admission",
    "disengagement": "lose contact with the team",
}
SOURCES = {
    "referrals": "referrals",
    "contacts": "contacts",
    "supplies": "medicine supplies",
    "results": "test results",
    "stays": "hospital stays",
}
CODES_IN_WORDS = {
    "white_british": "White British",
    "fifth 1": "Most deprived fifth",
    "fifth 2": "Second fifth",
    "fifth 3": "Middle fifth",
    "fifth 4": "Fourth fifth",
    "fifth 5": "Least deprived fifth",
}
SEVERITIES = {"critical": "Critical", "high": "High", "medium": "Medium", "low": "Routine"}
"""The lowest severity is called routine, so that the word "low" appears nowhere."""
WITHOUT_UNIT = ("", "1", "flag", "count", "ratio")
_ISO = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
PHRASES = {"u_and_e": "urea and electrolytes", "hla_b_1502": "HLA-B*1502", "follow_up": "follow-up"}
IN_FULL = {
    "acb": "anticholinergic burden",
    "anc": "neutrophils",
    "bmi": "body mass index",
    "crp": "C-reactive protein",
    "ecg": "ECG",
    "egfr": "eGFR",
    "fbc": "full blood count",
    "gass": "GASS",
    "hba1c": "HbA1c",
    "hdat": "high-dose antipsychotic",
    "lai": "long-acting injection",
    "lft": "liver function",
    "qt": "QT",
    "qtc": "QTc",
    "smi": "severe mental illness",
    "tft": "thyroid function",
    "tsh": "TSH",
    "wbc": "white cells",
}
"""Parts of feature names that are abbreviated in the catalogue and written in full on a page."""
ANSWERS: dict[str, dict[float, str]] = {
    "yes or no": {0.0: "no", 1.0: "yes"},
    "0 green, 1 amber, 2 red": {0.0: "green", 1.0: "amber", 2.0: "red"},
}
_LENGTH = re.compile(r"\b(\d+)([dh])\b")
_PAST_DUE = " days past due"
_WINDOW = re.compile(r"_(\d+)d$")
SEVERITY_COLOURS = {"critical": "red", "high": "orange", "medium": "yellow", "low": "grey"}


def in_100(probability: float) -> str:
    """``about 21 in 100``; the extremes are ``fewer than 1`` and ``more than 99``."""
    if probability < 0.005:
        return "fewer than 1 in 100"
    if probability > 0.995:
        return "more than 99 in 100"
    return f"about {round(probability * 100)} in 100"


def between_in_100(low: float, high: float) -> str:
    """A range in words: ``between about 3 and 9 in 100``; in one word where both ends read the same."""
    lower, upper = short_in_100(low), short_in_100(high)
    if lower == upper:
        return in_100(low)
    first = "fewer than 1" if low < 0.005 else f"about {lower}"
    return f"between {first} and {'more than 99' if high > 0.995 else upper} in 100"


def about_in_100(probability: float) -> str:
    """A probability in a pharmacist's words: ``about 21 in 100 people like this``."""
    return f"{in_100(probability)} people like this"


_ROW_ID = re.compile(r"\b(?:th|mp|ix|ep)\d{3}:\s*")
_OWN_RULE = re.compile(r"docs/clinical\.md section ([\d.]+) \[([VRD])\]")
_MARKS = {"V": "checked", "R": "to be checked", "D": "decided here, to be confirmed by a pharmacist"}
_OF_MEDICINES = re.compile(r"\bmedicines\.csv ([^:;]+): [^;(]+(\(unverified\))?")
_OF_A_TABLE = re.compile(r"\b(?!medicines)\w+\.csv [^:;]+: ")
_TABLE_ROWS = re.compile(r"\b\w+\.csv(?: (?:th|mp|ix|ep)\d{3}(?: to (?:th|mp|ix|ep)\d{3})?)?")


def without_row_ids(source: str) -> str:
    """A source in words for a reader: ``NICE CG178``, not ``mp001: NICE CG178``; our own rules and tables by what they
    are, not by their files. A source shared by several rows is named once."""
    said = _OWN_RULE.sub(lambda m: f"Upstream's clinical rules, section {m[1]}: {_MARKS[m[2]]}", source)
    said = _OF_MEDICINES.sub(lambda m: f"Upstream's table of medicines: {m[1]}{' ' + m[2] if m[2] else ''}", said)
    said = _TABLE_ROWS.sub("Upstream's own tables", _OF_A_TABLE.sub("", said))
    parts = (part.strip() for part in _ROW_ID.sub("", said).split(";"))
    return "; ".join(dict.fromkeys(part for part in parts if part))


def short_in_100(probability: float) -> str:
    """The number alone, for a table whose heading says what it counts: ``21``."""
    return "under 1" if probability < 0.005 else "over 99" if probability > 0.995 else str(round(probability * 100))


def plain(code: str) -> str:
    """A code as words: ``did_not_attend`` as ``Did not attend``; empty as ``Not recorded``."""
    if code in CODES_IN_WORDS:
        return CODES_IN_WORDS[code]
    return code.replace("_", " ").capitalize() if code else "Not recorded"


REFUSALS = {
    "bundle": "its files are damaged",
    "exposure": "it learned from days after a list went live, and who was reviewed because of it is not logged",
    "leak_proof": "the check that it reads nothing from the future is missing or failed",
    "latency": "one person takes too long to score",
    "evaluated": "it was not evaluated",
    "auroc_over_best_rule": "it ranks people no better than a simple rule",
    "captured_at_slots": "at the team's review capacity it finds fewer people than a simple rule",
    "calibration_slope": "its probabilities are too extreme or too flat",
    "stability": "trained again, it puts other people at the top",
    "not_too_good": "it is better than is believable, which points to a fault in the data",
    "lead_over_best_rule": "it does not find clearly more people than a simple rule",
    "worst_group": "it finds one group of people less often than the others",
    "observed_to_expected": "it expects too many or too few outcomes in all",
    "not_worse_than_champion": "on the same people it does worse than the model that serves now",
    "worst_team": "it finds the people of one team less often than those of the others",
}
"""Why promotion refused a model, by the name of the check (training/registry/promotion.py)."""


def refusal(gate: str) -> str:
    """A refused check of promotion in words: "Unplanned admission, 90 days: it ranks people no better than a simple
    rule". A check that has no words yet keeps its name."""
    name = gate.partition(": ")[2].partition(": ")[0]
    pair, _, check = name.rpartition(".")
    outcome, _, days = pair.rpartition("_")
    said = REFUSALS.get(check, check.replace("_", " "))
    return f"{outcome_label(outcome)}, {days} days: {said}" if outcome else said[:1].upper() + said[1:]


def outcome_label(outcome: str) -> str:
    return OUTCOMES.get(outcome, outcome.replace("_", " ").capitalize())


def outcome_sentence(outcome: str) -> str:
    return OUTCOME_SENTENCES.get(outcome, f"have the outcome {outcome.replace('_', ' ')}")


def source_label(table: str) -> str:
    return SOURCES.get(table, table)


UNREAD_TABLES = {
    **SOURCES,
    "circumstances": "circumstances",
    "conditions": "conditions",
    "patients": "about the person",
}
SHOWN_OF_A_PERSON = ("birth_date", "died_on")
"""Kinds that pages leave out because they are protected characteristics."""
PROTECTED = re.compile(
    "relig|faith|belief|ethnic|rac(e|ial)|national|sexual|orientation|gender|marital|disab|depriv|autis"
)
"""Kinds of circumstance that are protected characteristics, in the words of the record."""
_COLUMN_WORDS = {"birth_date": "date of birth", "died_on": "date of death"}


def unread_words(unread: Iterable[Any]) -> list[str]:
    """One line for each value that was not understood: table, subject, text as written, and day. An unknown medicine
    is named."""
    lines = []
    for one in unread:
        if one.table == "patients" and one.column not in SHOWN_OF_A_PERSON:
            continue
        if one.table == "circumstances" and PROTECTED.search(one.concept.casefold()):
            continue
        written = f" “{one.value}”" if one.value else ""
        on = f", {short_day(one.on)}" if one.on else ""
        if (one.table, one.column) == ("supplies", "medicine"):
            unknown = "not in Upstream's tables: no interaction or burden is known"
            why = FORM_NOT_RECORDED if one.reason == FORM_NOT_RECORDED else unknown
            lines.append(f"Medicine{written}{on}: {why}.")
            continue
        label = TESTS[one.concept].label if one.concept in TESTS else one.concept.replace("_", " ")
        column = _COLUMN_WORDS.get(one.column, one.column.replace("_", " "))
        what = f"{label}, {column}" if label else column
        where = UNREAD_TABLES.get(one.table, one.table)
        undone = (one.table, one.column) == ("supplies", "status") and one.value in ("reversed", "part_returned")
        why = f": {one.reason}" if undone or not written else ""
        lines.append(f"{upper_first(where)}: {what}{written}{on}{why}.")
    return list(dict.fromkeys(lines))


def severity_label(severity: str) -> str:
    return SEVERITIES.get(severity, severity.capitalize())


def severity_colour(severity: str) -> str:
    return SEVERITY_COLOURS.get(severity, "grey")


def day(value: dt.date | dt.datetime | None) -> str:
    """``3 January 2026``, or ``not recorded``."""
    return "not recorded" if value is None else f"{value.day} {value:%B %Y}"


@lru_cache(maxsize=4_096)
def _short(value: dt.date) -> str:
    # A list shows the same few hundred days thousands of times, and strftime is slow.
    return f"{value.day} {value:%b %Y}"


def short_day(value: dt.date | dt.datetime | str | None) -> str:
    """``3 Jan 2026``; a text with a date is converted, other text is kept."""
    if isinstance(value, str):
        try:
            return short_day(dt.date.fromisoformat(value))
        except ValueError:
            return value
    return "not recorded" if value is None else _short(value)


def near_day(value: dt.date | dt.datetime, as_of: dt.date) -> str:
    """``3 Jan``, with the year where the day is half a year or more from ``as_of``."""
    on = value.date() if isinstance(value, dt.datetime) else value
    return short_day(on).rpartition(" ")[0] if abs((on - as_of).days) < 180 else short_day(on)


def dated(text: str) -> str:
    """The text with each ``2026-01-03`` written as ``3 Jan 2026``, and units as people write them."""
    return _ISO.sub(lambda found: short_day(found[0]), text).replace("10^9/L", "×10⁹/L").replace("1.73m2", "1.73 m²")


def listed(names: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def length_of_time(number: int) -> str:
    """A number of days as people say it: in days below two months, then in months, then in years and months."""
    months = round(number / 30.44)
    if months < 2:
        return days(number)
    years, rest = divmod(months, 12)
    said = [f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in ((years, "year"), (rest, "month")) if count]
    return " ".join(said)


def days(number: float | int) -> str:
    whole = int(number)
    return f"{whole:,} day" if whole == 1 else f"{whole:,} days"


def since(then: dt.date | None, as_of: dt.date) -> str:
    """``23 days ago`` or ``in 9 days``, counted from the list's date."""
    if then is None:
        return ""
    gone = (as_of - then).days
    return f"{days(gone)} ago" if gone > 0 else "the list's date" if gone == 0 else f"in {days(-gone)}"


def adjustment_words(adjustments: Iterable[Any]) -> list[str]:
    """A person's needs in care, from (kind, value) rows: ``Interpreter: Somali``."""
    said = {_get(row, "kind"): str(_get(row, "value")).replace("_", " ").strip() for row in adjustments}
    found = []
    if "interpreter" in said:
        found.append(f"Interpreter: {said['language']}" if said.get("language") else "Interpreter needed")
    if "accessible_format" in said:
        found.append(f"Format: {said['accessible_format']}")
    if "reasonable_adjustment" in said:
        value = said["reasonable_adjustment"]
        known = {"in place": "Adjustments in place", "required": "Adjustments needed", "yes": "Adjustments needed"}
        found.append(known.get(value.lower(), f"Adjustment: {value}"))
    return found


def reason_words(label: str, said: str) -> str:
    """A reason in a few words for a row of a list: ``a recent discharge from hospital``, from the sentence of
    ``models.explain.reasons``. || If nothing is recorded, or not all is in order, it keeps the label, so that nothing
    reads as if all were well.
    """
    _, _, what = said.partition(": ")
    first, _, rest = what.rstrip(".").partition(". ")
    if rest:
        return f"{label}: nothing on record"
    short = label if not first or ", on balance" in first else first
    return upper_first(short)


def sentence(text: str) -> str:
    """The text with a capital letter and a full stop."""
    text = text.strip()
    return text if not text else f"{text[0].upper()}{text[1:]}{'' if text.endswith(('.', '?', '!')) else '.'}"


def people(number: int) -> str:
    return "1 person" if number == 1 else f"{number:,} people"


def ago(then: dt.date | None, as_of: dt.date) -> str:
    """``34 days before``, relative to the list's date."""
    if then is None:
        return ""
    gone = (as_of - then).days
    return f"{days(gone)} before this list" if gone >= 0 else f"{days(-gone)} after this list's date"


def signed(value: float) -> str:
    """``+0.42`` or ``−0.42`` with a true minus sign; a value that rounds to zero has no sign."""
    text = f"{abs(value):.2f}"
    return text if text == "0.00" else f"{'+' if value > 0 else '−'}{text}"


def feature_name(name: str) -> str:
    """``clozapine_fbc_days_past_due`` as ``clozapine full blood count days past due``; ``missed_share_180d`` as
    ``missed share, last 180 days``."""
    text = _WINDOW.sub(r", last \1 days", name)
    for short, long in PHRASES.items():
        text = text.replace(short, long)
    text = _LENGTH.sub(lambda found: f"{found[1]} {'hours' if found[2] == 'h' else 'days'}", text.replace("_", " "))
    return " ".join(IN_FULL.get(word, word) for word in text.split(" "))


def feature_words(feature: dict[str, Any] | Any) -> str:
    """``antipsychotic gap days: 34 days``, ``full blood count: due in 9 days``, or that nothing is recorded."""
    name = feature_name(_get(feature, "name"))
    value, unit = _get(feature, "value"), _get(feature, "unit") or ""
    if value is None:
        return f"{name}: not recorded"
    if unit in ANSWERS and value in ANSWERS[unit]:
        return f"{name}: {ANSWERS[unit][value]}"
    if name.endswith(_PAST_DUE) and value < 0:
        return f"{name.removesuffix(_PAST_DUE)}: due in {days(-value)}"
    if unit in ("proportion", "share"):
        return f"{name}: {value:.0%}"
    number = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
    return f"{name}: {number.replace('-', '−')}{'' if unit in WITHOUT_UNIT else f' {unit}'}"


def upper_first(text: str) -> str:
    """The text with a capital first letter; ``HbA1c`` and ``eGFR`` stay as they are written."""
    return text if text[1:2].isupper() else text[:1].upper() + text[1:]


def _get(thing: Any, name: str) -> Any:
    return thing[name] if isinstance(thing, dict) else getattr(thing, name)
