"""Names on pages: for pharmacists, of their own people, and nowhere else: not in the database in clear, the log, the
metrics, the API, the audit, or a file that was not asked for with names."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from serving.security.tokens import issue_token
from serving.storage import migrations
from serving.storage.database import Database
from serving.storage.tables import audit_events
from tests.serving.conftest import bearer, client_of, sign_in
from tests.serving.identities.named import NAME, NUMBER, PEOPLE, give_names

SPACED = "999 000 0018"


@pytest.fixture
def named(home):
    give_names(home)
    with client_of(home) as client:
        sign_in(client, "pharmacist:north")
        yield client


def proof_of(page):
    return page.partition('name="proof" value="')[2].partition('"')[0]


def search(client, text):
    proof = proof_of(client.get("/find").text)
    sent = client.post("/find", data={"proof": proof, "sought": text})
    assert sent.status_code == 303
    return sent.headers["location"], client.get(sent.headers["location"]).text


def test_a_list_and_a_person_say_who_it_is(named):
    for page in (named.get("/teams/north").text, named.get("/patients/N00").text):
        assert NAME in page and SPACED in page and "Mar" in page and "1981" in page
    assert "Southfield" not in named.get("/teams/north").text


def test_a_person_without_a_name_goes_by_their_number(named):
    assert ">N03</h1>" in named.get("/patients/N03").text


def test_the_page_title_is_the_number_so_no_name_is_in_the_browser_history(named):
    assert "<title>N00" in named.get("/patients/N00").text


def test_a_search_by_name_is_in_no_address_and_the_back_button_works(named):
    address, page = search(named, "canaryton")
    assert NAME in page and 'href="/patients/N00"' in page and "canaryton" not in address.lower()
    assert NAME in named.get(address).text


def test_the_answer_of_a_search_is_the_sessions_own(named, home):
    address, _ = search(named, "canaryton")
    named.cookies.clear()
    sign_in(named, "pharmacist:north")
    page = named.get(address).text
    assert NAME not in page and "This search has ended" in page


def test_a_search_from_another_page_is_refused(named):
    assert named.post("/find", data={"proof": "x", "sought": "canaryton"}).status_code == 403


def test_the_record_link_opens_the_person_there(home):
    give_names(home)
    link = "https://records.example.nhs.uk/open?nhs={nhs_number}"
    with client_of(home, record_link=link) as client:
        sign_in(client, "pharmacist:north")
        assert f'href="https://records.example.nhs.uk/open?nhs={NUMBER}"' in client.get("/patients/N00").text
        assert "records.example" not in client.get("/patients/N02").text  # no number is known of them


@pytest.mark.parametrize(
    "link", ["http://records.example/{nhs_number}", "https://r.example/", "https://r/{name}", "{patient_id}"]
)
def test_a_record_link_that_is_wrong_stops_the_start(home, link):
    with pytest.raises(ValueError, match="record_link"):
        client_of(home, record_link=link)


def test_without_the_key_everything_works_by_number(home):
    give_names(home)
    (home / "identity.key").unlink()
    with client_of(home) as client:
        sign_in(client, "pharmacist:north")
        page = client.get("/patients/N00").text
        assert NAME not in page and ">N00</h1>" in page


def test_a_name_and_an_nhs_number_are_found_nowhere_else(home, caplog, capsys):
    """A canary: looked for wherever it must not be, after every page and route was used."""
    give_names(home)
    lead = issue_token(home, "pharmacist", ["north"], "Lead", kind="session", lead=True)
    api = bearer(issue_token(home, "pharmacist", ["north"], "api", lead=True))
    system, operator = (bearer(issue_token(home, role, None, role)) for role in ("cmht_system", "operator"))
    texts = {}
    with client_of(home) as client:
        client.cookies.set("upstream_session", lead)
        for address in ("/", "/status", "/model"):
            texts[address] = client.get(address).text
        for address in ("/teams/north", "/teams/north/overview", "/patients/N00"):
            assert NAME in client.get(address).text
        for text in ("canaryton", NUMBER, SPACED):
            assert NAME in search(client, text)[1]
        texts["csv"] = client.get("/teams/north/worklist.csv").text
        asked = client.get("/teams/north/worklist.csv?names=yes").text
        assert NAME in asked and NUMBER in asked
        client.cookies.clear()
        for headers in (api, system):
            for address in ("/v1/teams", "/v1/teams/north/worklist", "/v1/teams/north/overview", "/v1/patients/N00"):
                texts[f"{address} {len(texts)}"] = client.get(address, headers=headers).text
        texts["api csv"] = client.get("/v1/teams/north/worklist.csv", headers=api).text
        texts["metrics"] = client.get("/metrics", headers=operator).text
    database = Database(f"sqlite:///{home / 'service.db'}")
    with database.read() as connection:
        events = list(connection.execute(select(audit_events)).mappings())
    database.close()
    texts["audit"] = str(events)
    texts["log"] = caplog.text + "".join(capsys.readouterr())
    for file in home.rglob("*"):
        if file.is_file() and not file.is_relative_to(home / "store"):
            texts[str(file.relative_to(home))] = file.read_bytes().decode("latin-1")
    for where, text in texts.items():
        for canary in (NAME, "Canaryton", "canaryton", NUMBER, SPACED):
            assert canary not in text, f"{canary} in {where}"
    looked = [event for event in events if event["action"] in ("worklist.seen", "person.seen", "people.searched")]
    assert {event["action"] for event in looked if event["detail"].get("names")} == {
        "worklist.seen",
        "person.seen",
        "people.searched",
    }
    assert [event["detail"].get("names") for event in events if event["action"] == "worklist.exported"] == [
        None,
        True,
        None,
    ]


def test_names_are_for_people_the_caller_may_see_when_opened_in_an_emergency(named):
    proof = proof_of(named.get("/emergency-access").text)
    assert PEOPLE["S02"].name not in named.get("/patients/S02").text
    named.post("/emergency-access", data={"proof": proof, "patient_id": "S02", "reason": "crisis_call"})
    assert PEOPLE["S02"].name in named.get("/patients/S02").text


def test_the_database_goes_back_without_the_table(home):
    give_names(home)
    with migrations.opened(home) as database:
        migrations.downgrade(database, "0012")
        migrations.upgrade(database)
