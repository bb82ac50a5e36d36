"""NHS Notify: one message by NHS number with a signed token, signed callbacks in any order, and what it cannot do."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy import select

from serving.identities.keys import IdentityKeys, write_new_key
from serving.identities.loading import store_identities
from serving.identities.schemas import Identity
from serving.messages.desk import TextingDesk
from serving.messages.numbers.loading import store_numbers
from serving.messages.providers.choice import messenger_of
from serving.messages.providers.messengers import NoMessenger, NotSent
from serving.messages.providers.nhs_notify import KeyNotRead, NhsNotify, statuses_in
from serving.messages.sending import send_text
from serving.messages.templates import TemplateRefused, check_templates
from serving.settings import IDENTITY_KEY
from serving.storage.tables import texts
from serving.texting_settings import NhsNotifyAccount, TextingSettings, TextTemplate
from tests.serving.messages.desks import KEYS, NUMBERS, SAM, Clock, audit_of

NHS_NUMBER = "9990000018"
INVITE = TextTemplate(
    name="invite",
    label="Invitation",
    text="Your appointment team would like to speak with you. Do not reply: telephone the number on your letter.",
    template_id="b838b13c-f98c-4def-93f0-515d4e4f4ee1",
)


class Stand(BaseHTTPRequestHandler):
    """Stands in for the two addresses that a send asks; keeps what it was asked."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, dict(self.headers), body))
        status, answer = self.server.answers.get(self.path, (404, {}))
        said = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *args):
        pass


@pytest.fixture
def stand():
    server = HTTPServer(("127.0.0.1", 0), Stand)
    server.asked = []
    server.answers = {
        "/oauth2/token": (200, {"access_token": "an-access-token", "expires_in": "599"}),
        "/comms/v1/messages": (201, {"data": {"type": "Message", "id": "2WL3qFTEFM0qMY8xjRbt1LIKCzM"}}),
    }
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def key():
    return RSAKey.generate_key(2048, auto_kid=False)


@pytest.fixture
def texting(stand, tmp_path, key):
    file = tmp_path / "nhs.pem"
    file.write_bytes(key.as_pem(private=True))
    at = f"http://127.0.0.1:{stand.server_address[1]}"
    account = NhsNotifyAccount(
        api_key="the-api-key",
        key_id="test-1",
        private_key_file=file,
        token_url=f"{at}/oauth2/token",
        application_id="an-application",
        callback_api_key="c" * 36,
    )
    return TextingSettings(provider="nhs_notify", nhs_notify=account, base_url=f"{at}/comms", templates=(INVITE,))


def signed(account, body):
    digest = hmac.new(account.signs_with, body, hashlib.sha256).hexdigest()
    return {"x-hmac-sha256-signature": digest, "x-api-key": "c" * 36, "Content-Type": "application/vnd.api+json"}


def callback(status, message="2WL3qFTEFM0qMY8xjRbt1LIKCzM", at="2026-01-06T14:27:51.413Z", kind="MessageStatus"):
    attributes = {"messageId": message, "messageReference": "r", "messageStatus": status, "timestamp": at}
    item = {"type": kind, "attributes": attributes, "links": {"message": "x"}, "meta": {"idempotencyKey": "k"}}
    return json.dumps({"data": [item]}).encode()


def test_texting_is_off_by_default():
    assert isinstance(messenger_of(TextingSettings()), NoMessenger)


def test_a_message_goes_out_by_nhs_number_with_a_token_that_only_the_private_key_can_make(stand, texting, key):
    messenger = messenger_of(texting)
    assert [messenger.send(NHS_NUMBER, INVITE, reference) for reference in ("r1", "r2")] == [
        "2WL3qFTEFM0qMY8xjRbt1LIKCzM"
    ] * 2
    paths = [path for path, _, _ in stand.asked]
    assert paths == ["/oauth2/token", "/comms/v1/messages", "/comms/v1/messages"], "one token serves both"
    form = parse_qs(stand.asked[0][2].decode())
    claims = jwt.decode(form["client_assertion"][0], key, algorithms=["RS512"])
    assert claims.header["kid"] == "test-1" and claims.claims["iss"] == claims.claims["sub"] == "the-api-key"
    assert claims.claims["aud"] == texting.nhs_notify.token_url
    _, headers, body = stand.asked[1]
    assert headers["Authorization"] == "Bearer an-access-token"
    assert headers["Content-Type"] == "application/vnd.api+json"
    attributes = {
        "routingPlanId": INVITE.template_id,
        "messageReference": "r1",
        "recipient": {"nhsNumber": NHS_NUMBER},
    }
    assert json.loads(body) == {"data": {"type": "Message", "attributes": attributes}}


