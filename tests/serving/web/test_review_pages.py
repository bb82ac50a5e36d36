"""Reviews on the page: recorded, corrected and undone; refused with every answer kept; nothing lost when a session
ends."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from sqlalchemy import select, update

from serving.app import access_of, create_app
from serving.security.tokens import issue_token
from serving.settings import ServiceSettings
from serving.storage.tables import audit_events, drafts, reviews, tokens
from serving.web import after_sign_in

PAGE_ROOTS = {
    *("teams", "patients", "registers", "this-week", "find", "model", "status"),
    *("audit", "digest", "help", "glossary", "emergency-access"),
}
ANSWERS = {
    "actions": ["monitoring_arranged", "gp_informed"],
    "medicines_reconciled": "yes",
    "allergies_up_to_date": "no",
    "side_effects_assessed": "yes",
    "listing_was": "useful",
}


def hidden(page, name):
    return unescape(re.search(rf'name="{name}" value="([^"]*)"', page)[1])


def words(page):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def ticked(page):
    """Names and values of every box and choice that is filled in."""
    found = re.findall(r'<input type="(?:checkbox|radio)" name="([^"]+)" value="([^"]+)" checked>', page)
    return {pair for pair in found if pair[0] != "status"}


@pytest.fixture
def trust(home, start):
    """A service of its own, and how somebody signs in to it by name."""
    with start(home) as client:

        def signs_in(name, teams=("north",)):
            client.cookies.clear()
            client.cookies.set("upstream_session", issue_token(home, "pharmacist", list(teams), name, kind="session"))
            return client

        yield signs_in


@pytest.fixture
def priya(trust):
    return trust("Priya")


@pytest.fixture
def database(priya):
    return priya.app.state.service.database


def send(client, page, **changes):
    form = {name: hidden(page, name) for name in ("proof", "key", "view", "back")} | ANSWERS | changes
    return client.post("/patients/N03/reviews", data=form)


def record(client, **changes):
    """Record a review; the page that follows."""
    done = send(client, client.get("/patients/N03").text, **changes)
    assert done.status_code == 303
    return client.get(done.headers["location"]).text


def stored(database, table=reviews):
    with database.engine.connect() as connection:
        return connection.execute(select(table)).all()


def test_the_history_holds_the_three_answers_and_what_the_listing_was(priya):
    page = words(record(priya))
    assert "The review is recorded." in page
    said = "Medicines reconciled: yes. Allergies up to date: no. Side effects assessed: yes. Listing useful."
    assert said in page


def test_a_review_is_corrected_on_the_page_and_both_versions_stay(priya, database):
    page = record(priya)
    edit = unescape(re.search(r'href="(/patients/N03/reviews/[0-9a-f]+/edit[^"]*)"', page)[1])
    form = priya.get(edit).text
    assert ticked(form) == {("actions", a) for a in ANSWERS["actions"]} | {
        (name, ANSWERS[name])
        for name in ("medicines_reconciled", "allergies_up_to_date", "side_effects_assessed", "listing_was")
    }
    done = send(priya, form, replaces=hidden(form, "replaces"), allergies_up_to_date="yes")
    after = words(priya.get(done.headers["location"]).text)
    assert "The correction is saved." in after and "corrected by Priya" in after
    assert "Earlier versions and what was undone (1)" in after and "A later version replaced this one." in after
    assert [row.allergies_up_to_date for row in stored(database)] == [False, True]


def test_a_review_is_undone_on_the_page_and_can_be_recorded_again(priya):
    page = record(priya)
    undo = re.search(r'action="(/patients/N03/reviews/[0-9a-f]+/undo)"', page)[1]
    done = priya.post(undo, data={name: hidden(page, name) for name in ("proof", "view", "back")})
    after = priya.get(done.headers["location"]).text
    assert "The review is undone." in after and "None recorded that counts" in words(after)
    assert "undone by Priya" in words(after)
    again = unescape(re.search(r'href="([^"]+/edit[^"]*)">Record it again', after)[1])
    form = priya.get(again).text
    send(priya, form, replaces=hidden(form, "replaces"))
    assert "corrected by Priya" in words(priya.get("/patients/N03").text)


def test_undo_needs_the_proof_of_an_own_page(priya):
    page = record(priya)
    undo = re.search(r'action="(/patients/N03/reviews/[0-9a-f]+/undo)"', page)[1]
    assert priya.post(undo, data={"proof": "of somebody else"}).status_code == 403


def test_boxes_are_grouped_under_the_persons_gaps(priya):
    page = priya.get("/patients/N00").text
    heads = [unescape(head) for head in re.findall(r'class="up-choicegroup__head"[^>]*>([^<]*)<', page)]
    assert heads[-1] == "Anything else" and len(heads) > 2
    first = page.split('class="up-choicegroup__head"')[1]
    assert "blood count" in heads[0].lower() and 'value="monitoring_arranged"' in first


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"actions": []}, "Choose at least one thing that was done"),
        ({"actions": ["no_change_needed", "medicine_changed"]}, "cannot stand together with"),
        ({"side_effects_assessed": ""}, "Answer yes or no: side effects assessed"),
        ({"snooze_day": "31", "snooze_month": "2", "snooze_year": "2026"}, "must be a date after today"),
        ({"snooze_day": "1", "snooze_month": "1", "snooze_year": "2020"}, "must be a date after today"),
        ({"snooze_day": "5"}, "must be a date after today"),
    ],
)
def test_errors_are_listed_at_the_top_and_every_answer_is_kept(priya, database, changes, said):
    answer = send(priya, priya.get("/patients/N03").text, **changes)
    assert answer.status_code == 303, "the browser's Back and Reload never send the form again"
    page = priya.get(answer.headers["location"]).text
    summary = page.split('role="alert"')[1].split("</ul>")[0]
    assert said in unescape(summary) and "The review was not recorded" in summary
    wanted = ANSWERS | changes
    assert {value for name, value in ticked(page) if name == "actions"} == set(wanted["actions"])
    assert 'name="snooze_day" value="{}"'.format(wanted.get("snooze_day", "")) in page
    assert stored(database) == []


def test_after_a_refused_form_is_put_right_the_draft_is_gone(priya, database):
    refused = send(priya, priya.get("/patients/N03").text, actions=[])
    page = priya.get(refused.headers["location"]).text
    assert len(stored(database, drafts)) == 1
    done = send(priya, page)
    assert "The review is recorded." in priya.get(done.headers["location"]).text
    assert stored(database, drafts) == [] and len(stored(database)) == 1
    assert ticked(priya.get("/patients/N03").text) == set()


def end_sessions(database):
    then = datetime.now(UTC) - timedelta(minutes=31)
    with database.write() as connection:
        connection.execute(update(tokens).values(created_at=then, last_used_at=then))


def test_an_ended_session_loses_nothing(trust, priya, database, home):
    page = priya.get("/patients/N03").text
    end_sessions(database)
    late = send(priya, page)
    assert (late.status_code, late.headers["location"]) == (303, "/sign-in?kept=1")
    assert "is kept for you" in priya.get("/sign-in?kept=1").text
    assert stored(database) == [], "it is not recorded"
    assert "monitoring_arranged" not in str(stored(database, drafts)), "the database cannot read it"

    again = trust("Priya").get("/patients/N03").text
    assert "not recorded yet" in again
    assert ("actions", "monitoring_arranged") in ticked(again) and ("allergies_up_to_date", "no") in ticked(again)
    done = send(priya, again)
    assert "The review is recorded." in priya.get(done.headers["location"]).text


def test_an_ended_session_loses_no_other_form_about_the_person(trust, priya, database):
    """Who has them, the status of a gap, and a review: each is kept, and none takes the place of another."""
    page = priya.get("/patients/N03").text
    code = re.search(r"/gaps/([A-Z_]+)/status", page)[1]
    base = {"proof": hidden(page, "proof")}
    end_sessions(database)
    work = priya.post("/patients/N03/work", data=base | {"this_week": "yes", "notes": ["bloods_to_chase"]})
    sent = {
        "status": "not_applicable",
        "until_day": "9",
        "until_month": "3",
        "until_year": "",
        "why": "record_is_wrong",
    }
    status = priya.post(f"/patients/N03/gaps/{code}/status", data=base | sent)
    assert [one.headers["location"] for one in (work, status, send(priya, page))] == ["/sign-in?kept=1"] * 3
    assert len(stored(database, drafts)) == 1 and "bloods" not in str(stored(database, drafts))

    again = trust("Priya").get("/patients/N03").text
    assert "Something that you filled in is not saved yet." in again and "A review that you filled in" in again
    assert {("this_week", "yes"), ("notes", "bloods_to_chase"), ("actions", "monitoring_arranged")} <= ticked(again)
    form = again[again.index(f'id="status-{code}"') :]
    assert 'value="not_applicable" checked' in form and 'value="record_is_wrong" selected' in form
    assert 'name="until_month" value="3"' in form
    assert ticked(trust("Sam").get("/patients/N03").text) == set(), "nobody else finds any of it"

    priya = trust("Priya")
    done = {"proof": hidden(again, "proof"), "this_week": "yes"}
    done["proof"] = hidden(priya.get("/patients/N03").text, "proof")
    assert "work_set" in priya.post("/patients/N03/work", data=done).headers["location"]
    left = priya.get("/patients/N03").text
    assert "A review that you filled in" in left and f"#gap-{code}" in left, "what is saved goes; the others stay"


def test_nobody_else_finds_the_draft(trust, priya, database):
    page = priya.get("/patients/N03").text
    end_sessions(database)
    send(priya, page)
    assert ticked(trust("Sam").get("/patients/N03").text) == set()


@pytest.mark.parametrize("wrong", ["proof", "person", "signed out", "too late"])
def test_a_draft_of_unknown_author_is_not_kept_and_the_page_says_so(trust, priya, database, wrong):
    page = priya.get("/patients/N03").text
    form = {name: hidden(page, name) for name in ("proof", "key", "view", "back")} | ANSWERS
    end_sessions(database)
    now = datetime.now(UTC)
    if wrong == "proof":
        form["proof"] = "of somebody else"
    if wrong == "signed out":
        with database.write() as connection:
            connection.execute(update(tokens).values(revoked_at=now))
    if wrong == "too late":
        with database.write() as connection:
            connection.execute(update(tokens).values(expires_at=now - timedelta(days=3)))
    late = priya.post(f"/patients/{'S02' if wrong == 'person' else 'N03'}/reviews", data=form)
    assert late.headers["location"] == "/sign-in?lost=1"
    assert "was not saved" in priya.get("/sign-in?lost=1").text
    assert stored(database, drafts) == []


def test_a_draft_expires_and_its_author_can_delete_it(priya, database):
    send(priya, priya.get("/patients/N03").text, actions=[])
    page = priya.get("/patients/N03").text
    assert "not recorded yet" in page
    form = {name: hidden(page, name) for name in ("proof", "view", "back")}
    priya.post("/patients/N03/reviews/draft/drop", data=form)
    assert "not recorded yet" not in priya.get("/patients/N03").text
    send(priya, priya.get("/patients/N03").text, actions=[])
    with database.write() as connection:
        connection.execute(update(drafts).values(expires_at=datetime.now(UTC)))
    assert "not recorded yet" not in priya.get("/patients/N03").text


def test_signing_in_leads_to_the_page_that_was_asked_for(home, start):
    with start(home) as client:
        asked = client.get("/patients/N03?view=admission-90")
        assert asked.headers["location"] == "/sign-in"
        done = client.post("/sign-in", data={"choice": "pharmacist:north"})
        assert done.headers["location"] == "/patients/N03?view=admission-90"
        assert client.get("/").status_code == 200
        client.cookies.delete("upstream_session")
        assert client.post("/sign-in", data={"choice": "pharmacist:north"}).headers["location"] == "/", "once"


def test_another_user_of_the_browser_is_not_sent_to_the_previous_users_page(trust, priya, database, home):
    page = priya.get("/patients/N03").text
    end_sessions(database)
    send(priya, page)
    done = priya.post("/sign-in", data={"choice": "pharmacist:south"})
    assert done.headers["location"] == "/"


@pytest.mark.parametrize(
    "cookie",
    ["anybody|//elsewhere.example", "anybody|https://elsewhere.example", "anybody|/sign-out", "|/", "x" * 3000],
)
def test_only_an_address_of_our_own_pages_is_followed(home, start, cookie):
    with start(home) as client:
        client.cookies.set("upstream_next", cookie)
        assert client.post("/sign-in", data={"choice": "pharmacist:north"}).headers["location"] == "/"


def test_keeping_a_draft_is_in_the_log_and_holds_none_of_it(priya, database):
    send(priya, priya.get("/patients/N03").text, actions=[])
    with database.engine.connect() as connection:
        kept = connection.execute(select(audit_events).where(audit_events.c.action == "draft.kept")).one()
    assert kept.patient_ids == ["N03"] and kept.detail == {}


def test_every_page_that_can_be_asked_for_is_led_to_after_signing_in(home):
    """A page whose address is not known to the way back would end at the start, without a word."""
    routes = [route.split(" ", 1) for route in access_of(create_app(ServiceSettings(home=home)))]
    pages = [path for method, path in routes if method == "GET" and not path.startswith(("/v1", "/sign", "/static"))]
    own = [path for path in pages if path.strip("/").split("/")[0] in PAGE_ROOTS]
    assert len(own) > 12
    for path in own:
        assert after_sign_in.is_own_page(re.sub(r"{[^}]+}", "x1", path)), path
