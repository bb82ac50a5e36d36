"""When a status may be set and when it stops to hold: small cases in, a sentence out."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.gap_statuses.rules import basis_of, judged, problems_with, reviewed_here
from serving.gap_statuses.schemas import StatusIn

TODAY = dt.date(2026, 1, 5)
COUNT = {"table": "results", "on": "2025-12-01", "what": "neutrophils 2.1"}
RED = {"table": "results", "on": "2026-01-03", "what": "neutrophils 1.1"}


def day(number: int) -> dt.date:
    return TODAY + dt.timedelta(days=number)


@dataclass
class Stored:
    status: str
    until: dt.date | None
    set_days_ago: int = 1
    why: str | None = None
    code: str = "CLZ_FBC_OVERDUE"
    set_by_name: str = "Noor"
    basis: list[str] = field(default_factory=lambda: basis_of([COUNT]))

    @property
    def set_at(self) -> dt.datetime:
        return dt.datetime.combine(day(-self.set_days_ago), dt.time(9), dt.UTC)


@pytest.mark.parametrize(
    ("status", "until", "why", "severity", "wrong"),
    [
        ("booked", 10, None, "high", []),
        ("booked", 183, None, "high", []),
        ("booked", 184, None, "high", ["body.until"]),
        ("booked", None, None, "high", ["body.until"]),
        ("booked", 0, None, "high", ["body.until"]),
        ("booked", 7, None, "critical", []),
        ("booked", 8, None, "critical", ["body.until"]),
        ("not_applicable", 7, "person_declined", "critical", []),
        ("not_applicable", 300, "person_declined", "critical", ["body.until"]),
        ("not_applicable", 300, None, "medium", ["body.why"]),
        ("acknowledged", 5, "person_declined", "medium", ["body.why"]),
        ("acknowledged", 29, None, "low", ["body.until"]),
        ("done", 28, None, "low", []),
        ("open", None, None, "critical", []),
        ("open", 3, None, "critical", ["body.until"]),
    ],
)
def test_a_status_that_does_not_fit_is_refused_by_field(status, until, why, severity, wrong):
    sent = StatusIn(status=status, until=None if until is None else day(until), why=why)
    assert [problem.where for problem in problems_with(sent, severity, TODAY)] == wrong


@pytest.mark.parametrize(
    ("stored", "severity", "evidence", "ended"),
    [
        (Stored("booked", day(5)), "high", [COUNT], ""),
        (Stored("booked", day(0)), "high", [COUNT], "5 January 2026 has come"),
        (Stored("booked", day(5)), "high", [COUNT, RED], "new on record, neutrophils 1.1 (2026-01-03)"),
        (Stored("booked", day(5)), "high", [], ""),
        (Stored("acknowledged", day(5), 6), "critical", [COUNT], ""),
        (Stored("acknowledged", day(5), 7), "critical", [COUNT], "it is critical, and 7 days have passed"),
        (Stored("not_applicable", day(300), 60, "another_team_monitors"), "medium", [COUNT], ""),
    ],
    ids=["holds", "its date", "a new result", "evidence gone", "critical, day 6", "critical, day 7", "does not apply"],
)
def test_a_status_ends_by_date_new_evidence_or_severity(stored, severity, evidence, ended):
    status = judged(stored, severity, evidence, TODAY)
    assert status is not None
    assert status.holds == (not ended)
    assert ended in status.ended


def test_a_withdrawn_status_is_none():
    assert judged(Stored("open", None), "high", [COUNT], TODAY) is None


@given(st.integers(0, 400), st.sampled_from(["critical", "high", "medium", "low"]), st.integers(1, 400))
def test_no_critical_gap_is_set_aside_for_more_than_seven_days(set_days_ago, severity, until):
    status = judged(Stored("booked", day(until), set_days_ago), severity, [COUNT], TODAY)
    assert status is not None
    assert not (severity == "critical" and set_days_ago >= 7 and status.holds)


@given(st.integers(0, 27))
def test_silence_alone_never_ends_a_status_before_its_date(days_ago):
    status = judged(Stored("acknowledged", day(1), days_ago), "high", [COUNT], TODAY)
    assert status is not None and status.holds


@dataclass
class Reviewed:
    days_ago: int
    actions: tuple[str, ...] = ("indication_reviewed",)
    reviewer_name: str = "Noor"

    @property
    def reviewed_at(self) -> dt.datetime:
        return dt.datetime.combine(day(-self.days_ago), dt.time(9), dt.UTC)


@pytest.mark.parametrize(
    ("code", "evidence", "reviews", "clears"),
    [
        ("MEDICINES_REVIEW_OVERDUE", [], [Reviewed(10)], True),
        ("MEDICINES_REVIEW_OVERDUE", [], [Reviewed(366)], False),
        ("MEDICINES_REVIEW_OVERDUE", [], [Reviewed(10, ("not_reached",))], False),
        ("MEDICINES_REVIEW_OVERDUE", [], [Reviewed(20), Reviewed(10, ("not_reached",))], True),
        ("MEDICINES_REVIEW_OVERDUE", [{"table": "stays", "on": "2026-01-01", "what": "x"}], [Reviewed(10)], False),
        ("CLZ_FBC_OVERDUE", [], [Reviewed(10)], False),
    ],
    ids=["a review", "too long ago", "not reached", "an earlier real one", "a discharge since", "another gap"],
)
def test_a_review_recorded_here_clears_the_review_gap(code, evidence, reviews, clears):
    assert (reviewed_here(code, evidence, reviews, TODAY) is not None) == clears
