"""How care gaps and reasons are said in a line: the gap first, then how long; a reason in a few words."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import pytest

from features import CATALOGUE, CONCEPTS
from features.gaps.codes import CODES
from models.explain.reasons import ConceptText
from serving.gap_wording import GAPS, gap_date, gap_parts, kind_title
from serving.web.fragments import gap_line, gap_said
from serving.wording import IN_FULL, dated, feature_name, feature_words, reason_words, upper_first
from serving.worklists.schemas import GapLine

SAID = {
    # code: with 6 days, on the day itself, without a number
    "CLZ_FBC_OVERDUE": (
        "Clozapine blood count: 6 days overdue",
        "Clozapine blood count: due now",
        "Clozapine blood count overdue",
    ),
    "CLZ_BREAK": ("Clozapine supply: ran out 6 days ago", "Clozapine break", "Clozapine break"),
    "CLZ_LEVEL_SMOKING": (
        "Clozapine level to check: 6 days overdue",
        "Clozapine level to check: due now",
        "Clozapine level high or low, or something changed that moves it",
    ),
    "CLZ_GI_HYPOMOTILITY": (
        "Constipation risk on clozapine: bowel check 6 days overdue",
        "Constipation risk on clozapine",
        "Constipation risk on clozapine",
    ),
    "LI_LEVEL_OVERDUE": ("Lithium level: 6 days overdue", "Lithium level: due now", "Lithium level overdue"),
    "LI_RENAL_THYROID_CALCIUM": (
        "Lithium kidney, thyroid or calcium test: 6 days overdue",
        "Lithium kidney, thyroid or calcium test abnormal",
        "Lithium kidney, thyroid or calcium test abnormal",
    ),
    "LAI_OVERDUE": (
        "Long-acting injection: 6 days overdue",
        "Long-acting injection: due now",
        "Long-acting injection overdue",
    ),
    "SUPPLY_GAP_ORAL": (
        "Supply of a regular medicine: ran out 6 days ago",
        "Supply of a regular medicine ran out",
        "Supply of a regular medicine ran out",
    ),
    "NO_ANTIPSYCHOTIC": (
        "No antipsychotic: for 6 days",
        "No antipsychotic for more than 90 days",
        "No antipsychotic for more than 90 days",
    ),
    "REGIMEN_CHANGE_RECENT": (
        "Recent start, stop or switch: review 6 days overdue",
        "Recent start, stop or switch",
        "Recent start, stop or switch",
    ),
    "POST_DISCHARGE_RECONCILE": (
        "Discharged in the last 28 days: 6 days overdue",
        "Discharged in the last 28 days",
        "Discharged in the last 28 days",
    ),
    "MONITORING_NEVER_DONE": (
        "Annual physical health check or part of it: 6 days overdue",
        "Annual physical health check, or a part of it, overdue",
        "Annual physical health check, or a part of it, overdue",
    ),
    "SIDE_EFFECT_BURDEN": ("Side-effect assessment: 6 days overdue", "Side effects high", "Side effects high"),
    "VALPROATE_PPP": (
        "Valproate safety documentation: 6 days overdue",
        "Valproate safety documentation missing",
        "Valproate safety documentation missing",
    ),
    "NO_CONTACT": ("Attended contact: 6 days overdue", "Attended contact: due now", "No attended contact"),
    "MEDICINES_REVIEW_OVERDUE": (
        "Medicines review: 6 days overdue",
        "No medicines review in the last year, or since discharge",
        "No medicines review in the last year, or since discharge",
    ),
    "ALLERGY_NOT_RECORDED": (
        "Allergy status to confirm: 6 days overdue",
        "Allergy status not recorded",
        "Allergy status not recorded",
    ),
}


def said(code: str, number: float | None) -> str:
    what, long = gap_parts(code, CODES[code].title, number)
    return f"{what}: {long}" if long else what


@pytest.mark.parametrize("code", SAID)
def test_a_gap_is_worded_with_its_name_before_its_days(code):
    assert tuple(said(code, number) for number in (6.0, 0.0, None)) == SAID[code]


@pytest.mark.parametrize("code", CODES)
def test_every_code_reads_as_one_short_line_that_says_a_thing_once(code):
    for number in (None, 0.0, 1.0, 6.0):
        line = said(code, number)
        assert line[0].isupper() and not line.endswith(".") and len(line) < 75
        assert len(re.findall("overdue", line)) <= 1
        assert (str(int(number or 0)) + " day") in line if number else "days overdue" not in line


def test_one_day_is_one_day_and_thousands_are_grouped():
    assert said("LI_LEVEL_OVERDUE", 1.0) == "Lithium level: 1 day overdue"
    assert said("MONITORING_NEVER_DONE", 4670.0) == "Annual physical health check or part of it: 4,670 days overdue"


def test_a_code_that_is_not_in_the_table_is_said_by_its_title():
    assert gap_parts("NEW_CODE", "Something new overdue", 3.0) == ("Something new", "3 days overdue")
    assert gap_parts("NEW_CODE", "Something new overdue", None) == ("Something new overdue", "")


def test_the_date_of_a_gap_is_labelled_by_kind():
    assert gap_date("SUPPLY_GAP_ORAL") == gap_date("CLZ_BREAK") == "Supply ran out"
    assert gap_date("LAI_OVERDUE") == gap_date("HDAT") == "Due"


def test_the_table_holds_codes_that_exist():
    assert set(GAPS) <= set(CODES)


def test_a_line_marks_a_safety_gap_and_a_critical_one_and_escapes_a_title():
    gap = GapLine(
        code="X", title="a < b", severity="critical", safety=True, days_overdue=2.0, verified=True, shown=True
    )
    assert gap_said(gap) == "a &lt; b: <strong>2 days overdue</strong>"
    line = gap_line(gap)
    assert "up-gapline--safety" in line and "Critical" in line and "a < b" not in line
    assert "Booked, until 3 May" in gap_line(replace(gap, status="Booked, until 3 May"))
    star = '<abbr title="not yet verified by a pharmacist">*</abbr>'
    assert star not in line and gap_line(replace(gap, verified=False)).count(star) == 1
    routine = replace(gap, severity="low", safety=False)
    assert "safety" not in gap_line(routine) and "Critical" not in gap_line(routine)


@pytest.mark.parametrize(
    ("label", "sentence", "words"),
    [
        ("Days covered", "Raises the estimated risk: fewer days covered.", "Fewer days covered"),
        (
            "Time since discharge",
            "Lowers the estimated risk: time since discharge. There is nothing on record, or it does not apply.",
            "Time since discharge: nothing on record",
        ),
        (
            "Physical health checks",
            "Lowers the estimated risk: physical health checks, on balance; not all is in order.",
            "Physical health checks",
        ),
        ("A label", "A sentence of an older run", "A label"),
    ],
)
def test_a_short_reason_never_sounds_reassuring_about_a_problem(label, sentence, words):
    assert reason_words(label, sentence) == words


def test_every_reason_that_the_model_can_give_fits_a_row():
    for concept in CONCEPTS.values():
        text = ConceptText(concept.slug, concept.label, concept.raises, concept.lowers)
        for raises, recorded, in_order in itertools.product((True, False), repeat=3):
            words = reason_words(concept.label, text.sentence(raises, recorded, in_order))
            assert words and len(words) < 70 and not words.endswith(".")
            if not recorded:
                assert words == f"{concept.label}: nothing on record"
            elif not raises and not in_order:
                assert words == concept.label


def test_dates_in_a_text_are_said_as_dates():
    assert dated("last on 2025-12-08; 10^9/L on 2026-01-03.") == "last on 8 Dec 2025; ×10⁹/L on 3 Jan 2026."
    assert dated("2025-13-45 and 12025-12-08") == "2025-13-45 and 12025-12-08"


@pytest.mark.parametrize(
    ("name", "value", "unit", "words"),
    [
        ("clozapine_fbc_days_past_due", -214.0, "days", "clozapine full blood count: due in 214 days"),
        ("clozapine_fbc_days_past_due", 13.0, "days", "clozapine full blood count days past due: 13 days"),
        ("wbc_latest", 8.9, "10^9/L", "white cells latest: 8.90 10^9/L"),
        ("antipsychotic_gaps_over_14d_365d", 0.0, "gaps", "antipsychotic gaps over 14 days, last 365 days: 0 gaps"),
        ("u_and_e_never_done", 1.0, "yes or no", "urea and electrolytes never done: yes"),
        ("clozapine_colour", 1.0, "0 green, 1 amber, 2 red", "clozapine colour: amber"),
        ("egfr_slope", -3.5, "mL/min/1.73m2 a year", "eGFR slope: −3.50 mL/min/1.73m2 a year"),
        ("missed_share_180d", 0.25, "proportion", "missed share, last 180 days: 25%"),
        ("hba1c_latest", None, "mmol/mol", "HbA1c latest: not recorded"),
    ],
)
def test_an_input_of_the_model_is_put_in_words(name, value, unit, words):
    assert feature_words({"name": name, "value": value, "unit": unit}) == words


def test_no_feature_is_shown_by_a_code():
    for feature in CATALOGUE:
        name = feature_name(feature.name)
        assert not re.search(r"_|\d[dh]\b", name), name
        assert not set(name.split()) & set(IN_FULL), name
    assert upper_first("eGFR latest") == "eGFR latest" and upper_first("mood: HbA1c") == "Mood: HbA1c"


def test_a_kind_of_gap_is_named_for_everybody_who_has_it():
    """The title of one person's gap names their medicine; the counts of a team are of everybody."""
    assert kind_title("WITHDRAWAL_RISK", "Supply of citalopram ran out: not to stop suddenly") == (
        CODES["WITHDRAWAL_RISK"].title
    )
    assert kind_title("OF_A_LATER_RELEASE", "Its own title") == "Its own title"


@pytest.mark.parametrize(
    ("code", "title", "words"),
    [
        (
            "MONITORING_OVERDUE",
            "Rash check (lamotrigine) and 1 more overdue",
            ("Rash check (lamotrigine) and 1 more", "14 days overdue"),
        ),
        ("SUPPLY_GAP_ORAL", "Supply of antipsychotic ran out", ("Supply of antipsychotic", "ran out 14 days ago")),
        (
            "WITHDRAWAL_RISK",
            "Supply of citalopram ran out: not to stop suddenly",
            ("Supply of citalopram, not to stop suddenly", "ran out 14 days ago"),
        ),
    ],
)
def test_a_gap_with_a_title_of_its_own_says_a_thing_once(code, title, words):
    assert gap_parts(code, title, 14.0) == words
