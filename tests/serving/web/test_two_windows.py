"""One person open in two windows: no save is lost, and none overwrites what its author has not seen. The client keeps
the pages that it was sent, as windows do."""

from __future__ import annotations

import datetime as dt
import re
from html import unescape

import pytest

from serving.security.tokens import issue_token
from tests.serving.web.test_review_pages import ANSWERS, end_sessions, hidden, send, ticked, words

PERSON = "/patients/N03"
TOMORROW = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)


@pytest.fixture
def trust(home, start):
    """A service of its own, and how somebody signs in to it by name."""
    with start(home) as client:

        def signs_in(name):
            client.cookies.clear()
            client.cookies.set("upstream_session", issue_token(home, "pharmacist", ["north"], name, kind="session"))
            return client

        yield signs_in


@pytest.fixture
def priya(trust):
    return trust("Priya")


def form_of(page, after, *names):
    """Hidden fields of the form that stands after some text of a page."""
    part = page[page.index(after) :]
    return {name: hidden(part, name) for name in ("proof", "author", "view", "back", *names)}


def give(client, page, **changes):
    return client.post(f"{PERSON}/work", data=form_of(page, 'id="work"', "opened") | changes)


def set_status(client, page, code, **changes):
    until = {f"until_{part}": str(getattr(TOMORROW, part)) for part in ("day", "month", "year")}
    form = form_of(page, f'id="gap-{code}"', "opened") | until | changes
    return client.post(f"{PERSON}/gaps/{code}/status", data=form)


def after(client, answer):
    return client.get(answer.headers["location"].partition("#")[0]).text


def test_who_has_a_person_is_not_overwritten_by_a_page_that_does_not_show_it(priya):
    one, other = priya.get(PERSON).text, priya.get(PERSON).text
    assert "work_set" in give(priya, one, this_week="yes", notes="bloods_to_chase").headers["location"]
    late = after(priya, give(priya, other, notes="gp_to_call"))
    assert "It was changed after you opened this page." in words(late.split('role="alert"')[1])
    now = words(late.split('class="up-work__now"')[1].split("</p>")[0])
    assert "To do this week" in now and "Blood test to chase" in now and "Priya" in now, "what is recorded is shown"
    assert ("notes", "gp_to_call") in ticked(late) and ("notes", "bloods_to_chase") not in ticked(late)
    done = after(priya, give(priya, late, notes=["gp_to_call", "bloods_to_chase"]))
    assert "GP to call" in words(done.split('class="up-work__now"')[1].split("</p>")[0]), "who has seen it may save"


def test_the_status_of_a_gap_is_not_overwritten_by_a_page_that_does_not_show_it(priya):
    one, other = priya.get(PERSON).text, priya.get(PERSON).text
    first, second = re.findall(r'id="gap-([A-Z_]+)"', one)[:2]
    assert "status_set" in set_status(priya, one, first, status="acknowledged").headers["location"]
    wrong = {"status": "not_applicable", "why": "record_is_wrong"}
    late = after(priya, set_status(priya, other, first, **wrong))
    assert "It was changed after you opened this page." in words(late.split('role="alert"')[1])
    gap = late[late.index(f'id="gap-{first}"') :]
    assert "Acknowledged" in words(gap.split('class="up-status')[1].split("</p>")[0])
    assert 'value="not_applicable" checked' in gap and 'value="record_is_wrong" selected' in gap
    assert "status_set" in set_status(priya, late, first, **wrong).headers["location"]
    assert "status_set" in set_status(priya, other, second, status="acknowledged").headers["location"], "another gap"


def test_what_was_filled_in_before_a_session_ended_overwrites_no_later_change(trust, priya):
    page = priya.get(PERSON).text
    end_sessions(priya.app.state.service.database)
    assert give(priya, page, notes="gp_to_call").headers["location"] == "/sign-in?kept=1"
    sam = trust("Sam")
    give(sam, sam.get(PERSON).text, notes="result_to_read")
    priya = trust("Priya")
    kept = priya.get(PERSON).text
    assert ("notes", "gp_to_call") in ticked(kept)
    late = after(priya, give(priya, kept, notes="gp_to_call"))
    assert "It was changed after you opened this page." in words(late) and "Result to read" in words(late)
    assert "work_set" in give(priya, late, notes="gp_to_call").headers["location"]


def test_two_reviews_of_one_person_are_both_kept(priya):
    pages = [priya.get(PERSON).text for _ in range(2)]
    for page in pages:
        assert send(priya, page).headers["location"].count("recorded=1") == 1
    assert priya.get(PERSON).text.count('class="up-history__do"') == 2


def test_a_correction_of_what_was_corrected_meanwhile_is_kept_and_shown_beside_the_newest(priya):
    page = after(priya, send(priya, priya.get(PERSON).text))
    edit = unescape(re.search(r'href="(/patients/N03/reviews/[0-9a-f]+/edit[^"]*)"', page)[1])
    one, other = priya.get(edit).text, priya.get(edit).text
    old = hidden(one, "replaces")
    send(priya, one, replaces=old, actions=["gp_informed"])
    late = after(priya, send(priya, other, replaces=old, actions=["dose_changed"]))
    assert "Somebody corrected or undid this review" in words(late.split('role="alert"')[1])
    assert "GP told in writing" in words(late.split('class="up-lead"')[1].split("</p>")[0]), "the newest version"
    assert ("actions", "dose_changed") in ticked(late) and ("actions", "gp_informed") not in ticked(late)
    newest = hidden(late, "replaces")
    assert newest != old
    done = words(after(priya, send(priya, late, replaces=newest, actions=["dose_changed"])))
    assert "The correction is saved." in done and "Earlier versions and what was undone (2)" in done
    assert hidden(priya.get(edit).text, "replaces") not in (old, newest), "an old link leads to the newest version"


def test_a_form_that_was_recorded_and_sent_again_with_other_answers_is_kept(priya):
    page = priya.get(PERSON).text
    send(priya, page)
    again = after(priya, send(priya, page, actions=["dose_changed"]))
    assert "This form was recorded before, with other answers." in words(again.split('role="alert"')[1])
    assert ("actions", "dose_changed") in ticked(again) and hidden(again, "key") != hidden(page, "key")
    assert "recorded=1" in send(priya, again, actions=["dose_changed"]).headers["location"]
    assert priya.get(PERSON).text.count('class="up-history__do"') == 2


def test_a_page_of_before_a_new_sign_in_loses_nothing_and_records_nothing(trust, priya):
    """The session ended while somebody typed; they signed in in another window, and then sent the old page."""
    page = priya.get(PERSON).text
    code = re.search(r'id="gap-([A-Z_]+)"', page)[1]

    def send_all(client):
        yield send(client, page, author=hidden(page, "author"))
        yield give(client, page, notes="gp_to_call")
        yield set_status(client, page, code, status="acknowledged")

    for answer in send_all(trust("Sam")):
        assert answer.status_code == 403 and "opened by somebody else" in words(answer.text)
    assert ticked(trust("Sam").get(PERSON).text) == set(), "what Priya filled in is not Sam's"
    priya = trust("Priya")
    for answer in send_all(priya):
        shown = after(priya, answer)
    assert "A review that you filled in is not recorded yet" in shown and "is not saved yet" in words(shown)
    assert {("actions", ANSWERS["actions"][0]), ("notes", "gp_to_call")} <= ticked(shown)
    assert 'value="acknowledged" checked' in shown
    assert 'class="up-history__do"' not in shown and 'class="up-status"' not in shown and "Given to nobody" in shown
