"""Incidents in closed codes, by anybody signed in, about a person whom they may see; and the safety report of a
period.
"""

from __future__ import annotations

import datetime as dt
import re
import sqlite3

import pytest
from typer.testing import CliRunner

import upstream
from serving.auditing.safety_report import PeriodRefused, safety_report
from tests.serving.conftest import sign_in

TODAY = dt.datetime.now(dt.UTC).date


def reports(client, **form):
    proof = re.search(r'name="proof" value="([^"]+)"', client.get("/incidents").text)[1]
    return client.post("/incidents", data={"proof": proof, "kind": "gap_missing", "harm": "near_miss"} | form)


@pytest.mark.parametrize("role", ["pharmacist:north", "data_scientist", "auditor", "operator"])
def test_anybody_signed_in_reports_and_gets_a_reference(home, start, role):
    with start(home) as client:
        sign_in(client, role)
        sent = reports(client)
        assert sent.status_code == 303
        reference = sent.headers["location"].removeprefix("/incidents?sent=")
        assert reference in client.get(sent.headers["location"]).text


def test_the_auditor_reads_whom_it_was_about_and_the_operator_does_not(home, start):
    with start(home) as client:
        sign_in(client, "pharmacist:north")
        assert reports(client, patient_id="N03").status_code == 303
        assert "What was reported" not in client.get("/incidents").text
        for role, sees in (("auditor", True), ("operator", False)):
            sign_in(client, role)
            page = client.get("/incidents").text
            assert "Near miss" in page and ("N03" in page) is sees


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"patient_id": "S02"}, "You see nobody with that number"),
        ({"patient_id": "nobody"}, "You see nobody with that number"),
        ({"patient_id": "943 476 5919"}, "That is an NHS number"),
        ({"patient_id": "seen today, 943 476 5919, on the ward"}, "That is an NHS number"),
        ({"patient_id": "N" * 5000}, "not a person&#39;s number in Upstream"),
        ({"patient_id": "N0\x003"}, "not a person&#39;s number in Upstream"),
        ({"patient_id": "N03\u202e"}, "not a person&#39;s number in Upstream"),
        ({"patient_id": "<b>N03</b>"}, "You see nobody with that number"),
        ({"kind": "x" * 5000}, "Choose what happened"),
        ({"kind": "it was bad"}, "Choose what happened"),
        ({"harm": ""}, "Choose the harm"),
    ],
)
def test_what_cannot_be_recorded_is_shown_on_the_form_and_leaves_no_report(home, start, form, said):
    with start(home) as client:
        sign_in(client, "pharmacist:north")
        answer = reports(client, **form)
        assert answer.status_code == 422 and said in answer.text
        assert "943 476 5919" not in answer.text and "it was bad" not in answer.text and "<b>N03" not in answer.text
        assert len(answer.text) < 20_000 and "\x00" not in answer.text
        # The other answers are still chosen, so nobody fills in the form twice.
        kept = {"kind": "gap_missing", "harm": "near_miss"} | form
        for name in ("kind", "harm"):
            if name not in form:
                assert f'name="{name}" value="{kept[name]}" checked' in answer.text
    with sqlite3.connect(home / "service.db") as connection:
        query = "SELECT count(*) FROM audit_events WHERE action = 'incident.reported'"
        assert connection.execute(query).fetchone() == (0,)


def test_the_safety_report_counts_what_the_logs_hold_in_the_period_and_names_nobody(home, start):
    with start(home) as client:
        sign_in(client, "pharmacist:north")
        reports(client, patient_id="N03")
        reports(client, kind="list_late", harm="none")
        proof = re.search(r'name="proof" value="([^"]+)"', client.get("/incidents").text)[1]
        client.post("/emergency-access", data={"proof": proof, "patient_id": "S02", "reason": "crisis_call"})
    with sqlite3.connect(home / "service.db") as connection:
        at = dt.datetime.now(dt.UTC).isoformat(sep=" ")
        connection.execute(
            "INSERT INTO refusals (run_id, as_of, reasons, refused_at) VALUES ('r', ?, '[]', ?)", (str(TODAY()), at)
        )
    found = safety_report(home, TODAY(), TODAY())
    assert found.incidents == {"gap_missing": 1, "list_late": 1} and found.harms == {"near_miss": 1, "none": 1}
    assert found.emergency_accesses == {"crisis_call": 1} and found.runs_refused == 1
    assert found.lists == 1 and found.late_lists == 0
    assert "N03" not in str(found.as_dict()) and "incidents reported: 2" in "\n".join(found.lines())
    earlier = safety_report(home, TODAY() - dt.timedelta(days=30), TODAY() - dt.timedelta(days=10))
    assert not earlier.incidents and earlier.lists == 0


def test_a_list_that_did_not_come_is_late(home):
    with sqlite3.connect(home / "service.db") as connection:
        old = (dt.datetime.now(dt.UTC) - dt.timedelta(days=5)).isoformat(sep=" ")
        connection.execute("UPDATE publications SET published_at = ?", (old,))
    found = safety_report(home, TODAY() - dt.timedelta(days=3), TODAY())
    assert found.late_lists == 1 and found.longest_days_without_list == pytest.approx(5, abs=0.1)


def test_a_period_that_ends_before_it_begins_is_refused(home):
    with pytest.raises(PeriodRefused, match="before it begins"):
        safety_report(home, TODAY(), TODAY() - dt.timedelta(days=1))


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2026-13-01", "2026-03-31", "write a day as year, month and day"),
        ("", "2026-03-31", "write a day as year, month and day"),
        ("2026-01-01\x00", "2026-03-31", "write a day as year, month and day"),
        ("9" * 5000, "2026-03-31", "write a day as year, month and day"),
        ("9434765919", "2026-03-31", "write a day as year, month and day"),
        ("2026-03-31", "2026-01-01", "before it begins"),
        ("2026-01-01", "9999-12-31", "no day follows"),
    ],
)
def test_a_period_that_is_none_is_refused_in_one_sentence_that_does_not_repeat_it(home, first, last, said):
    done = CliRunner().invoke(
        upstream.app, ["audit", "safety-report", "--home", str(home), "--from", first, "--to", last]
    )
    told = done.output + str(done.exception or "")
    assert done.exit_code != 0 and said in told and "9434765919" not in told and len(told) < 400


def test_a_period_long_ago_and_one_to_come_count_nothing_and_lose_nothing(home):
    for first, last in ((dt.date.min, dt.date(1999, 1, 1)), (dt.date(2100, 1, 1), dt.date(2100, 12, 31))):
        found = safety_report(home, first, last)
        assert not found.incidents and found.lists == 0
