"""The imitation of GOV.UK Notify against the official client, and against Notify's own OpenAPI document where it is on
this machine; and the phones of the demo, which run beside the demo alone."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import jsonschema
import pytest
from starlette.testclient import TestClient

from serving.messages.fake import demo
from serving.messages.fake.notify import Phones, brought, fake_notify
from serving.messages.providers.choice import messenger_of
from serving.messages.providers.messengers import NotSent
from serving.messages.schemas import TextReceipt, TextReply
from serving.messages.templates import check_templates
from serving.settings import ServiceSettings
from serving.texting_settings import TextingSettings
from tests.conftest import ROOT
from tests.serving.messages.desks import AUTOMATIC, INVITE, NUMBERS
from tests.serving.messages.test_pages import eventually

DOCUMENT = Path(os.environ.get("UPSTREAM_NOTIFY_OPENAPI") or ROOT.parent / "shared" / "data" / "notify_openapi")


@pytest.fixture
def calls():
    return []


@pytest.fixture
def phones(calls):
    return Phones(
        {one.template_id: one for one in (INVITE, AUTOMATIC)}, call=lambda path, body: calls.append((path, body))
    )


@pytest.fixture
def beside(monkeypatch):
    """The phones of a demo, and the texting settings that they give the service."""
    monkeypatch.delenv(demo.SETTING, raising=False)
    with demo.phones_beside_the_demo() as running:
        yield running, TextingSettings.model_validate_json(os.environ[demo.SETTING])


def test_the_official_client_sends_asks_and_fetches(beside):
    from notifications_python_client.notifications import NotificationsAPIClient

    running, texting = beside
    client = NotificationsAPIClient(running.api_key, base_url=running.address)
    sent = client.send_sms_notification(NUMBERS["N03"], texting.templates[0].template_id, reference="r1")
    assert sent["content"]["body"] == texting.templates[0].text and sent["reference"] == "r1"
    one = client.get_notification_by_id(sent["id"])
    assert (one["status"], one["phone_number"], one["type"]) == ("delivered", NUMBERS["N03"], "sms")
    assert client.get_template(texting.templates[0].template_id)["body"] == texting.templates[0].text
    for words in ("1", "2", "3"):
        running.answer(NUMBERS["N03"], words)
    assert [one["content"] for one in client.get_received_texts_iterator()] == ["3", "2", "1"]
    assert (
        client.get_received_texts(older_than=running.replies[0]["id"])["received_text_messages"] == running.replies[1:]
    )


@pytest.mark.parametrize(
    ("number", "status"),
    [("07700900003", "temporary-failure"), ("07700 900002", "permanent-failure"), ("+447700900123", "delivered")],
)
def test_numbers_act_as_the_test_numbers_of_the_real_service(phones, calls, number, status):
    phones.send(number, INVITE, "r1")
    eventually(lambda: calls)
    path, receipt = calls[0]
    assert (path, receipt["status"]) == ("/messages/receipts", status)
    assert TextReceipt.model_validate(receipt).status == status


def test_what_the_client_cannot_send_is_refused_as_the_real_service_refuses(beside):
    _, texting = beside
    messenger = messenger_of(texting)
    with pytest.raises(NotSent) as refused:
        messenger.send("0161 496 0000", texting.templates[0], "r1")
    assert refused.value.certain and "400" in str(refused.value)
    another = f"demo-{uuid.uuid4()}-{uuid.uuid4()}"
    wrong = TextingSettings.model_validate({**texting.model_dump(), "api_key": another})
    with pytest.raises(NotSent, match="403"):
        messenger_of(wrong).text_of(texting.templates[0])


def of(name):
    """A schema of Notify's OpenAPI 3.0 document as JSON Schema that asks for every property."""
    if not (DOCUMENT / "schema.json").exists():
        pytest.skip("Notify's OpenAPI document is not on this machine (../shared/data/notify_openapi/schema.json)")
    every = json.loads((DOCUMENT / "schema.json").read_text())["components"]["schemas"]

    def strict(part):
        if "$ref" in part:
            return strict(every[part["$ref"].rpartition("/")[2]])
        if "oneOf" in part:
            return strict(next(one for one in part["oneOf"] if "sms" in one.get("title", "").lower()))
        made = {key: value for key, value in part.items() if key in ("type", "enum")}
        if part.get("nullable"):
            made = {"anyOf": [made, {"type": "null"}]}
        if "items" in part:
            made["items"] = strict(part["items"])
        if "properties" in part:
            made["properties"] = {key: strict(value) for key, value in part["properties"].items()}
            every_one = [key for key, value in part["properties"].items() if not value.get("nullable")]
            made["required"] = part.get("required") or every_one
        return made

    return strict(every[name])


