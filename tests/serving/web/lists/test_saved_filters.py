"""Filters of the list under a name: for the person who saved them, on every list, without a script."""

from __future__ import annotations

import re
from html import unescape

import pytest

from serving.security.tokens import issue_token


@pytest.fixture
def signed_in(home, start):
    """Signs somebody in and returns their client."""
    with start(home) as client:

        def as_person(name):
            client.cookies.clear()
            client.cookies.set("upstream_session", issue_token(home, "pharmacist", ["north"], name, kind="session"))
            return client

        yield as_person


def save(client, name, page="/teams/north?gap=CLZ_FBC_OVERDUE&sort=next&ranking=gaps&offset=0&limit=20"):
    shown = client.get(page).text
    hidden = {field: unescape(re.search(rf'name="{field}" value="([^"]*)"', shown)[1]) for field in ("proof", "query")}
    return client.post("/saved-filters", data={**hidden, "team": "north", "name": name})


def saved(client, page="/teams/north"):
    found = re.search(r'<nav class="up-saved".*?</nav>', client.get(page).text, re.DOTALL)
    return (
        dict((name, unescape(address)) for address, name in re.findall(r'href="\?([^"]*)"[^>]*>([^<]+)', found[0]))
        if found
        else {}
    )


def test_a_saved_filter_opens_the_list_as_it_was_cut_ordered_and_sorted(signed_in):
    client = signed_in("ann")
    answer = save(client, "  Clozapine   bloods ")
    assert answer.status_code == 303 and "saved=1" in answer.headers["location"]
    assert "The filter is saved." in client.get(answer.headers["location"]).text
    query = saved(client)["Clozapine bloods"]
    assert "offset" not in query and "limit" not in query, "a filter starts at its first page"
    page = client.get(f"/teams/north?{query}").text
    assert re.findall(r'href="/patients/(\w+)\?[^"#]*"', page)[0] == "N00" and "1 person of 8" in page
    assert 'aria-sort="ascending"' in page and "safety gaps first" in page
    assert 'aria-current="page">Clozapine bloods' in page


def test_it_is_there_on_every_list_and_after_the_next_sign_in(signed_in):
    save(signed_in("ann"), "Mine")
    assert "Mine" in saved(signed_in("ann")) and "Mine" in saved(signed_in("ann"), "/teams")


def test_nobody_else_sees_or_deletes_it(signed_in):
    save(signed_in("ann"), "Mine")
    other = signed_in("bob")
    assert saved(other) == {}
    save(other, "His")
    shown = other.get("/teams/north").text
    proof = re.search(r'name="proof" value="([^"]*)"', shown)[1]
    other.post("/saved-filters/delete", data={"proof": proof, "name": "Mine"})
    assert "Mine" in saved(signed_in("ann"))


def test_the_same_name_replaces_and_delete_deletes(signed_in):
    client = signed_in("ann")
    save(client, "Mine")
    save(client, "mine", "/teams/north?reviewed=never")
    assert list(saved(client)) == ["mine"] and "reviewed=never" in saved(client)["mine"]
    proof = re.search(r'name="proof" value="([^"]*)"', client.get("/teams/north").text)[1]
    answer = client.post("/saved-filters/delete", data={"proof": proof, "team": "north", "name": "MINE"})
    assert "saved=deleted" in answer.headers["location"] and saved(client) == {}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "Enter a name for this filter"),
        ("x" * 41, "at most 40 letters"),
        ("<b>", "at most 40 letters"),
        ("943 476 5919", "never by a person"),
    ],
)
def test_an_invalid_name_is_refused_with_advice_and_not_repeated(signed_in, name, said):
    client = signed_in("ann")
    answer = save(client, name)
    page = client.get(answer.headers["location"]).text
    assert "The filter was not saved" in page and said in page and saved(client) == {}
    assert not name or name not in answer.headers["location"]


def test_twenty_are_the_most(signed_in):
    client = signed_in("ann")
    for number in range(20):
        save(client, f"Filter {number}")
    assert "saved_wrong=many" in save(client, "One more").headers["location"]
    assert "saved=1" in save(client, "Filter 3").headers["location"], "one of the same name is replaced"


def test_an_invented_filter_is_refused(signed_in):
    client = signed_in("ann")
    proof = re.search(r'name="proof" value="([^"]*)"', client.get("/teams/north").text)[1]
    for query in ("nonsense=1", "view=http://x", "offset=-1", "gap=a%0d%0ab&x=1"):
        answer = client.post("/saved-filters", data={"proof": proof, "team": "//evil", "query": query, "name": "a"})
        assert "saved_wrong=query" in answer.headers["location"]
        assert answer.headers["location"].startswith("/teams/%2F%2Fevil?")
    assert client.post("/saved-filters", data={"proof": "no", "query": "", "name": "a"}).status_code == 403
