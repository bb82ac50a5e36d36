"""From a person back to the list they were opened from, in its order, cut as it was cut; whatever an address holds,
never anywhere else."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.web.back_link import MAX_LENGTH, read_way_back

CUT = {"ranking": "gaps", "gap": "CLZ_FBC_OVERDUE", "reviewed": "never", "limit": "2"}
ANSWERS = {
    "actions": "monitoring_arranged",
    "medicines_reconciled": "yes",
    "allergies_up_to_date": "yes",
    "side_effects_assessed": "no",
}


def back_link(page):
    return unescape(re.search(r'<a class="nhsuk-back-link[^"]*"[^>]*href="([^"]+)"', page).group(1))


def hidden(page, name):
    return unescape(re.search(rf'name="{name}" value="([^"]*)"', page).group(1))


def query_of(address):
    return {name: value[0] for name, value in parse_qs(urlsplit(address).query).items()}


@pytest.fixture
def pharmacist(browser):
    return browser("pharmacist:north")


def test_order_filters_and_page_come_back_and_another_risk_is_kept_on_the_way(pharmacist):
    page = pharmacist.get("/teams/north", params={"view": "disengagement-180", **CUT}).text
    link = unescape(re.search(r'href="(/patients/N00\?[^"]+)"', page).group(1))
    person = pharmacist.get(link).text
    assert query_of(back_link(person)) == {"view": "disengagement-180", **CUT}
    other = unescape(re.search(r'href="(\?view=admission-90[^"]*)#risk"', person).group(1))
    again = pharmacist.get(f"/patients/N00{other}").text
    assert query_of(back_link(again)) == {"view": "admission-90", **CUT}
    assert pharmacist.get(back_link(again)).status_code == 200


def test_the_first_page_of_the_list_as_published_adds_nothing_to_an_address(pharmacist):
    page = pharmacist.get("/teams/north").text
    links = re.findall(r'href="(/patients/[^"]+)"', page)
    assert links and not [link for link in links if "back=" in link]
    assert query_of(back_link(pharmacist.get(links[0]).text)) == query_of(links[0])


def test_a_review_keeps_the_way_back_whether_it_is_refused_or_recorded(start, home):
    with start(home) as client:
        client.post("/sign-in", data={"choice": "pharmacist:north"})
        page = client.get("/patients/N02", params={"view": "admission-90", "back": urlencode(CUT)}).text
        form = {name: hidden(page, name) for name in ("proof", "key", "view", "back")}
        refused = client.post("/patients/N02/reviews", data=form, follow_redirects=True)
        assert "The review was not recorded" in refused.text and query_of(back_link(refused.text)) == {
            "view": "admission-90",
            **CUT,
        }
        form["key"] = hidden(refused.text, "key")
        done = client.post("/patients/N02/reviews", data={**form, **ANSWERS})
        recorded = client.get(done.headers["location"]).text
        assert "The review is recorded." in recorded
        assert query_of(back_link(recorded)) == {"view": "admission-90", **CUT}


@pytest.mark.parametrize(
    "sent",
    [
        "//elsewhere.example",
        "https://elsewhere.example/?ranking=gaps",
        "/../../sign-out",
        "ranking=gaps&next=//elsewhere.example",
        "ranking=worst",
        "limit=501",
        "offset=-1",
        "reviewed=yesterday",
        f"gap={'x' * 201}",
        "view=admission-90",
        '"><script>alert(1)</script>',
        "ranking=gaps#//elsewhere.example",
        "ranking=gaps&" * MAX_LENGTH,
    ],
)
def test_a_link_back_to_no_list_is_dropped_and_the_person_is_still_shown(pharmacist, sent):
    answer = pharmacist.get("/patients/N00", params={"view": "admission-90", "back": sent})
    assert answer.status_code == 200 and "elsewhere.example" not in answer.text and "alert(1)" not in answer.text
    assert back_link(answer.text) == "/teams/north?view=admission-90"


@given(st.text(max_size=60) | st.from_regex(r"(ranking|gap|limit)=[^&]{0,9}(&(gap|reason|offset|next)=.{0,9})?"))
def test_any_input_becomes_a_safe_query_string_of_a_list(sent):
    """It holds only known names and only characters that are safe in an address. Reading it again gives the same."""
    found = read_way_back(sent)
    assert re.fullmatch(r"[A-Za-z0-9_.~%+=&-]*", found)
    assert set(parse_qs(found)) <= {"gap", "reason", "medicine", "reviewed", "work", "ranking", "limit", "offset"}
    assert read_way_back(found) == found


def neighbours_of(page):
    return [re.findall(rf'rel="{way}" href="/patients/(\w+)\?', page) for way in ("prev", "next")]


@pytest.mark.parametrize("back", ["", "sort=seen", "ranking=gaps", "gap=MONITORING_NEVER_DONE"])
def test_the_next_and_the_previous_person_are_those_of_the_list_as_it_was_cut_and_sorted(browser, back):
    signed_in = browser("pharmacist:north")
    listed = re.findall(r'scope="row"><a href="/patients/(\w+)\?', signed_in.get(f"/teams/north?{back}").text)
    assert listed
    for place, person in enumerate(listed):
        page = signed_in.get(f"/patients/{person}", params={"back": back}).text
        assert neighbours_of(page) == [listed[max(0, place - 1) : place], listed[place + 1 : place + 2]]
        assert f"{place + 1} of {len(listed)} on the list" in page


def test_somebody_whom_the_list_does_not_hold_has_no_neighbours_on_it(browser):
    page = browser("pharmacist:north").get("/patients/N03", params={"back": "medicine=clozapine"}).text
    assert neighbours_of(page) == [[], []]
