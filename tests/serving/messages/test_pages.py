"""The pages and the provider's two addresses: from the press of a button to a reply in the inbox, through the official
client and the imitation of GOV.UK Notify."""

from __future__ import annotations

import datetime as dt
import re
import socket
import sqlite3
import threading
import time

import pytest
import uvicorn

from serving.identities.keys import IdentityKeys, write_new_key
from serving.messages.fake.notify import Phones, brought, fake_notify
from serving.messages.numbers.loading import store_numbers
from serving.settings import IDENTITY_KEY
from tests.serving.messages.desks import AUTOMATIC, INVITE, NUMBERS, TEXTING, TOKEN

BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def phones():
    return Phones({one.template_id: one for one in (INVITE, AUTOMATIC)})


@pytest.fixture(scope="module")
def provider(phones):
    """The address of the imitation, on a port of its own."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(uvicorn.Config(fake_notify(phones), log_config=None, ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def site(home, start, provider, monkeypatch):
    """A service that texts through the imitation, at noon; the client is a pharmacist's of the north team."""
    monkeypatch.setattr("serving.messages.desk.FIRST_HOUR", 0)
    monkeypatch.setattr("serving.messages.desk.LAST_HOUR", 24)
    write_new_key(home / IDENTITY_KEY)
    keys = IdentityKeys.read(home / IDENTITY_KEY)
    store_numbers(home, {who: (number, True) for who, number in NUMBERS.items()}, keys)
    with start(home, texting=TEXTING.model_copy(update={"base_url": provider})) as client:
        client.post("/sign-in", data={"choice": "pharmacist:north"})
        yield client


