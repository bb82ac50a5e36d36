"""The auditor's page, and emergency access as a pharmacist and the auditor live through it."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

import serving
from features import Records
from serving.nightly.run import score_store
from serving.security.tokens import issue_token
from serving.storage.tables import audit_events, emergency_access
from serving.web.audit_pages import ACTIONS

SERVING = Path(serving.__file__).parent


@pytest.fixture
def hospital(home, start):
    """A service of its own, and how to sign in to it."""
    with start(home) as client:

        def as_(choice):
            client.cookies.clear()
            assert client.post("/sign-in", data={"choice": choice}).status_code == 303
            return client

        yield as_


def proof_of(client):
    return re.search(r'name="proof" value="([^"]+)"', client.get("/").text)[1]


def opens(client, **form):
    usual = {"proof": proof_of(client), "patient_id": "S02", "reason": "crisis_call"}
    return client.post("/emergency-access", data=usual | form)


def rows(text, heading):
    """The cells of each row of the first table after a heading, as plain words."""
    part = text.split(f'id="{heading}"')[1].split("</tbody>")[0]
    found = []
    for row in part.split("<tr>")[2:]:
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)
        found.append([" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in cells])
    return found


def test_a_pharmacist_opens_somebody_and_the_auditor_has_it_on_top_the_same_day(hospital):
    pharmacist = hospital("pharmacist:north")
    assert pharmacist.get("/patients/S02").status_code == 404
    opened = opens(pharmacist)
    assert (opened.status_code, opened.headers["location"]) == (303, "/patients/S02")
    assert pharmacist.get("/patients/S02").status_code == 200
    assert pharmacist.get("/patients/S03").status_code == 404
    auditor = hospital("auditor")
    page = auditor.get("/audit").text
    ((_, who, whom, why, until),) = rows(page, "emergencies")
    assert who.startswith("Pharmacist, North team") and whom == "S02" and "still open" in until
    assert why == "The person, a carer or another service is on the line in a crisis"
    assert page.index('id="emergencies"') < page.index('id="log"')
    looks = {tuple(row[2:5]) for row in rows(page, "log")}
    assert ("Read a person team south", "S02", "opened in an emergency") in looks
    assert ("Asked for a person they may not see", "S03", "not theirs: nothing was shown") in looks


def test_while_it_is_open_the_persons_page_says_who_why_until_when_and_that_the_auditor_has_it(hospital):
    pharmacist = hospital("pharmacist:north")
    assert "Opened in an emergency" not in pharmacist.get("/patients/N00").text
    opens(pharmacist)
    with pharmacist.app.state.service.database.read() as connection:
        granted, until = connection.execute(select(emergency_access.c.granted_at, emergency_access.c.expires_at)).one()
    page = pharmacist.get("/patients/S02").text
    banner = page.split('class="up-emergency"')[1].split("</section>")[0]
    said = " ".join(re.sub(r"<[^>]+>", " ", banner).split())
    assert f"Opened in an emergency, until {until:%H:%M} UTC" in said
    assert f"Opened by Pharmacist, North team at {granted:%H:%M} UTC" in said
    assert "S02 is with South team, which is not your team" in said
    assert "“The person, a carer or another service is on the line in a crisis”" in said
    assert "The auditor has this on their page now" in said
    assert page.index('class="up-emergency"') < page.index("<h1>")
    assert '<a href="/teams/south' not in page, "the way back leads to the pharmacist's own teams"
    assert "Opened in an emergency" not in hospital("pharmacist:south").get("/patients/S02").text


def test_of_two_emergency_accesses_the_page_names_the_one_that_ends_last(hospital):
    pharmacist = hospital("pharmacist:north")
    opens(pharmacist)
    opens(pharmacist, reason="immediate_risk")
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=3)
    with pharmacist.app.state.service.database.write() as connection:
        connection.execute(
            update(emergency_access).where(emergency_access.c.reason == "immediate_risk").values(expires_at=later)
        )
        rest = dict(reason="cover_for_absence", expires_at=later + dt.timedelta(hours=1), grant_id="another")
        rest |= dict(actor="somebody-else", actor_name="Somebody else", patient_id="S02", granted_at=later)
        connection.execute(insert(emergency_access).values(rest))
    page = pharmacist.get("/patients/S02").text
    assert f"until {later:%H:%M} UTC" in page and "Immediate risk" in page and "Somebody else" not in page


def test_the_time_runs_out_and_the_page_says_so(hospital):
    pharmacist = hospital("pharmacist:north")
    opens(pharmacist)
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    with pharmacist.app.state.service.database.write() as connection:
        connection.execute(update(emergency_access).values(granted_at=yesterday, expires_at=yesterday))
    assert pharmacist.get("/patients/S02").status_code == 404
    page = hospital("auditor").get("/audit").text
    assert "None today." in page and "On earlier days (1)" in page and "still open" not in page


def test_the_log_says_who_saw_whom_and_with_which_model(hospital):
    hospital("pharmacist:north").get("/patients/N03")
    bundle = hospital("auditor").get("/").text
    auditor = hospital("auditor")
    found = rows(auditor.get("/audit?action=person.seen").text, "log")
    ((when, who, what, whom, why, model),) = found
    assert (who, what, whom, why) == (
        "Pharmacist, North team Pharmacist",
        "Read a person team north",
        "N03",
        "their own team",
    )
    assert model and model in bundle and when.startswith(f"{dt.datetime.now(dt.UTC).day} ")


def test_the_log_is_searched_by_person_actor_and_day_and_turned_page_by_page(hospital, home):
    token = issue_token(home, "cmht_system", None, "EHR of the trust")
    pharmacist = hospital("pharmacist:north")
    for _ in range(55):
        pharmacist.get("/v1/patients/N03", headers={"Authorization": f"Bearer {token}"})
    pharmacist.get("/patients/N05")
    auditor = hospital("auditor")
    of_n05 = rows(auditor.get("/audit?patient_id=N05&action=").text, "log")
    assert {row[2] for row in of_n05} == {"Read a person team north"}
    assert auditor.get("/audit?patient_id=N0").text.count("Read a person") == 1  # the filter's own word, and no row
    first = auditor.get("/audit?action=person.seen&patient_id=N03").text
    assert len(rows(first, "log")) == 50 and {row[1] for row in rows(first, "log")} == {"EHR of the trust CMHT system"}
    further = re.search(r'href="([^"]+)" rel="next"', first)[1].replace("&amp;", "&")
    assert len(rows(auditor.get(further).text, "log")) == 5
    today = dt.datetime.now(dt.UTC).date()
    assert rows(auditor.get(f"/audit?on={today}&action=person.seen").text, "log")
    assert "Nothing in the log matches." in auditor.get("/audit?on=2020-01-01").text
    actor = re.search(r'href="/audit\?actor=([^"&]+)', first)[1]
    assert {row[1] for row in rows(auditor.get(f"/audit?actor={actor}").text, "log")} == {
        "EHR of the trust CMHT system"
    }


def test_reading_the_page_is_in_the_log(hospital):
    auditor = hospital("auditor")
    auditor.get("/audit?patient_id=N03")
    found = rows(auditor.get("/audit?action=audit.seen").text, "log")
    assert [row[2:4] for row in found] == [["Read this log", "N03"]]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"patient_id": " "}, "Enter the person"),
        ({"reason": ""}, "Choose why"),
        ({"reason": "curiosity"}, "Choose why"),
    ],
    ids=["nobody", "no reason", "no reason of ours"],
)
def test_without_a_person_and_a_reason_nothing_is_opened(hospital, form, said):
    pharmacist = hospital("pharmacist:north")
    answer = opens(pharmacist, **form)
    assert answer.status_code == 422 and said in answer.text and "curiosity" not in answer.text
    assert pharmacist.get("/patients/S02").status_code == 404


def test_a_form_of_another_page_opens_nothing(hospital):
    pharmacist = hospital("pharmacist:north")
    assert opens(pharmacist, proof="forged").status_code == 403
    assert pharmacist.get("/patients/S02").status_code == 404


def test_every_action_that_the_service_writes_down_has_words():
    """The page never shows a code: whatever is recorded anywhere in ``serving`` is in its table."""
    source = "\n".join(path.read_text() for path in SERVING.rglob("*.py"))
    written = set(re.findall(r'Look\(\s*"([a-z_.]+)"', source)) | set(re.findall(r'action: str = "([a-z_.]+)"', source))
    assert {"team.overview_seen", "worklist.seen", "person.left_seen"} <= written
    assert written - set(ACTIONS) == set()


@pytest.mark.parametrize("query", ["on=", "on=&patient_id=&named=&action=", "on=&actor="])
def test_an_empty_field_of_the_form_is_no_filter(hospital, query):
    hospital("pharmacist:north").get("/patients/N03")
    page = hospital("auditor").get(f"/audit?{query}")
    assert page.status_code == 200 and any("Read a person" in row[2] for row in rows(page.text, "log"))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("on=5.1.2026", "Write a day, a month and a year"),
        ("on_day=31&on_month=2&on_year=2026", "Write a day, a month and a year"),
        ("on_day=5", "Write a day, a month and a year"),
        ("patient_id=9434765919", "That is an NHS number"),
    ],
)
def test_a_field_that_cannot_be_read_is_named_and_the_page_stays(hospital, query, said):
    page = hospital("auditor").get(f"/audit?{query}")
    assert page.status_code == 422 and said in page.text and 'role="alert"' in page.text
    assert "9434765919" not in page.text


def test_the_day_is_three_fields_that_keep_what_was_typed(hospital):
    hospital("pharmacist:north").get("/patients/N03")
    auditor = hospital("auditor")
    today = dt.datetime.now(dt.UTC).date()
    parts = {"on_day": today.day, "on_month": today.month, "on_year": today.year, "action": "person.seen"}
    found = auditor.get("/audit", params=parts).text
    assert rows(found, "log") and 'type="date"' not in found
    for name in ("on_day", "on_month", "on_year"):
        assert f'name="{name}" value="{parts[name]}"' in found
    assert 'name="on_day" value="31"' in auditor.get("/audit?on_day=31&on_month=2&on_year=2026").text
    assert "Nothing in the log matches." in auditor.get("/audit?on_day=1&on_month=1&on_year=2020").text


def test_the_log_is_searched_by_a_part_of_a_name(hospital):
    hospital("pharmacist:north").get("/patients/N03")
    hospital("pharmacist:south").get("/patients/S02")
    auditor = hospital("auditor")
    found = rows(auditor.get("/audit?named=north+TEAM").text, "log")
    assert found and {row[1] for row in found} == {"Pharmacist, North team Pharmacist"}
    assert "Nothing in the log matches." in auditor.get("/audit?named=nobody+of+this+name").text


def test_a_view_of_the_log_is_one_event(hospital):
    auditor = hospital("auditor")
    auditor.get("/audit")
    events = [row[2] for row in rows(auditor.get("/audit").text, "log")]
    assert events.count("Read this log") == 1 and "Read the emergency access" not in events


def test_each_view_of_a_page_is_one_event_also_for_a_person_who_left(home, start, world):
    """Pages of people, lists and sheets: one event each, whatever comes of it."""
    whole = Records.load(home / "store")
    whole.select([person for person in whole.patient_ids if person != "N05"]).save(home / "later")
    score_store(home / "later", home / "bundles", home, world.AS_OF + dt.timedelta(days=7), threads=1)
    paths = ("/", "/teams/north", "/teams/north/overview", "/patients/N00", "/patients/N00/conversation")
    paths += ("/patients/N00/letter", "/patients/N05", "/patients/S02", "/digest")
    with start(home) as client:
        client.post("/sign-in", data={"choice": "pharmacist:north"})
        for path in paths:
            before = events_of(client)
            client.get(path)
            assert len(events_of(client)) == len(before) + 1, path


def events_of(client):
    with client.app.state.service.database.read() as connection:
        return list(connection.scalars(select(audit_events.c.action)))
