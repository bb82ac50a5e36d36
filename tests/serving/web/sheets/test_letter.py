"""The letter to the GP: a small person in, its lines out; nothing that the record does not hold, never a risk, and the
same words as page, text and PDF."""

from __future__ import annotations

import datetime as dt
import re
from types import SimpleNamespace

import pytest

from serving.identities.schemas import Identity
from serving.people.schemas import CheckDue
from serving.summaries.schemas import AtAGlance, FactShown, FactsShown, MedicineNotKnown, MedicineShown
from serving.web.sheets.letter import OLDER_LIST, letter_of
from serving.web.sheets.letter_pdf import drawn, letter_pdf

AS_OF = dt.date(2026, 1, 5)
TODAY = dt.date(2026, 1, 6)


def ago(days):
    return AS_OF - dt.timedelta(days=days)


def medicine(name="lithium", **changed):
    usual = {"form": "oral", "dose_mg": 800.0, "interval_days": None, "as_required": False, "prescriber": "gp"}
    usual |= {"since": ago(300), "last_on": ago(20), "last_kind": "dispensed", "next_on": ago(-8), "lapsed": False}
    return MedicineShown(name=name, **(usual | changed))


def review(*actions, days_ago=10):
    at = dt.datetime.combine(ago(days_ago), dt.time(9), dt.UTC)
    return SimpleNamespace(actions=list(actions), action_labels=[a.replace("_", " ") for a in actions], reviewed_at=at)


def person(medicines=(), dues=(), reviews=(), not_known=(), shared_care=(), allergies=(), synthetic=False, kept=True):
    def facts(texts):
        return [FactShown(text, ago(90)) for text in texts]

    about = FactsShown(40, [], facts(allergies), facts(shared_care), None, None)
    return SimpleNamespace(
        patient_id="N00",
        team=SimpleNamespace(name="North team"),
        run=SimpleNamespace(as_of=AS_OF, synthetic=synthetic),
        summary=AtAGlance(list(medicines), list(not_known), about, [], [], []) if kept else None,
        last_year=SimpleNamespace(dues=list(dues)),
        reviews=list(reviews),
    )


def lines(heading, **given):
    letter = letter_of(person(**given), None, TODAY)
    return next(part.lines for part in letter.parts if part.heading.startswith(heading))


def test_each_medicine_says_who_prescribes_it_and_what_is_not_known_is_said():
    found = lines("Medicines", medicines=[medicine(), medicine("olanzapine", prescriber="", dose_mg=None)])
    assert found == (
        "Lithium, 800 mg a day, by mouth. Prescriber: GP. On record since 11 Mar 2025; last recorded 16 Dec 2025.",
        "Olanzapine, dose not recorded, by mouth. Prescriber: not recorded. On record since 11 Mar 2025; "
        "last recorded 16 Dec 2025.",
    )
    assert lines("Medicines", not_known=[MedicineNotKnown("newmab", ago(40))]) == (
        "“newmab”: recorded, dose not known here.",
    )
    assert "may have ended" in lines("Medicines", medicines=[medicine(lapsed=True)])[0]


def test_where_nothing_is_recorded_the_letter_says_so():
    assert lines("Medicines") == ("No medicine is recorded as supplied in the last months.",)
    assert lines("Medicines", kept=False) == (OLDER_LIST,)
    assert lines("Allergies") == ("Not recorded",)
    assert lines("Shared care")[0] == "No shared-care agreement is recorded"
    assert "not in this record" in lines("Shared care")[1]
    assert lines("What was") == ("No medicines review is recorded in Upstream in the last year.",)
    assert lines("Checks")[0].startswith("Nothing scheduled is due")


def test_what_is_due_is_in_order_of_day_with_when_it_was_last_done():
    def due(label, on, last):
        return CheckDue(test=label, label=label, due_on=on, last_on=last, grace_days=0)

    depot = medicine("haloperidol decanoate injection", form="long_acting_injection", interval_days=28, next_on=ago(-3))
    found = lines(
        "Checks",
        medicines=[depot],
        dues=[due("lithium level", ago(30), ago(120)), due("thyroid function", ago(-20), None)],
    )
    assert found == (
        "Lithium level: was due 6 December 2025; last recorded 7 September 2025",
        "Haloperidol decanoate injection: due 8 January 2026",
        "Thyroid function: due 25 January 2026; none recorded",
    )


def test_what_was_agreed_is_what_reviews_of_a_year_recorded_and_not_that_somebody_was_not_reached():
    found = lines(
        "What was",
        reviews=[review("dose_changed", "gp_informed"), review("not_reached"), review("dose_changed", days_ago=400)],
    )
    assert found == ("26 December 2025: dose changed; gp informed.",)


@pytest.mark.parametrize(
    ("who", "said"),
    [
        (None, ("About: N00 (number in Upstream)",)),
        (
            Identity("Zoë Testname", dt.date(1980, 2, 3), "9990000018"),
            ("About: Zoë Testname", "Date of birth: 3 February 1980", "NHS number: 999 000 0018"),
        ),
    ],
)
def test_it_is_about_the_person_as_the_trust_named_them(who, said):
    assert letter_of(person(), who, TODAY).about == (*said, "From: North team", "Date: 6 January 2026")


def test_a_letter_about_an_invented_person_says_so():
    assert letter_of(person(synthetic=True), None, TODAY).opening.startswith("SYNTHETIC")


def pages_of(pdf):
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def test_the_pdf_is_one_whole_page_the_same_each_time_and_its_properties_name_nobody():
    letter = letter_of(person(medicines=[medicine()]), Identity("Zoë Testname", None, ""), TODAY)
    pdf = letter_pdf(letter)
    assert pdf.startswith(b"%PDF-") and pdf.rstrip().endswith(b"%%EOF") and pages_of(pdf) == 1
    assert pdf == letter_pdf(letter)
    properties = re.sub(rb"\nstream\r?\n.*?endstream", b"", pdf, flags=re.DOTALL)
    assert b"/Title" in properties and b"Testname" not in properties


def test_letters_that_cannot_be_drawn_stand_as_a_question_mark_and_the_text_has_them():
    assert drawn("Zoë Łukasiewicz & 安娜 – “x”") == "Zoë Łukasiewicz &amp; ?? – “x”"
    letter = letter_of(person(), Identity("安娜", None, ""), TODAY)
    assert "安娜" in letter.text() and letter_pdf(letter).startswith(b"%PDF-")


@pytest.mark.parametrize("end", ["", ".txt", ".pdf"])
def test_page_text_and_pdf_come_from_the_service_and_hold_no_risk(browser, end):
    answer = browser("pharmacist:north").get(f"/patients/N00/letter{end}")
    assert answer.status_code == 200
    if end == ".pdf":
        assert answer.headers["content-type"] == "application/pdf" and answer.content.startswith(b"%PDF-")
    else:
        text = answer.text.split("<main")[-1].split("</main>")[0].lower()
        assert "clozapine" in text and "prescriber" in text
        assert not re.search(r"\brisk|in 100|admission|disengage|rank", text)
    if end:
        assert "N00" not in answer.headers["content-disposition"]


def test_an_emergency_writes_no_letter(home, start):
    with start(home) as client:
        client.post("/sign-in", data={"choice": "pharmacist:north"})
        proof = client.get("/").text.split('name="proof" value="')[1].split('"')[0]
        client.post("/emergency-access", data={"proof": proof, "patient_id": "S02", "reason": "crisis_call"})
        assert client.get("/patients/S02/conversation").status_code == 200
        assert client.get("/patients/S02/letter").status_code == 403