@pytest.mark.parametrize(
    ("status", "certain"), [(400, True), (403, True), (404, True), (429, True), (422, False), (503, False)]
)
def test_a_text_counts_as_not_sent_only_if_the_provider_refused_it(stand, texting, status, certain):
    stand.answers["/comms/v1/messages"] = (status, {"errors": [{"detail": NHS_NUMBER}]})
    with pytest.raises(NotSent) as refused:
        NhsNotify(texting.nhs_notify, texting.address).send(NHS_NUMBER, INVITE, "r1")
    assert refused.value.certain is certain and NHS_NUMBER not in str(refused.value)


def test_a_person_is_texted_by_the_nhs_number_of_the_sealed_names_and_by_none_without_it(stand, texting, database):
    store_numbers(database, {who: (NUMBERS[who], True) for who in ("N03", "N04")}, KEYS)
    store_identities(database, {"N03": Identity("Sam Exampleton", None, NHS_NUMBER)}, KEYS)
    desk = TextingDesk(database, texting, KEYS, messenger_of(texting), Clock())
    found = [send_text(desk, SAM, audit_of(database), who, "invite", "k").why for who in ("N03", "N04")]
    assert found == ["", "no-nhs-number"]
    assert json.loads(stand.asked[-1][2])["data"]["attributes"]["recipient"] == {"nhsNumber": NHS_NUMBER}


def test_callbacks_are_taken_once_in_any_order_and_only_as_signed(texting, home, start):
    write_new_key(home / IDENTITY_KEY)
    keys = IdentityKeys.read(home / IDENTITY_KEY)
    store_numbers(home, {"N03": (NUMBERS["N03"], True)}, keys)
    store_identities(home, {"N03": Identity("Sam Exampleton", None, NHS_NUMBER)}, keys)
    with start(home, texting=texting) as client:
        delivered = callback("delivered")
        for body in (delivered, callback("sending", at="2026-01-06T14:20:00Z"), delivered):
            answer = client.post("/messages/nhs-notify", content=body, headers=signed(texting.nhs_notify, body))
            assert answer.status_code == 202
        service = client.app.state.service
        desk = TextingDesk(service.database, texting, keys, messenger_of(texting), Clock())
        assert send_text(desk, SAM, audit_of(service.database), "N03", "invite", "k").sent
        with service.database.engine.connect() as connection:
            assert connection.scalars(select(texts.c.status)).all() == ["delivered"], "the callbacks came before the id"
        headers = signed(texting.nhs_notify, delivered)
        forged = client.post("/messages/nhs-notify", content=callback("failed"), headers=headers)
        assert forged.status_code == 403
        unknown = client.post("/messages/nhs-notify", content=delivered, headers={**headers, "x-api-key": "d" * 36})
        assert unknown.status_code == 401
        odd = b'{"data": "9990000018"}'
        answer = client.post("/messages/nhs-notify", content=odd, headers=signed(texting.nhs_notify, odd))
        assert answer.status_code == 422 and "9990000018" not in answer.text
        assert client.post("/messages/replies", json={}).status_code == 401, "it has no replies"


def test_the_status_of_one_channel_is_passed_over_and_failed_is_for_good():
    assert statuses_in(callback("x", kind="ChannelStatus")) == []
    assert [one.status for one in statuses_in(callback("failed"))] == ["permanent-failure"]
    assert [one.status for one in statuses_in(callback("pending_enrichment"))] == ["created"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Your appointment team: reply 1 to be called, STOP to end", "offers a reply"),
        ("Please telephone your appointment team.", "lacks the words"),
    ],
)
def test_a_text_that_nobody_can_answer_promises_no_answer(texting, text, why):
    check_templates(texting)
    wrong = texting.model_copy(update={"templates": (INVITE.model_copy(update={"text": text}),)})
    with pytest.raises(TemplateRefused, match=why):
        check_templates(wrong)


def test_a_key_that_cannot_be_read_stops_the_start(texting, tmp_path):
    (tmp_path / "wrong.pem").write_text("no key")
    account = texting.nhs_notify.model_copy(update={"private_key_file": tmp_path / "wrong.pem"})
    with pytest.raises(KeyNotRead, match="private_key_file"):
        messenger_of(texting.model_copy(update={"nhs_notify": account}))
    with pytest.raises(ValueError, match="NHS Notify needs"):
        TextingSettings(provider="nhs_notify")
