"""The page and the metrics of the team that owns the model, from the month's report that training wrote."""

from __future__ import annotations

import datetime as dt
import os
import re

import pytest

from serving.operations.month_reports import MonthReport, newest_report
from tests.serving.conftest import sign_in
from tests.serving.observability.test_metrics import read
from tests.serving.reports import REPORT, UNKNOWN, put_report
from tests.training.impact.test_month_report import played, report
from training.impact.month_report import write_month

PAIR = (("horizon", "90"), ("outcome", "admission"))


@pytest.fixture
def watching(home, start):
    """Two services of one home: a page and its reader, and the metrics of an operator."""
    with start(home) as client:
        sign_in(client, "data_scientist")
        yield client


def test_the_page_shows_alarm_step_months_estimate_feeds_and_the_change_of_model(home, watching):
    put_report(home)
    page = watching.get("/monitoring").text
    for said in (
        "Alarm: ", "intercept", "1.62", "2025-05", "Cannot tell yet. From 1 March 2026", "51.2", "3,900",
        "2024-01-b1", "3: no open referral", "Synthetic data.",
    ):  # fmt: skip
        assert said in page, said


def section(page: str, name: str) -> str:
    """One section of the page, as words."""
    found = re.search(rf'<section aria-labelledby="{name}">.*?</section>', page, re.DOTALL)
    return " ".join(re.sub("<[^>]+>", " ", found[0]).split())


def test_the_page_names_the_step_due_its_bounds_and_each_step_taken_with_who_when_and_why(home, watching):
    put_report(home)
    steps = section(watching.get("/monitoring").text, "steps")
    assert "intercept, at most 0.65 either way; then slope, 0.75 to 1.45" in steps
    assert "fewer than 120 events" in steps and "more often than 2 in 100" in steps
    assert "within 90 days intercept +0.52 1.00 An intercept suffices. 1 September 2025" in steps
    assert (
        "upstream-7 Calibration fitted again, same trees Ada Example, model owner 2 May 2025 the alarm of April"
    ) in steps


def test_a_step_whose_decision_is_not_known_says_so_and_so_does_no_step(home, watching):
    known = REPORT["changes"][0]
    put_report(home, changes=[{name: known[name] for name in ("first_list", "before", "after", "version")}])
    assert "does not hold the decision" in section(watching.get("/monitoring").text, "steps")
    put_report(home, changes=[], happened=[UNKNOWN])
    steps = section(watching.get("/monitoring").text, "steps")
    assert "No step is due." in steps and "no step was taken" in steps


def test_the_latest_report_counts_and_a_damaged_one_is_not_replaced_by_an_older_one(home, watching):
    put_report(home, "2025-12", happened=[UNKNOWN])
    put_report(home, "2026-02", happened=[])
    assert "From the report of 2026-02" in watching.get("/monitoring").text
    for text in ("{", "[]", '{"month": "2026-03"}', "\x00"):
        (home / "reports" / "month-2026-03.json").write_text(text)
        page = watching.get("/monitoring").text
        assert "cannot be read" in page and "2026-02" not in page


def test_an_old_report_is_called_old(home, watching):
    path = put_report(home)
    assert "This report is old" not in watching.get("/monitoring").text
    before = dt.datetime.now(dt.UTC).timestamp() - 40 * 86_400
    os.utime(path, (before, before))
    assert "This report is old" in watching.get("/monitoring").text


def test_without_a_report_the_page_says_what_to_run(watching):
    assert "upstream model report" in watching.get("/monitoring").text


def test_alerts_can_read_the_alarm_the_ratio_and_the_age_of_the_report(home, start):
    from serving.security.tokens import issue_token

    headers = {"Authorization": f"Bearer {issue_token(home, 'operator', None)}"}
    with start(home) as client:
        before = read(client.get("/metrics", headers=headers).text)
        assert not [name for name, _ in before if name in ("upstream_watch_alarm", "upstream_model_report_age_days")]
        put_report(home)
        now = read(client.get("/metrics", headers=headers).text)
    assert now["upstream_watch_alarm", PAIR] == 1 and now["upstream_observed_over_expected", PAIR] == 1.62
    assert now["upstream_model_report_age_days", ()] == 0
    assert len([name for name, _ in now if name == "upstream_watch_alarm"]) == 1  # the other is not known yet


def test_what_training_writes_is_what_the_service_reads(tmp_path):
    records, rows = played(0.5)
    write_month(report(records, rows, "2026-01"), tmp_path / "reports")
    found = newest_report(tmp_path)
    assert isinstance(found.report, MonthReport) and found.report.alarms == 1 and found.problem == ""
    assert found.report.happened[0].watch.repair.step == "intercept"
    write_month(report(records, rows, "2024-02"), tmp_path / "later" / "reports")
    assert str(newest_report(tmp_path / "later").report.happened[0].from_day) == "2024-04-14"
