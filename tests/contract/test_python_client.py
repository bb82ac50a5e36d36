"""Our own client of the interface: in step with it, and every operation called on a running service."""

from __future__ import annotations

import json

import httpx2
import pytest

from serving.client import CallRefused, Unreachable, Upstream
from serving.write_client import HERE, NAMES, written
from tests.conftest import ROOT
from tests.contract.conversation import SIGNED_BY_ITS_SENDER, by_python, converse, talking


def test_the_client_is_what_the_interface_says():
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())
    for name, text in written(document).items():
        assert (HERE / name).read_text() == text, f"{name}: run python -m serving.write_client docs/openapi.json"


def test_an_operation_without_a_name_is_refused():
    document = {"paths": {"/v1/new": {"get": {"operationId": "new_v1_new_get"}}}}
    with pytest.raises(ValueError, match=r"without a name.*new_v1_new_get"):
        written(document)


@pytest.mark.slow
def test_every_operation_is_called_on_a_running_service(home, tmp_path):
    with talking(home, tmp_path) as service:
        answers = converse(lambda call: by_python(service, call))
    assert answers.keys() == NAMES.keys() - SIGNED_BY_ITS_SENDER
    assert answers["score_v1_scores_post"]["people"][0]["patient_id"] == "P1"
    lines = answers["stream_v1_scores_stream_post"]
    assert [line["person"]["patient_id"] for line in lines if line.get("person")] == ["P1"]
    assert answers["worklist_csv_v1_teams__team_id__worklist_csv_get"].count("\n") > 2


PROBLEM = {
    "type": "urn:upstream:problem:invalid-request",
    "title": "Unprocessable Content",
    "status": 422,
    "detail": "The request does not match /openapi.json.",
    "request_id": "3f1c",
    "errors": [{"where": "body.people", "what": "is missing; it is required"}],
}


def answering(status, **answer):
    return httpx2.MockTransport(lambda request: httpx2.Response(status, **answer))


@pytest.mark.parametrize(
    ("transport", "error", "says"),
    [
        (answering(422, json=PROBLEM), CallRefused, "422 invalid-request: The request.*\n  body.people: is missing"),
        (answering(429, json={**PROBLEM, "errors": []}, headers={"Retry-After": "7"}), CallRefused, "429"),
        (answering(502, text="<html>Bad gateway"), Unreachable, "status 502 that is not Upstream's"),
        (answering(301, headers={"Location": "http://other.example"}), Unreachable, "status 301"),
        (answering(200, text="<html>Sign in"), Unreachable, "no JSON"),
    ],
)
def test_errors_say_what_to_do(transport, error, says):
    with Upstream("https://upstream.example", "t", transport=transport) as upstream, pytest.raises(error, match=says):
        upstream.teams()


def test_a_stream_asks_for_a_hundred_people_at_a_time():
    sizes = []

    def answer(request):
        sizes.append(request.content.count(b"\n"))
        return httpx2.Response(200, text='{"model": {}}\n' + '{"person": {}}\n' * sizes[-1])

    transport = httpx2.MockTransport(answer)
    with Upstream("https://upstream.example", "t", transport=transport) as upstream:
        lines = list(upstream.score_stream({"patient_id": str(n), "tables": {}} for n in range(230)))
    assert sizes == [100, 100, 30]
    assert sum("person" in line for line in lines) == 230


def test_a_refused_call_gives_the_seconds_to_wait():
    transport = answering(429, json=PROBLEM, headers={"Retry-After": "7"})
    with (
        Upstream("https://upstream.example", "t", transport=transport) as upstream,
        pytest.raises(CallRefused) as refused,
    ):
        list(upstream.score_stream([{}]))
    assert (refused.value.retry_after, refused.value.request_id) == (7, "3f1c")


def test_a_token_can_be_made_for_each_call():
    asked = []

    def answer(request):
        asked.append(request.headers["authorization"])
        return httpx2.Response(200, json={"services": []})

    transport = httpx2.MockTransport(answer)
    with Upstream("https://upstream.example", lambda address: f"for {address}", transport=transport) as upstream:
        upstream.cds_services()
    assert asked == ["Bearer for https://upstream.example/cds-services"]
