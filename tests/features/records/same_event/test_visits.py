"""Contacts, stays, referrals and people: one event is one row, in whatever order, number and version it is sent."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import Records
from features.engine.caseload import caseload
from features.records import day_of
from tests.examples import examples
from tests.tables import TODAY

TEAM = {"teams": [{"team_id": "T1", "kind": "A06"}]}
OPEN = {"referral_id": "r1", "team_id": "T1", "opened_on": "2023-01-10", "known_on": "2023-01-12"}
PLANNED = {"contact_id": "c1", "contact_on": "2025-05-20", "outcome": "planned", "known_on": "2025-05-01"}
SEEN = [
    {"contact_id": f"s{i}", "contact_on": str(dt.date(2025, 1, 6) + dt.timedelta(28 * i)), "outcome": "attended"}
    for i in range(12)
]


def load(**tables: list[dict[str, object]]) -> Records:
    given = {"patients": [{"birth_date": "1980-05-17"}], "referrals": [OPEN]} | tables
    frames = {name: pd.DataFrame(rows, dtype="object").assign(patient_id="anna") for name, rows in given.items()}
    frames["teams"] = pd.DataFrame(TEAM["teams"])
    return Records.from_frames(frames, today=TODAY)


def listed(records: Records, as_of: str) -> bool:
    return bool(len(caseload(records, day_of(as_of)).spine))


def days(records: Records, table: str, *columns: str) -> list[tuple[str, ...]]:
    return [tuple(str(row[column])[:10] for column in columns) for row in records[table].to_dict("records")]


@pytest.mark.parametrize("turned", [False, True])
def test_the_version_known_last_stands_and_both_clocks_are_kept(turned):
    contacts = [PLANNED, PLANNED | {"outcome": "attended", "known_on": "2025-05-23"}]
    referrals = [OPEN, OPEN | {"closed_on": "2025-06-01", "closed_known_on": "2025-06-05", "known_on": "2025-06-05"}]
    step = -1 if turned else 1
    found = load(contacts=contacts[::step], referrals=referrals[::step])
    assert days(found, "contacts", "known_on", "outcome", "outcome_known_on") == [
        ("2025-05-01", "attended", "2025-05-23")
    ]
    assert days(found, "referrals", "known_on", "closed_on", "closed_known_on") == [
        ("2023-01-12", "2025-06-01", "2025-06-05")
    ]
    assert (listed(found, "2025-06-03"), listed(found, "2025-06-06")) == (True, False)
    report = found.report.tables["contacts"]
    assert report.read == report.kept + report.set_aside + report.replaced + report.merged == 2


def test_a_reopened_referral_is_open():
    closed = OPEN | {"closed_on": "2025-06-01", "known_on": "2025-06-05"}
    found = load(referrals=[OPEN, closed, OPEN | {"known_on": "2025-07-01"}])
    assert listed(found, "2025-08-01")


def test_a_closed_row_beats_an_open_one_known_on_the_same_day():
    found = load(referrals=[OPEN | {"closed_on": "2025-06-01"}, OPEN])
    assert not listed(found, "2025-08-01")


@pytest.mark.parametrize("turned", [False, True])
def test_somebody_known_to_have_died_is_on_no_list(turned):
    people = [{"known_on": "2023-01-01"}, {"died_on": "2025-06-01", "known_on": "2025-06-03"}]
    people[0]["birth_date"] = "1980-05-17"
    found = load(patients=people[::-1] if turned else people)
    assert (listed(found, "2025-06-02"), listed(found, "2025-06-10")) == (True, False)
    assert days(found, "patients", "birth_date", "died_on") == [("1980-05-17", "2025-06-01")]
    assert found.report.tables["patients"].replaced == 1


STAY = {"method": "emergency", "ward": "acute"}


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ([("2025-01-01", ""), ("2025-01-01", "2025-01-09")], [("2025-01-01", "2025-01-09")]),
        ([("2025-01-01", "2025-01-09")] * 3, [("2025-01-01", "2025-01-09")]),
        ([("2025-01-01", "2025-01-09"), ("2025-01-03", "2025-01-05")], [("2025-01-01", "2025-01-09")]),
        ([("2025-01-01", "2025-01-09"), ("2025-01-08", "2025-01-20")], [("2025-01-01", "2025-01-20")]),
        ([("2025-01-01", "2025-01-09"), ("2025-02-01", "2025-02-03")], None),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_stays_are_the_union_of_their_intervals(rows, kept, turned):
    stays = [{"admitted_on": a, "discharged_on": d, **STAY} for a, d in (rows[::-1] if turned else rows)]
    assert days(load(stays=stays), "stays", "admitted_on", "discharged_on") == (kept or rows)


def test_a_stay_never_closed_and_contradicted_keeps_nobody_off_the_list():
    found = load(contacts=SEEN, stays=[{"admitted_on": "2019-03-01", **STAY}])
    assert (listed(found, "2025-02-01"), listed(found, "2025-12-01")) == (False, True)
    (told,) = found.unread_of("anna")
    assert told.table == "stays" and "never closed" in told.reason
    assert found.unread_of("anna", as_of=dt.date(2025, 2, 1)) == []
    assert found.report.tables["stays"].contradicted == 1


@pytest.mark.parametrize(("contacts", "admitted"), [([], "2019-03-01"), (SEEN, "2025-06-01"), (SEEN[:2], "2019-03-01")])
def test_a_stay_that_may_still_be_open_is_one(contacts, admitted):
    found = load(stays=[{"admitted_on": admitted, **STAY}], **({"contacts": contacts} if contacts else {}))
    assert not listed(found, "2025-12-01") and found.report.tables["stays"].contradicted == 0


def test_a_missed_and_an_attended_contact_of_a_day_are_an_attended_one():
    missed = {"contact_id": "c2", "contact_on": "2025-05-20", "outcome": "DNA", "known_on": "2025-05-20"}
    found = load(contacts=[missed, missed | {"contact_id": "c3", "outcome": "seen"}])
    assert days(found, "contacts", "outcome") == [("attended",)]


@pytest.mark.parametrize("turned", [False, True])
def test_a_text_about_a_visit_is_not_the_visit(turned):
    """A text that stays unanswered, known a week later, leaves the visit of its day attended."""
    visit = {"contact_id": "c2", "contact_on": "2025-05-20", "outcome": "attended", "mode": "face_to_face"}
    text = visit | {"contact_id": "c3", "outcome": "DNA", "mode": "text", "known_on": "2025-05-27"}
    found = load(contacts=[text, visit] if turned else [visit, text])
    kept = {(row["mode"], row["outcome"]) for row in found["contacts"].to_dict("records")}
    assert kept == {("face_to_face", "attended"), ("text", "did_not_attend")}


@pytest.mark.parametrize(
    ("safety", "ward"),
    [
        (("2025-01-01", "2025-01-01"), ("2025-01-01", "")),
        (("2025-01-01", "2025-01-02"), ("2025-01-01", "2025-01-20")),
        (("2025-01-01", "2025-01-03"), ("2025-01-02", "2025-01-20")),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_an_admission_from_a_place_of_safety_is_kept(safety, ward, turned):
    rows = [
        {"admitted_on": a, "discharged_on": d, "method": "emergency", "ward": where}
        for (a, d), where in ((safety, "place_of_safety"), (ward, "acute"))
    ]
    found = days(load(stays=rows[::-1] if turned else rows), "stays", "ward", "admitted_on", "discharged_on")
    assert ("acute", ward[0], ward[1] or "NaT") in found and len(found) == 2


@pytest.mark.parametrize(
    ("first", "second", "inpatient"),
    [("acute", "picu", True), ("acute", "acute", False), ("acute", "", False), ("", "picu", False)],
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_move_to_another_ward_on_the_day_of_admission_ends_no_stay_there(first, second, inpatient, turned):
    """The first row ended on the day of admission. The second, still open, is the same stay unless its ward differs."""
    ends = (("2025-11-01", first), ("", second))
    rows = [
        {"admitted_on": "2025-11-01", "discharged_on": end, "method": "emergency", "ward": where} for end, where in ends
    ]
    assert listed(load(stays=rows[::-1] if turned else rows), "2025-12-01") is not inpatient


DAYS = st.sampled_from([f"2025-0{month}-1{day}" for month in (3, 4, 5) for day in (0, 1)])


@st.composite
def extracts(draw):
    """Contacts, referrals and stays with ids and days that meet often, some of them amended."""
    contacts = st.fixed_dictionaries(
        {"contact_id": st.sampled_from("abc"), "contact_on": DAYS, "known_on": st.sampled_from(["2025-06-01", ""])}
        | {"outcome": st.sampled_from(["attended", "DNA", "planned", "??"]), "kind": st.sampled_from(["routine", ""])}
    )
    stays = st.fixed_dictionaries(
        {"admitted_on": DAYS, "discharged_on": st.sampled_from(["", "2025-06-01", "2025-05-11"])}
    )
    referrals = st.fixed_dictionaries(
        {"referral_id": st.sampled_from("rs"), "team_id": st.just("T1"), "opened_on": DAYS}
        | {
            "closed_on": st.sampled_from(["", "2025-06-01", "9999-12-31"]),
            "known_on": st.sampled_from(["", "2025-06-09"]),
        }
    )
    rows = {"contacts": contacts, "stays": stays, "referrals": referrals}
    return {name: draw(st.lists(one, min_size=1, max_size=6)) for name, one in rows.items()}


@settings(max_examples=examples(20), deadline=None)
@given(extracts(), st.randoms())
def test_any_order_and_any_resending_gives_the_same_store(extract, random):
    first = load(**extract)
    again = {name: random.sample(rows * 2, 2 * len(rows)) for name, rows in extract.items()}
    second = load(**again)
    assert second.data_hash == first.data_hash
    for name, report in second.report.tables.items():
        assert report.read == report.kept + report.set_aside + report.replaced + report.merged, name
