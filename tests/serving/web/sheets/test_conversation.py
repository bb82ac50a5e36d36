"""The conversation sheet: a small record in, the sentences of the sheet out. It never holds a risk, and says nothing
that the record does not."""

from __future__ import annotations

import datetime as dt
import re
from html import unescape
from types import SimpleNamespace

import pandas as pd
import pytest

from features import Records
from serving.nightly.rows.timeline import timelines
from serving.people.service import last_year
from serving.summaries.schemas import AtAGlance, FactShown, FactsShown, MedicineShown
from serving.web.sheets.conversation import conversation_of
from serving.web.sheets.sheet_words import EASY, PLAIN
from serving.worklists.schemas import Adjustment

AS_OF = dt.date(2026, 1, 5)


def ago(days):
    return AS_OF - dt.timedelta(days=days)


def supply(days_ago, medicine="olanzapine", **changed):
    row = {"patient_id": "A", "medicine": medicine, "route": "oral", "kind": "dispensed", "supplied_on": ago(days_ago)}
    return row | {"days_supplied": 28.0, "daily_dose_mg": 10.0, "known_on": ago(days_ago)} | changed


def injection(days_ago, **changed):
    name = "paliperidone palmitate 1-monthly injection"
    given = {"route": "long_acting_injection", "kind": "administered", "dose_mg": 100.0, "interval_days": 28}
    return supply(days_ago, name, days_supplied=None, daily_dose_mg=None, **(given | changed))


def said(kind, value, days_ago=30):
    return {"patient_id": "A", "kind": kind, "value": value, "from_on": ago(days_ago), "known_on": ago(days_ago)}


def sheet(words=PLAIN, adjustments=(), booked=None, about=None, summary=None, **tables):
    """The sheet of A, out of a record with these rows; without a summary, as a list of an older release has it."""
    frames = {"patients": pd.DataFrame([{"patient_id": "A"} | (about or {})])}
    frames |= {name: pd.DataFrame(rows) for name, rows in tables.items()}
    (row,) = timelines(Records.from_frames(frames), AS_OF, ["A"])
    person = SimpleNamespace(
        last_year=last_year(row["events"], AS_OF),
        run=SimpleNamespace(as_of=AS_OF),
        team=SimpleNamespace(name="North team"),
        adjustments=[Adjustment(*pair) for pair in adjustments],
        next_booked_on=booked,
        summary=summary,
    )
    return conversation_of(person, words)


def test_wishes_and_side_effects_stand_first_with_their_days():
    found = sheet(circumstances=[said("side_effect", "weight gain", 30), said("wish", "one tablet a day", 60)])
    assert found.matters == ["Wish: one tablet a day (6 Nov 2025)", "Side effect: weight gain (6 Dec 2025)"]


def test_where_nothing_is_recorded_nothing_is_said():
    found = sheet()
    assert (found.matters, found.medicines, found.simpler, found.collecting, found.due, found.needs) == ([],) * 6
    assert found.involved == ["Team: North team", "Named worker: not recorded", "Carer: not recorded"]
    assert found.questions == list(PLAIN.questions)


def test_a_medicine_has_its_dose_when_it_ends_and_what_is_known_of_it():
    (found,) = sheet(supplies=[supply(20)]).medicines
    assert (found.name, found.dose, found.how) == ("Olanzapine", "10 mg a day", "Taken by mouth")
    assert found.next_words == "supply lasts to 13 Jan 2026"
    assert "weight gain" in found.facts.side_effects and not found.facts.verified


@pytest.mark.parametrize(
    ("rows", "how", "following"),
    [
        ([injection(20)], "Long-acting injection", "next due 13 Jan 2026"),
        ([injection(40)], "Long-acting injection", "was due 24 Dec 2025"),
        ([supply(9, as_required=True)], "Taken when needed", "last supplied 27 Dec 2025"),
        ([supply(40)], "Taken by mouth", "supply ran out 24 Dec 2025"),
    ],
)
def test_how_it_is_taken_and_when_the_next_is(rows, how, following):
    (found,) = sheet(supplies=rows).medicines
    assert (found.how, found.next_words) == (how, following)


def test_a_dose_that_is_not_recorded_is_not_made_up():
    (found,) = sheet(supplies=[supply(20, daily_dose_mg=None)]).medicines
    assert found.dose == "dose not recorded"


def test_a_medicine_that_ended_is_not_on_the_sheet():
    assert sheet(supplies=[supply(200)]).medicines == []


def test_suggestions_to_simplify_come_from_the_record_and_the_medicine_table():
    days = (80, 76, 52, 48, 24, 20)
    rows = [supply(day, medicine) for day, medicine in zip(days, ("quetiapine", "sertraline") * 3, strict=True)]
    found = sheet(supplies=rows).simpler
    assert found[0] == "2 regular medicines by mouth: is each still needed?"
    assert found[1].startswith("Supplies on 6 different days in the last 90 days")
    assert any("modified-release tablet taken once a day exists" in line for line in found)
    assert found[-1].startswith("How many times a day and how many tablets are not in this record")