@pytest.mark.external
def test_every_answer_has_the_shape_of_notifys_own_document(phones, calls):
    with TestClient(fake_notify(phones)) as client:
        given = {"phone_number": NUMBERS["N03"], "template_id": INVITE.template_id, "reference": "r1"}
        sent = client.post("/v2/notifications/sms", json=given)
        phones.answer(NUMBERS["N03"], "1")
        answers = {
            "SendTextMessageResponse": sent.json(),
            "GetOneMessageResponse": client.get(f"/v2/notifications/{sent.json()['id']}").json(),
            "TemplateResponse": client.get(f"/v2/template/{INVITE.template_id}").json(),
            "GetReceivedTextMessagesResponse": client.get("/v2/received-text-messages").json(),
            "TemplateNoResultError": client.get("/v2/template/none").json(),
            "SendNotificaitonRequestError": client.post("/v2/notifications/sms", json={"phone_number": "1"}).json(),
        }
    eventually(lambda: len(calls) == 2)
    answers["SmsCallbackRequest"] = next(body for path, body in calls if path == "/messages/receipts")
    for name, answer in answers.items():
        jsonschema.Draft202012Validator(of(name)).validate(answer)


def test_a_reply_is_brought_as_the_service_reads_it(phones):
    one = phones.answer(NUMBERS["N03"], "1")
    assert TextReply.model_validate(brought(one)).source_number == NUMBERS["N03"].lstrip("+")


def test_two_demos_use_different_ports_and_close_them_at_the_end(monkeypatch):
    monkeypatch.delenv(demo.SETTING, raising=False)
    with demo.phones_beside_the_demo() as first:
        os.environ.pop(demo.SETTING)
        with demo.phones_beside_the_demo() as second:
            assert first.address != second.address and first.token != second.token
            for one in (first, second):
                assert one.address.startswith("http://127.0.0.1:")
                with urllib.request.urlopen(one.address + "/", timeout=10) as page:
                    assert b"Simulated." in page.read()
    assert demo.SETTING not in os.environ
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(first.address + "/", timeout=5)


def test_settings_of_the_trust_stand_and_start_no_phones(monkeypatch):
    monkeypatch.setenv(demo.SETTING, '{"provider": "none"}')
    with demo.phones_beside_the_demo() as running:
        assert running is None
    assert os.environ[demo.SETTING] == '{"provider": "none"}'


def test_the_phones_answer_no_other_site_and_no_other_name(phones):
    phones.send(NUMBERS["N03"], INVITE, None)
    with TestClient(fake_notify(phones)) as client:
        assert client.get("/", headers={"Host": "elsewhere.example"}).status_code == 400
        form = {"number": NUMBERS["N03"], "message": "1"}
        for origin in ("https://elsewhere.example", "null"):
            assert client.post("/answer", data=form, headers={"Origin": origin}).status_code == 403
        assert client.post("/answer", data={**form, "number": "+447700900999"}).status_code == 403
    assert phones.replies == []


def test_the_texts_of_the_demo_may_be_sent_and_any_hour_is_the_demos_alone(beside, tmp_path):
    from serving.identities.keys import new_keys
    from serving.messages.desk import desk_from

    _, texting = beside
    check_templates(texting, ["North CMHT"])
    keys = new_keys()
    for environment, imitated, any_hour in (
        ("demo", texting, True),
        ("production", texting, False),
        ("demo", texting.model_copy(update={"base_url": ""}), False),
    ):
        settings = ServiceSettings(home=tmp_path, environment=environment, texting=imitated)
        assert desk_from(settings, None, keys).any_hour is any_hour
