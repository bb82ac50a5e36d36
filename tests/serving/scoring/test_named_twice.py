"""A name that is there twice in one object is refused with its place: the rows of the first would be lost."""

from __future__ import annotations

import json

import pytest

from serving.scoring import reading
from serving.scoring.reading import Unreadable, read_scores

ROW = '{"medicine": "clozapine", "supplied_on": "2026-01-02"}'
WHAT = "is there twice in one object, and one of the two would be lost; send one"
BODIES = {
    "people": ('{"people": [], "people": [{"patient_id": "a", "tables": {}}]}', ".people"),
    "as_of": ('{"as_of": "2026-01-05", "as_of": "2026-01-04", "people": []}', ".as_of"),
    "tables": ('{"people": [{"patient_id": "a", "tables": {}, "tables": {}}]}', ".people[0].tables"),
    "a table": (
        f'{{"people": [{{"patient_id": "a", "tables": {{"supplies": [{ROW}], "supplies": [{ROW}]}}}}]}}',
        ".people[0].tables.supplies",
    ),
    "a table by another spelling": (
        f'{{"people": [{{"patient_id": "a", "tables": {{"supplies": [{ROW}], "s\\u0075pplies": [{ROW}]}}}}]}}',
        ".people[0].tables.supplies",
    ),
    "a column": (
        f'{{"people": [{{"patient_id": "a", "tables": {{"supplies": [{ROW}, {{"route": "x", "route": "y"}}]}}}}]}}',
        ".people[0].tables.supplies[1].route",
    ),
    "a name that is not ours": (
        '{"people": [{"patient_id": "a", "tables": {"supplies": [{"Canary": 1, "Canary": 2}]}}]}',
        ".people[0].tables.supplies[0].(a name not known here)",
    ),
}


@pytest.mark.parametrize("case", BODIES)
def test_it_is_refused_and_the_place_is_named(client, as_role, case):
    body, where = BODIES[case]
    headers = as_role("cmht_system") | {"Content-Type": "application/json"}
    answer = client.post("/v1/scores", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"where": f"body{where}", "what": WHAT}]
    assert "Canary" not in answer.text


@pytest.mark.parametrize("case", BODIES)
@pytest.mark.parametrize("one_go", [0, reading.ONE_GO])
def test_read_in_steps_or_at_once_it_is_the_same_place(case, one_go):
    found = []
    for limit in (one_go, reading.ONE_GO):
        with pytest.raises(Unreadable) as refused:
            read_scores(BODIES[case][0].encode(), limit)
        found.append(refused.value.faults)
    assert found[0] == found[1]


def test_a_line_of_a_stream_is_refused_and_the_others_are_answered(client, as_role):
    lines = [
        f'{{"patient_id": "a", "tables": {{"supplies": [{ROW}], "supplies": []}}}}',
        '{"patient_id": "b", "tables": {}}',
    ]
    headers = as_role("cmht_system") | {"Content-Type": "application/x-ndjson"}
    answer = client.post("/v1/scores/stream", content="\n".join(lines), headers=headers)
    _, first, second = map(json.loads, answer.text.splitlines())
    assert first["error"]["errors"] == [{"where": "body.tables.supplies", "what": WHAT}]
    assert "error" not in second


def test_a_review_with_its_actions_twice_is_refused(client, as_role):
    headers = as_role("pharmacist") | {"Content-Type": "application/json", "Idempotency-Key": "twice-1"}
    body = '{"actions": ["supply_secured"], "actions": ["gp_informed"], "listing_was": "right"}'
    answer = client.post("/v1/patients/N03/reviews", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"where": "body.actions", "what": WHAT}]
