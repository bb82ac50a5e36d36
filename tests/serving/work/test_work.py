"""Giving a person to a colleague: of the team only, handed over with closed codes, for this week until reviewed,
filtered, audited, through the choke point."""

from __future__ import annotations

import datetime as dt
import re
from html import unescape

import pytest
from sqlalchemy import select

from serving.identity.callers import Role, local_person, person_id
from serving.security.memberships import assign_role, join_team
from serving.security.tokens import issue_token
from serving.storage.tables import audit_events, work_items

SAM, PRIYA, SUE = (local_person(Role.PHARMACIST, name) for name in ("Sam", "Priya", "Sue"))
PATH = "/v1/patients/N03/work"
REVIEW = {
    "actions": ["gp_informed"],
    "medicines_reconciled": True,
    "allergies_up_to_date": True,
    "side_effects_assessed": True,
}


@pytest.fixture
def service(home, start):
    """Sam and Priya are pharmacists of the north team, Sue of the south; the client is Sam's."""
    token = issue_token(home, "pharmacist", ["north"], "Sam")
    issue_token(home, "pharmacist", ["north"], "Priya")
    issue_token(home, "pharmacist", ["south"], "Sue")
    issue_token(home, "cmht_system", ["north"], "EHR")
    with start(home, environment="production") as client:
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def give(client, person="N03", **work):
    return client.post(f"/v1/patients/{person}/work", json=work)


def listed(client, work):
    found = client.get(f"/v1/teams/north/worklist?work={work}").json()
    return sorted(person["patient_id"] for person in found["items"])


def test_colleagues_are_the_pharmacists_of_the_persons_team(service):
    found = service.get(PATH).json()
    assert [one["name"] for one in found["colleagues"]] == ["Priya", "Sam"] and found["item"] is None


def test_colleagues_by_membership_have_it_in_force_today_and_are_no_other_role(service, home):
    today = dt.datetime.now(dt.UTC).date()
    day = dt.timedelta(days=1)
    join_team(home, "https://id", "anna", "north", today - day, None, "rota", False)
    join_team(home, "https://id", "left", "north", today - 9 * day, today - day, "rota", False)
    join_team(home, "https://id", "lead", "north", today - day, None, "rota", False)
    assign_role(home, "https://id", "lead", Role.AUDITOR, today - day, None, "rota")
    found = {one["name"]: one["person"] for one in service.get(PATH).json()["colleagues"]}
    assert found == {"anna": person_id("https://id", "anna"), "Priya": PRIYA, "Sam": SAM}


@pytest.mark.parametrize("whom", [SUE, "nobody-of-this-name", local_person(Role.CMHT_SYSTEM, "EHR")])
def test_only_members_of_the_team_can_be_given(service, whom):
    answer = give(service, given_to=whom)
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "body.given_to")
    assert service.get(PATH).json()["item"] is None


def test_the_newest_entry_counts_and_the_earlier_ones_are_kept(service):
    give(service, given_to=SAM, this_week=True)
    answer = give(service, given_to=PRIYA, notes=["bloods_to_chase", "bloods_to_chase", "best_in_person"])
    assert answer.status_code == 201
    item = service.get(PATH).json()["item"]
    assert (item["given_to_name"], item["set_by"], item["this_week"]) == ("Priya", "Sam", False)
    assert item["notes"] == ["bloods_to_chase", "best_in_person"]
    with service.app.state.service.database.engine.connect() as connection:
        assert len(connection.execute(select(work_items)).all()) == 2


def test_free_text_and_unknown_codes_are_refused(service):
    for wrong in ({"notes": ["call her mother"]}, {"note": "text"}, {"given_to": ""}, {"this_week": "maybe"}):
        answer = give(service, **wrong)
        assert answer.status_code == 422 and "mother" not in answer.text


def test_a_list_is_filtered_by_mine_by_this_week_and_by_nobodys(service):
    give(service, "N01", given_to=SAM)
    give(service, "N02", given_to=PRIYA, this_week=True)
    give(service, "N03", given_to=SAM)
    give(service, "N03", given_to=PRIYA)
    assert listed(service, "mine") == ["N01"]
    assert listed(service, "this_week") == ["N02"]
    assert listed(service, "nobody") == ["N00", "N04", "N05", "N06", "N07"]
    said = {row["patient_id"]: row["work"] for row in service.get("/v1/teams/north/worklist").json()["items"]}
    assert (said["N01"], said["N02"], said["N00"]) == ("Yours", "With Priya, to do this week", "")


def test_only_a_later_review_removes_the_mark_of_this_week(service):
    give(service, given_to=SAM, this_week=True)
    assert listed(service, "this_week") == ["N03"]
    headers = {"Idempotency-Key": "of-this-week-1"}
    review = service.post("/v1/patients/N03/reviews", json=REVIEW, headers=headers).json()
    assert listed(service, "this_week") == [] and service.get(PATH).json()["item"]["given_to"] == SAM
    service.post(f"/v1/patients/N03/reviews/{review['review_id']}/undo")
    assert listed(service, "this_week") == ["N03"], "the review was undone"


def test_a_colleague_who_left_the_team_is_marked(service, home):
    give(service, given_to=PRIYA)
    with service.app.state.service.database.write() as connection:
        connection.exec_driver_sql("UPDATE tokens SET expires_at = '2020-01-01' WHERE label = 'Priya'")
    item = service.get(PATH).json()["item"]
    assert item["given_to_name"] == "Priya" and item["still_in_team"] is False


def test_a_person_of_another_team_cannot_be_assigned_and_emergency_access_only_reads(service):
    assert give(service, "S02", given_to=SUE).status_code == 404
    service.post("/v1/patients/S02/emergency-access", json={"reason": "crisis_call"})
    assert give(service, "S02", given_to=SUE).status_code == 403


def test_it_is_in_the_audit_log(service):
    give(service, given_to=PRIYA, notes=["gp_to_call"])
    with service.app.state.service.database.engine.connect() as connection:
        event = connection.execute(select(audit_events).where(audit_events.c.action == "work.set")).one()
    assert event.patient_ids == ["N03"]
    assert event.detail == {"given_to": PRIYA, "this_week": False, "notes": ["gp_to_call"]}


def test_on_the_page_somebody_is_handed_over_and_the_list_is_cut_to_mine(home, start):
    with start(home) as client:
        client.post("/sign-in", data={"choice": "pharmacist:north"})
        page = client.get("/patients/N03?view=admission-90").text
        assert "Given to nobody" in page
        colleagues = dict(re.findall(r'<option value="(local-[0-9a-f]+)"[^>]*>([^<]+)<', page))
        assert set(colleagues.values()) == {
            "Pharmacist, North team (me)",
            "Pharmacist, every team of the demo",
        }
        me = next(who for who, name in colleagues.items() if name.endswith("(me)"))
        proof = re.search(r'name="proof" value="([^"]+)"', page)[1]
        form = {"proof": proof, "view": "admission-90", "given_to": me, "this_week": "yes", "notes": "person_to_call"}
        done = client.post("/patients/N03/work", data=form)
        after = unescape(client.get(done.headers["location"]).text)
        assert "Saved." in after and "To do this week" in after and "Person to call" in after
        mine = client.get("/teams/north?work=mine").text
        assert re.findall(r'href="/patients/(N\d+)\?[^"]*">', mine)[:1] == ["N03"] and "Given to me" in mine
        wrong = client.post("/patients/N03/work", data=form | {"given_to": "somebody"})
        assert "Choose a colleague of this team" in client.get(wrong.headers["location"]).text
        assert client.post("/patients/N03/work", data=form | {"proof": "forged"}).status_code == 403
