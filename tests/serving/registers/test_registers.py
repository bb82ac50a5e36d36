"""Registers and the week: who is on them, in which order, who may see them, and what the file holds."""

from __future__ import annotations

import csv
import io
import re

import pytest
from sqlalchemy import func, select, update

from serving.registers.schemas import HEADINGS, RegisterName
from serving.security.tokens import issue_token
from serving.storage.tables import audit_events, gaps, summaries
from tests.serving.conftest import sign_in
from tests.serving.identities.named import NAME, give_names


@pytest.fixture
def trust(home, start):
    give_names(home)
    with start(home) as client:
        sign_in(client, "pharmacist:north")
        yield client


def people_on(page):
    return re.findall(r'scope="row"><a href="/patients/(\w+)"', page)


def events(client, action):
    with client.app.state.service.database.read() as connection:
        found = connection.execute(select(audit_events).where(audit_events.c.action == action))
        return list(found.mappings())


def test_the_clozapine_register_holds_who_takes_it_with_the_gap_that_their_page_shows(trust):
    page = trust.get("/registers/clozapine").text
    assert people_on(page) == ["N00"] and NAME in page and "Clozapine 10 mg" in page
    assert "Clozapine blood count" in page and "overdue" in page
    marked = page.count('<abbr title="not yet verified by a pharmacist">*</abbr>')
    assert marked and page.count("A star marks a standard not yet verified by a pharmacist.") == 1


CHECKED = "UK schedule, checked on 13 Jan 2026"


def test_the_clozapine_register_names_its_schedule_and_the_day_on_which_that_was_checked(trust):
    assert f"Days of blood counts follow the {CHECKED}." in trust.get("/registers/clozapine").text
    for other in set(RegisterName) - {RegisterName.CLOZAPINE}:
        assert "checked on" not in trust.get(f"/registers/{other.value}").text


def test_the_page_of_a_person_says_of_an_overdue_count_when_its_schedule_was_checked(trust):
    assert CHECKED in trust.get("/patients/N00").text


def test_the_api_says_of_an_overdue_count_when_its_schedule_was_checked(client, as_role):
    found = client.get("/v1/patients/N00", headers=as_role("pharmacist")).json()["gaps"]
    (gap,) = [gap for gap in found if gap["code"] == "CLZ_FBC_OVERDUE"]
    assert "UK schedule, checked on 2026-01-13" in gap["value"]


@pytest.mark.parametrize("register", [name.value for name in RegisterName])
def test_every_register_opens_has_its_columns_and_is_in_the_log(trust, register):
    answer = trust.get(f"/registers/{register}")
    headings = HEADINGS[RegisterName(register)]
    assert answer.status_code == 200 and f"<h1>{headings.title}</h1>" in answer.text
    (event,) = events(trust, "register.seen")
    assert event["patient_ids"] == people_on(answer.text) and event["detail"] == {"names": True, "register": register}


def test_nobody_of_another_team_is_on_a_register(trust):
    assert trust.get("/registers/clozapine?team=south").status_code == 404
    assert "S0" not in "".join(people_on(trust.get("/registers/interactions").text))
    assert trust.get("/registers/no-such").status_code in (404, 422)


def test_a_register_is_filtered_by_overdue_care_and_says_when_nobody_fits(trust):
    assert people_on(trust.get("/registers/clozapine?status=gap").text) == ["N00"]
    page = trust.get("/registers/clozapine?status=no-gap").text
    assert people_on(page) == [] and "Nobody on this register fits" in page


PAIRS = [("N03", "citalopram with quetiapine: QT prolongation"), ("N04", "ibuprofen with venlafaxine: bleeding")]


def test_a_pair_that_an_ecg_should_watch_has_its_gap_on_the_register_of_interactions(trust):
    """Another rule covers such a pair; beside it the register said that nothing was overdue. A raised blood pressure
    beside another pair is no matter of this register."""
    with trust.app.state.service.database.write() as connection:
        for person, pair in PAIRS:
            row = ["interactions", ["olanzapine"], -90, None, pair, [], "", [], 2]
            mine = update(summaries).where(summaries.c.patient_id == person)
            connection.execute(mine.values(registers=[row], on_registers=",interactions,"))
            title = "QT-prolonging medicines together and no ECG since, or in a year"
            own = update(gaps).where(gaps.c.patient_id == person)
            first = select(func.min(gaps.c.code)).where(gaps.c.patient_id == person).scalar_subquery()
            connection.execute(own.where(gaps.c.code == first).values(code="BP_PULSE_QTC", title=title))
    page = trust.get("/registers/interactions").text
    rows = {person: row for row in page.split("<tr")[1:] for person in people_on(row)}
    assert set(rows) == {"N03", "N04"}
    assert "QT-prolonging medicines together" in rows["N03"]
    assert "QT-prolonging" not in rows["N04"] and "Nothing of this register overdue" in rows["N04"]