def test_how_collecting_has_gone_says_every_gap_with_its_days():
    found = sheet(supplies=[supply(100), supply(60), supply(20)]).collecting
    assert found == ["Olanzapine: nothing in hand by the record for 12 days from 25 Oct 2025; 12 days from 4 Dec 2025"]
    assert sheet(supplies=[supply(48), supply(20)]).collecting == ["Olanzapine: no gap of three days or more on record"]


def test_an_injection_says_when_it_was_last_recorded_and_how_late():
    found = sheet(supplies=[injection(66), injection(20)]).collecting
    assert found == [
        "Paliperidone palmitate 1-monthly injection: last recorded 16 Dec 2025; 18 days late after 28 Nov 2025"
    ]


def test_reported_missed_doses_are_said_only_where_they_were():
    row = said("reported_missed_doses", "yes", 5)
    assert sheet(supplies=[supply(20)], circumstances=[row]).collecting[-1] == (
        "Missed doses were reported (31 Dec 2025)"
    )
    none = said("reported_missed_doses", "no", 5)
    assert len(sheet(supplies=[supply(20)], circumstances=[none]).collecting) == 1


def test_needs_name_where_medicines_can_be_kept_and_an_injection_given():
    found = sheet(
        adjustments=[("interpreter", "required"), ("language", "Somali")],
        about={"autism": "confirmed"},
        supplies=[injection(20)],
        circumstances=[said("housing", "hostel", 30)],
    ).needs
    assert found[0] == "Interpreter: Somali"
    assert "Lives in a hostel (6 Dec 2025): ask where medicines can be locked away" in found
    assert "Ask whether the injection can be given where the person stays" in found
    assert any(line.startswith("Autism confirmed on record") for line in found)
    settled = sheet(circumstances=[said("housing", "settled")], supplies=[injection(20)]).needs
    assert settled == []


def test_who_else_is_involved_is_who_the_record_names():
    rows = [said("carer", "yes"), said("care_coordinator", "S07")]
    found = sheet(circumstances=rows, booked=dt.date(2026, 1, 20)).involved
    assert found == [
        "Team: North team",
        "Named worker: S07 (6 Dec 2025)",
        "Carer: recorded that there is one (6 Dec 2025)",
        "Next appointment booked: 20 January 2026",
    ]


def glance(*medicines, shared_care=()):
    """A summary of the run: (name, form, dose, interval, prescriber, next) of each medicine."""
    shown = [
        MedicineShown(name, form, dose, every, False, who, ago(300), ago(20), "dispensed", following, False)
        for name, form, dose, every, who, following in medicines
    ]
    facts = FactsShown(40, [], [], [FactShown(text, ago(90)) for text in shared_care], None, None)
    return AtAGlance(shown, [], facts, [], [], [])


def test_prescribers_and_shared_care_are_those_of_the_record():
    lithium = ("lithium", "oral", 800.0, None, "gp", AS_OF + dt.timedelta(days=8))
    depot = ("haloperidol decanoate injection", "long_acting_injection", 100.0, 28, "trust", None)
    found = sheet(summary=glance(lithium, depot, shared_care=["shared care agreement"]))
    assert [(one.dose, one.next_words) for one in found.medicines] == [
        ("800 mg a day", "supply lasts to 13 Jan 2026"),
        ("100 mg every 28 days", "none recorded as given"),
    ]
    assert "Prescribed by the GP: lithium" in found.involved
    assert "Prescribed by the trust: haloperidol decanoate injection" in found.involved
    assert "Shared care: shared care agreement (7 Oct 2025)" in found.involved
    assert "Who monitors what: not recorded" in sheet(summary=glance(lithium)).involved


def test_questions_follow_the_medicines():
    found = sheet(supplies=[supply(20, "clozapine"), injection(20)]).questions
    assert PLAIN.questions_about["clozapine"] in found and PLAIN.questions_about["injection"] in found
    assert PLAIN.questions_about["lithium"] not in found


def test_easy_read_says_the_same_facts_in_short_sentences():
    rows = [said("side_effect", "weight gain"), said("housing", "hostel")]
    found = sheet(EASY, supplies=[supply(60), supply(20)], circumstances=rows)
    assert found.matters == ["This bothers you: weight gain (6 Dec 2025)"]
    assert found.needs == ["You live in a hostel. Where can your medicine be kept safe?"]
    lines = (*EASY.questions, *EASY.housing.values(), EASY.alone, EASY.autism)
    sentences = [part for line in lines for part in re.split(r"[.?]\s*", line) if part]
    assert max(len(sentence.split()) for sentence in sentences) <= 12


@pytest.mark.parametrize("path", ["/patients/N00/conversation", "/patients/N00/conversation?easy=1"])
def test_the_sheet_never_holds_a_risk(browser, path):
    client = browser("pharmacist:north")
    page = client.get(path)
    main = unescape(re.sub(r"<[^>]+>", " ", page.text.split("<main")[1].split("</main>")[0])).lower()
    assert page.status_code == 200 and "clozapine" in main
    assert not re.search(r"\brisk|in 100|admission|disengage|rank", main)
    assert re.search(r"facts about medicines .*still to be confirmed by a pharmacist\s*\. from: \w", main)