def eventually(holds, seconds=120.0):
    """Waits for what a thread of the service does."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.02)


def proof(client):
    return re.search(r'name="proof" value="([^"]+)"', client.get("/").text)[1]


def press(client, path, **form):
    return client.post(path, data={"proof": proof(client), "key": "press-1", **form})


def test_from_a_press_to_a_reply_in_the_inbox_and_dealt_with(site, phones):
    answer = press(site, "/patients/N03/texts", template="invite")
    assert answer.status_code == 303 and answer.headers["location"].endswith("sent=yes")
    assert [words for _, _, words in phones.thread(NUMBERS["N03"])] == [INVITE.text]
    for words, name in (("1", "one"), ("I can't cope, Zebrafinch", "two")):
        one = phones.answer(NUMBERS["N03"], words)
        assert site.post("/messages/replies", headers=BEARER, json=brought(one)).status_code == 204, name
    inbox = site.get("/teams/north/texts").text
    assert "Asks to be called" in inbox and "Read now: 1 reply" in inbox and "Zebrafinch" not in inbox
    assert "may hold words of distress" in site.get("/teams/north").text
    opening = re.search(r'href="(/patients/N03/texts\?open=[^"]+)"', inbox)[1]
    assert "Zebrafinch" in site.get(opening).text and "Zebrafinch" not in site.get("/patients/N03/texts").text
    assert "may hold words of distress, and nobody" not in site.get("/teams/north").text
    reply_id = opening.rpartition("=")[2]
    for change in ("take", "done"):
        form = {"proof": proof(site), "change": change}
        assert site.post(f"/texts/{reply_id}", data=form).status_code == 303
    assert site.get("/teams/north/texts").text.count("may hold words of distress") == 0
    eventually(lambda: AUTOMATIC.text in [words for _, _, words in phones.thread(NUMBERS["N03"])])


def test_people_chosen_from_the_list_are_invited_and_one_of_another_team_is_not(site, phones):
    def invited():
        return sum(one["body"] == INVITE.text for one in phones.sent.values())

    before = invited()
    form = {"template": "invite", "patients": ["N04", "N05", "S02"], "key": "press-2"}
    for _ in range(2):  # the same press again, as when the answer is loaded again, sends nothing
        answer = press(site, "/teams/north/texts", **form)
        assert "2 sent, 1 left out" in answer.text and "They are not on a caseload of yours" in answer.text
        assert invited() == before + 2
    assert press(site, "/teams/north/texts", template="invite", key="press-3").status_code == 422


def test_a_selection_on_the_worklist_is_invited_and_the_answer_says_who_was_left_out_and_why(site, phones, home):
    keys = IdentityKeys.read(home / IDENTITY_KEY)
    store_numbers(home, {"N03": (NUMBERS["N03"], True), "N04": (NUMBERS["N04"], False)}, keys)
    worklist = site.get("/teams/north").text
    ticks = re.findall(r'name="patients" value="([^"]+)" form="invite"', worklist)
    assert set(ticks) == {f"N{i:02d}" for i in range(8)} and 'id="invite" method="post"' in worklist
    key = re.search(r'name="key" value="([^"]+)"', worklist)[1]
    answer = press(site, "/teams/north/texts", template="invite", patients=["N03", "N04", "N05"], key=key).text
    assert "1 sent, 2 left out" in answer
    assert "They have not agreed to texts" in answer and "No mobile number is recorded" in answer


def test_a_form_of_another_place_and_another_teams_person_are_refused(site):
    form = {"proof": "forged", "template": "invite"}
    assert site.post("/patients/N03/texts", data=form).status_code == 403
    assert press(site, "/patients/S02/texts", template="invite").status_code == 404
    assert press(site, "/patients/N03/texts", template="free words").status_code == 422
    assert site.get("/teams/south/texts").status_code == 404 and site.get("/patients/S02/texts").status_code == 404


@pytest.mark.parametrize("path", ["/messages/receipts", "/messages/replies"])
def test_the_providers_token_opens_its_two_addresses_and_no_other_token_does(site, as_role, path):
    body = {"id": "x1", "status": "delivered", "source_number": "447700900013", "message": "1"}
    for headers in ({}, {"Authorization": "Bearer " + "u" * 40}, as_role("operator"), as_role("cmht_system")):
        assert site.post(path, headers=headers, json=body).status_code == 401
    assert site.post(path, headers=BEARER, json=body).status_code == 204
    for other in ("/v1/teams", "/v1/patients/N03", "/metrics"):
        assert site.get(other, headers=BEARER).status_code == 401
    wrong = site.post(path, headers=BEARER, json={"id": ["7700900013"]})
    assert wrong.status_code == 422 and "7700900013" not in wrong.text


def test_without_a_provider_nothing_is_taken_and_pages_say_so(home, start):
    with start(home) as client:
        assert client.post("/messages/replies", headers=BEARER, json={}).status_code == 401
        client.post("/sign-in", data={"choice": "pharmacist:north"})
        assert "not set up" in client.get("/teams/north/texts").text
        assert press(client, "/patients/N03/texts", template="invite").status_code == 409


def test_the_official_client_reads_templates_and_fetches_replies(provider, phones):
    from serving.messages.providers.choice import messenger_of

    messenger = messenger_of(TEXTING.model_copy(update={"base_url": provider}))
    phones.answer(NUMBERS["N06"], "hello")
    assert messenger.text_of(INVITE) == INVITE.text
    assert [one["content"] for one in messenger.received()][:1] == ["hello"]
    assert dt.datetime.fromisoformat(phones.replies[0]["created_at"]).tzinfo is not None


def test_the_phone_shows_the_thread_and_answers(phones):
    from starlette.testclient import TestClient

    phones.send(NUMBERS["N07"], INVITE, None)
    with TestClient(fake_notify(phones)) as phone:
        assert INVITE.text in phone.get("/", params={"number": NUMBERS["N07"]}).text
        phone.post("/answer", data={"number": NUMBERS["N07"], "message": "<b>2</b>"})
        page = phone.get("/", params={"number": NUMBERS["N07"]}).text
    assert "&lt;b&gt;2&lt;/b&gt;" in page and "<b>2" not in page


def test_canary_words_and_numbers_are_in_no_log_metric_error_export_or_database(site, phones, home, caplog, as_role):
    """Words and a number go in by the service's own doors, rightly and wrongly; nothing it writes holds them."""
    caplog.set_level("DEBUG")
    canaries = ("Zebrafinch", "Quagga", "7700900013", "7700 900013")
    body = {"id": "canary-1", "source_number": "447700900013", "message": "Zebrafinch, Quagga Street, can't cope"}
    assert site.post("/messages/replies", headers=BEARER, json=body).status_code == 204
    press(site, "/patients/N03/texts", template="invite")
    answers = [
        site.post("/messages/replies", headers=BEARER, json={**body, "id": ["Zebrafinch 7700900013"]}),
        site.post("/messages/replies", headers=BEARER, content=b'{"message": "Zebrafinch 7700900013'),
        site.post("/messages/receipts", headers=BEARER, json={"id": "Zebrafinch Quagga", "status": "x"}),
        site.post("/messages/replies", headers={"Authorization": "Bearer Zebrafinch"}, json=body),
        press(site, "/patients/N03/texts", template="Zebrafinch"),
        site.get("/teams/north/worklist.csv"),
        site.get("/metrics", headers=as_role("operator")),
        site.get("/teams/north/texts"),
    ]
    said = "".join(f"{answer.headers} {answer.text}" for answer in answers) + caplog.text
    assert [word for word in canaries if word in said] == []
    with sqlite3.connect(home / "service.db") as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()
    assert "canary-1" in dump and "text.reply_received" in dump
    assert [word for word in canaries if word in dump or word.encode().hex() in dump.lower()] == []