def test_a_register_leaves_as_a_file_for_the_lead_of_its_teams_only(home, start):
    give_names(home)
    with start(home) as client:
        client.cookies.set("upstream_session", issue_token(home, "pharmacist", ["north"], "Ann", kind="session"))
        assert client.get("/registers/clozapine.csv").status_code == 403
        client.cookies.set(
            "upstream_session", issue_token(home, "pharmacist", ["north"], "Lead", kind="session", lead=True)
        )
        plain = list(csv.DictReader(io.StringIO(client.get("/registers/clozapine.csv").text)))
        named = list(csv.DictReader(io.StringIO(client.get("/registers/clozapine.csv?names=yes").text)))
        assert [row["patient_id"] for row in plain] == ["N00"] and "name" not in plain[0]
        assert named[0]["name"] == NAME and named[0]["register"] == "Clozapine"
        assert "; not yet verified)" in plain[0]["care_gaps"]
        assert plain[0]["schedule"] == "UK schedule, checked on 2026-01-13"
        assert [event["detail"].get("names") for event in events(client, "register.exported")] == [None, True]


DUES = [
    [-3, "check", ["lipids"], "smi_any"],
    [2, "check", ["lithium level", "thyroid function"], "lithium"],
    [2, "supply", ["olanzapine"], "olanzapine"],
    [4, "supply", ["clozapine"], "clozapine"],
    [9, "injection", ["paliperidone palmitate 1-monthly injection"], "paliperidone"],
]


@pytest.fixture
def week(trust):
    """N03 and somebody of the south team, with the same due dates: what the page of the week says by day."""
    with trust.app.state.service.database.write() as connection:
        chosen = summaries.c.patient_id.in_(["N03", "S02"])
        connection.execute(update(summaries).where(chosen).values(dues=DUES))

    def shown(query):
        page = trust.get(f"/this-week?{query}").text
        days = re.split(r'<h2 id="day-', page)[1:]
        return {re.search(r">(.*?)</h2>", day)[1]: day for day in days}

    return shown


def test_the_week_says_by_day_what_falls_due_and_first_what_is_due_and_not_late(week):
    days = week("days=7")
    assert list(days) == [
        "Due before 5 January 2026, not yet late",
        "Wednesday 7 January 2026",
        "Friday 9 January 2026",
    ]
    assert "Lithium level, thyroid function (lithium)" in days["Wednesday 7 January 2026"]
    assert all(set(people_on(day)) == {"N03"} for day in days.values()), "one line a person, nobody of the south team"


def test_the_next_14_days_hold_the_next_7(week):
    seven, fourteen = week("days=7"), week("days=14")
    assert list(fourteen)[: len(seven)] == list(seven)
    assert "Injection: paliperidone" in fourteen["Wednesday 14 January 2026"]


def test_supplies_are_collapsed_except_those_dangerous_to_miss(week):
    days = week("days=7")
    folded = days["Wednesday 7 January 2026"].partition("<details")[2]
    assert "Supply runs out: olanzapine" in folded
    assert "Supply runs out: clozapine" in days["Friday 9 January 2026"].partition("<details")[0]


def test_the_week_is_in_the_log_and_another_team_is_not_there(trust, week):
    week("days=7&team=north")
    assert [event["patient_ids"] for event in events(trust, "week.seen")] == [["N03"]]
    assert trust.get("/this-week?team=south").status_code == 404


def test_a_persons_page_and_list_say_the_same_due_dates(trust, week):
    assert "8 Jan" not in week("days=7")
    page = trust.get("/patients/N03").text
    assert "<b>7 Jan 2026</b> Lithium level, thyroid function (lithium)" in page
    assert "lipids" in trust.get("/teams/north").text
