"""Outcomes, clause by clause of docs/clinical.md sections 2.2, 2.3 and 2.6: a small history in, a label out."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import Records
from features.records.tables import CONTACT_KINDS
from tests.examples import examples
from training.dataset import labels
from training.errors import ShapeError
from training.outcome_settings import OutcomeSettings

FIRST = dt.date(2024, 1, 1)
HORIZONS = {"admission": (28, 90, 180), "disengagement": (90, 180)}
SETTINGS = OutcomeSettings(settling_days=0)


def on(day):
    """Day 0 is 2024-01-01."""
    return None if day is None else pd.Timestamp(FIRST + dt.timedelta(days=day))


def records(referrals=(), contacts=(), stays=(), died=None, until=700):
    """One person. referrals (opened, closed, reason[, team]); contacts (day, outcome[, mode, kind, booked]); stays
    (from, to[, method, ward]).

    A result on day ``until`` says how far the extract goes, and a carer's contact on day 0 where it begins.
    """
    contacts = [(0, "attended", "telephone", "carer"), *contacts]
    contacts = [(*row, *("face_to_face", "routine", None)[len(row) - 2 :]) for row in contacts]
    stays = [(*row, *("emergency", "acute")[len(row) - 2 :]) for row in stays]
    referrals = [(*row, *("cmht",)[len(row) - 3 :]) for row in referrals]
    return Records.from_frames(
        {
            "patients": pd.DataFrame({"patient_id": ["p"], "died_on": [on(died)]}),
            "teams": pd.DataFrame({"team_id": ["cmht", "eip", "liaison"], "kind": ["A06", "A14", "A11"]}),
            "referrals": pd.DataFrame(
                [
                    ("p", str(n), team, on(opened), on(closed), reason)
                    for n, (opened, closed, reason, team) in enumerate(referrals)
                ],
                columns=["patient_id", "referral_id", "team_id", "opened_on", "closed_on", "close_reason"],
            ),
            "contacts": pd.DataFrame(
                [
                    ("p", str(n), on(day), mode, kind, outcome, on(booked))
                    for n, (day, outcome, mode, kind, booked) in enumerate(contacts)
                ],
                columns=["patient_id", "contact_id", "contact_on", "mode", "kind", "outcome", "booked_on"],
            ),
            "stays": pd.DataFrame(
                [("p", on(a), on(d), method, ward) for a, d, method, ward in stays],
                columns=["patient_id", "admitted_on", "discharged_on", "method", "ward"],
            ),
            "results": pd.DataFrame(
                {"patient_id": ["p"], "test": ["weight"], "taken_on": [on(until)], "value": [70.0], "unit": ["kg"]}
            ),
        },
        today=FIRST + dt.timedelta(days=2000),
    )


def status(history, as_of, outcome, horizon, **changes):
    spine = pd.DataFrame({"patient_id": ["p"], "as_of": [on(as_of)]})
    return labels.follow_up(history, spine, SETTINGS.model_copy(update=changes)).status(outcome, horizon)[0]


OPEN = [(0, None, None)]

ADMISSIONS = [
    # what the clause says                              stays                                            as_of horizon
    # status
    ("an emergency admission in the window", [(120, 130)], 100, 28, "event"),
    ("the day of as_of is in the window", [(100, 110)], 100, 28, "event"),
    ("the last day of the window", [(127, 130)], 100, 28, "event"),
    ("the day after the window", [(128, 130)], 100, 28, "none"),
    ("a longer horizon reaches it", [(128, 130)], 100, 90, "event"),
    ("planned is not an outcome", [(120, 130, "planned")], 100, 28, "none"),
    ("a missing method counts as unplanned", [(120, 130, None)], 100, 28, "event"),
    ("a transfer starts no admission", [(120, 130, "transfer")], 100, 28, "none"),
    ("a specialist bed is not an outcome", [(120, 130, "emergency", "specialist")], 100, 28, "none"),
    ("older adult and intensive care beds are", [(120, 130, "emergency", "picu")], 100, 28, "event"),
    ("a place of safety alone is not", [(120, 121, "emergency", "place_of_safety")], 100, 28, "none"),
    ("a place of safety, then a ward, is", [(120, 121, "emergency", "place_of_safety"), (121, 140)], 100, 28, "event"),
    ("an inpatient at as_of is not at risk", [(90, 110)], 100, 28, "in hospital, not yet known"),
    ("nor is one discharged on that day", [(90, 100)], 100, 28, "in hospital, not yet known"),
    ("discharged the day before is", [(90, 99), (110, 120)], 100, 28, "event"),
    (
        "stays a day apart are one spell: still in hospital",
        [(80, 99), (100, 120)],
        100,
        28,
        "in hospital, not yet known",
    ),
    (
        "planned, then moved to acute: one spell, planned",
        [(110, 115, "planned", "rehabilitation"), (116, 130)],
        100,
        28,
        "none",
    ),
]


@pytest.mark.parametrize(
    ("clause", "stays", "as_of", "horizon", "expected"), ADMISSIONS, ids=[row[0] for row in ADMISSIONS]
)
def test_which_stays_are_an_admission(clause, stays, as_of, horizon, expected):
    assert status(records(OPEN, stays=stays), as_of, "admission", horizon) == expected


MISSED = [(110, "did_not_attend"), (130, "did_not_attend")]
SILENCES = [
    ("the 90th silent day with two missed offers", [(100, "attended"), *MISSED], 101, 90, "event"),
    (
        "seen on day 100, so the 90th silent day is 190: outside [100, 190)",
        [(100, "attended"), *MISSED],
        100,
        90,
        "none",
    ),
    ("and inside [100, 280)", [(100, "attended"), *MISSED], 100, 180, "event"),
    ("one missed offer is not enough", [(100, "attended"), MISSED[0]], 101, 180, "none"),
    (
        "cancelled by the patient is not a missed offer",
        [(100, "attended"), MISSED[0], (130, "cancelled_by_patient")],
        101,
        180,
        "none",
    ),
    ("nor by the service", [(100, "attended"), MISSED[0], (130, "cancelled_by_service")], 101, 180, "none"),
    ("seen on the 90th day: no event", [(100, "attended"), *MISSED, (190, "attended")], 101, 180, "none"),
    ("seen on the 91st day: event", [(100, "attended"), *MISSED, (191, "attended")], 101, 180, "event"),
    ("a telephone call is being seen", [(100, "attended"), *MISSED, (150, "attended", "telephone")], 101, 180, "none"),
    ("a text is not", [(100, "attended"), *MISSED, (150, "attended", "text")], 101, 180, "event"),
    (
        "a carer seen is not the person seen",
        [(100, "attended"), *MISSED, (150, "attended", "telephone", "carer")],
        101,
        180,
        "event",
    ),
    (
        "a missed carer's visit is not an offer to the person",
        [(100, "attended"), MISSED[0], (130, "did_not_attend", "video", "carer")],
        101,
        180,
        "none",
    ),
    (
        "a second offer missed late: that is the day",
        [(100, "attended"), MISSED[0], (250, "did_not_attend")],
        101,
        180,
        "event",
    ),
    ("not before it", [(100, "attended"), MISSED[0], (250, "did_not_attend")], 101, 90, "none"),
    ("already inside a qualifying silence", [(100, "attended"), *MISSED], 191, 90, "already disengaged"),
    (
        "still inside on the day of being seen again",
        [(100, "attended"), *MISSED, (220, "attended")],
        220,
        90,
        "already disengaged",
    ),
    ("at risk again the day after", [(100, "attended"), *MISSED, (220, "attended")], 221, 90, "none"),
    ("never seen: silent since the referral", [(10, "did_not_attend"), (40, "did_not_attend")], 60, 90, "event"),
    (
        "booked six months away: twice that interval",
        [(100, "attended"), *MISSED, (280, "planned", "video", "routine", 100)],
        101,
        180,
        "none",
    ),
    (
        "booked two months away: still 90 days",
        [(100, "attended"), *MISSED, (160, "did_not_attend", "video", "routine", 100)],
        101,
        180,
        "event",
    ),
]


@pytest.mark.parametrize(
    ("clause", "contacts", "as_of", "horizon", "expected"), SILENCES, ids=[row[0] for row in SILENCES]
)
def test_a_silence_is_a_disengagement_by_clause(clause, contacts, as_of, horizon, expected):
    assert status(records(OPEN, contacts), as_of, "disengagement", horizon) == expected


SEEN = [(50, "attended"), (100, "attended"), (150, "attended"), (200, "attended"), (250, "attended"), (300, "attended")]
CLOSURES = [
    ("closed because they did not attend", [(0, 150, "did_not_attend")], "event", "none"),
    ("closed because they refused", [(0, 150, "refused")], "event", "none"),
    (
        "planned discharge is an exit, of both outcomes",
        [(0, 150, "planned_end")],
        "exit: planned_end",
        "exit: planned_end",
    ),
    ("moved away", [(0, 150, "moved_away")], "exit: moved_away", "exit: moved_away"),
    ("transferred", [(0, 150, "transferred")], "exit: transferred", "exit: transferred"),
    (
        "asked to leave: no more referral to be silent in, admissions still seen",
        [(0, 150, "patient_request")],
        "exit: patient_request",
        "none",
    ),
    ("reason not given", [(0, 150, None)], "exit: other", "none"),
    ("another referral within five days: one spell", [(0, 150, "did_not_attend"), (155, None, None)], "none", "none"),
    ("on the sixth day: two", [(0, 150, "did_not_attend"), (156, None, None)], "event", "none"),
    ("another referral open meanwhile", [(0, 150, "planned_end"), (120, None, None, "eip")], "none", "none"),
    (
        "a referral out of scope does not keep it open",
        [(0, 150, "transferred"), (120, None, None, "liaison")],
        "exit: transferred",
        "exit: transferred",
    ),
    ("closed after the window", [(0, 191, "refused")], "none", "none"),
    ("closed before, not yet known", [(0, 95, "refused")], "left before, not yet known", "none"),
]


@pytest.mark.parametrize(
    ("clause", "referrals", "disengagement", "admission"), CLOSURES, ids=[row[0] for row in CLOSURES]
)
def test_which_closures_are_an_event_or_an_exit(clause, referrals, disengagement, admission):
    history = records(referrals, SEEN)
    assert status(history, 100, "disengagement", 90) == disengagement
    assert status(history, 100, "admission", 90) == admission


def test_death_is_an_exit_and_never_a_good_result():
    history = records(OPEN, SEEN, died=150)
    assert status(history, 100, "admission", 28) == "none"
    assert status(history, 100, "admission", 90) == "exit: died"
    assert status(history, 100, "disengagement", 90) == "exit: died"
    assert status(history, 151, "admission", 90) == "died before"


def test_an_event_before_or_on_the_day_of_an_exit_counts():
    assert status(records([(0, 150, "transferred")], SEEN, stays=[(150, 160)]), 100, "admission", 90) == "event"
    assert (
        status(records([(0, 150, "transferred")], SEEN, stays=[(151, 160)]), 100, "admission", 90)
        == "exit: transferred"
    )


def test_a_hospital_stay_is_not_silence():
    contacts = [(100, "attended"), (110, "did_not_attend"), (150, "did_not_attend"), (160, "did_not_attend")]
    assert status(records(OPEN, contacts, stays=[(120, 140, "planned")]), 101, "disengagement", 90) == "none"
    assert (
        status(records(OPEN, contacts, stays=[(120, 140, "planned")]), 141, "disengagement", 90) == "event"
    )  # day 140 + 90


@pytest.mark.parametrize(("until", "expected"), [(127, 0.0), (126, np.nan)])
def test_a_window_past_the_last_day_of_the_extract_has_no_label(until, expected):
    spine = pd.DataFrame({"patient_id": ["p"], "as_of": [on(100)]})
    label = labels.label(records(OPEN, SEEN[:2], until=until), spine, {"admission": (28,)}, SETTINGS)
    np.testing.assert_equal(label["admission_28"].to_numpy(), [expected])


def test_unsettled_days_count_as_past_the_end_of_the_extract():
    history = records(OPEN, SEEN[:2], until=127)
    assert status(history, 100, "admission", 28, settling_days=1) == labels.PAST_THE_END


def test_new_events_leave_out_silences_that_had_begun():
    """Seen on day 100: at day 101 the silence has begun; at day 100 it has not."""
    history = records(OPEN, [(100, "attended"), *MISSED])
    spine = pd.DataFrame({"patient_id": ["p", "p"], "as_of": [on(100), on(101)]})
    follow_up = labels.follow_up(history, spine, SETTINGS)
    assert follow_up.labels({"disengagement": (180,)})["disengagement_180"].tolist() == [1.0, 1.0]
    np.testing.assert_equal(
        follow_up.new_events({"disengagement": (180,)})["disengagement_180"].to_numpy(), [1.0, np.nan]
    )
    assert follow_up.new_only().status("disengagement", 180).tolist() == ["event", labels.UNDER_WAY]


def test_within_ninety_days_no_silence_is_new():
    """The reason why a headline at 90 days could only ever count silences that a team can see already."""
    history = records(OPEN, [(100, "attended"), *MISSED])
    spine = pd.DataFrame({"patient_id": ["p"] * 3, "as_of": [on(100), on(101), on(150)]})
    new = labels.follow_up(history, spine, SETTINGS).new_only()
    assert not (new.status("disengagement", 90) == "event").any()


def test_a_silence_that_had_begun_and_ends_in_time_is_not_an_event_or_an_exit():
    history = records(OPEN, [(100, "attended"), *MISSED, (160, "attended"), (200, "attended"), (240, "attended")])
    spine = pd.DataFrame({"patient_id": ["p"], "as_of": [on(150)]})
    new = labels.follow_up(history, spine, SETTINGS).new_only()
    assert new.status("disengagement", 100).tolist() == ["none"]


def test_silence_in_a_month_that_was_not_submitted_is_not_trusted():
    """Ten contacts a day keep the provider's volume up, except in one month of the silence. Each is of another kind:
    contacts of one person, day, team and kind are one."""
    gone = set(range(121, 152))  # May 2024
    crowd = [(day, "attended", "text", kind) for day in range(0, 366) if day not in gone for kind in CONTACT_KINDS[:10]]
    history = records(OPEN, [(100, "attended"), *MISSED, *crowd], until=600)
    assert status(history, 101, "disengagement", 180) == "exit: contacts not submitted in the silence"
    assert status(history, 101, "disengagement", 180, submission_gap_tolerance=None) == "event"


def test_the_table_of_censoring_accounts_for_every_row():
    history = records([(0, 150, "planned_end")], SEEN)
    spine = pd.DataFrame({"patient_id": ["p"] * 5, "as_of": [on(d) for d in (20, 60, 100, 140, 160)]})
    table = labels.follow_up(history, spine, SETTINGS).censoring(HORIZONS)
    assert (table.groupby(["outcome", "horizon"])["rows"].sum() == 5).all()


def test_a_spine_that_does_not_fit_is_refused_with_advice():
    history = records(OPEN)
    with pytest.raises(ShapeError, match="lacks as_of"):
        labels.label(history, pd.DataFrame({"patient_id": ["p"]}), HORIZONS)
    with pytest.raises(ShapeError, match="1 of 1 spine rows name people who are not in the records"):
        labels.label(history, pd.DataFrame({"patient_id": ["q"], "as_of": [on(1)]}), HORIZONS)
    with pytest.raises(ShapeError, match="no as_of date"):
        labels.label(history, pd.DataFrame({"patient_id": ["p"], "as_of": [pd.NaT]}), HORIZONS)


# The slow, obvious rules: one day at a time over plain tuples, of contacts and stays that records have put together
# (tests/features/records/same_event/test_visits.py holds how). Waiting times are short so that Hypothesis meets every
# clause.

SHORT = OutcomeSettings(
    horizons={"admission": (7, 20), "disengagement": (20,)},
    silent_days=10,
    quarterly_days=12,
    settling_days=0,
    submission_gap_tolerance=None,
)
DAYS = st.integers(1, 60)
REASONS = st.sampled_from(["did_not_attend", "refused", "planned_end", "transferred", "patient_request", None])
REFERRALS = st.lists(
    st.tuples(DAYS, st.one_of(st.none(), st.integers(0, 40)), REASONS, st.sampled_from(["cmht", "eip", "liaison"])),
    max_size=4,
)
CONTACTS = st.lists(
    st.tuples(
        DAYS,
        st.sampled_from(["attended", "attended", "did_not_attend", "did_not_attend", "cancelled_by_patient"]),
        st.sampled_from(["face_to_face", "telephone", "text"]),
        st.sampled_from(["routine", "routine", "crisis", "carer"]),
        st.one_of(st.none(), st.integers(1, 30)),
    ),
    max_size=8,
)
STAYS = st.lists(
    st.tuples(
        DAYS,
        st.one_of(st.none(), st.integers(0, 12)),
        st.sampled_from(["emergency", "planned", "transfer", None]),
        st.sampled_from(["acute", "specialist", "place_of_safety"]),
    ),
    max_size=3,
)  # fmt: skip


def spells_of(intervals, gap):
    """[(start, end, first, last)] of intervals (start, end or None, what) merged one after another."""
    out = []
    for start, end, what in intervals:
        end = 10_000 if end is None else end
        if out and start <= out[-1][1] + gap:
            last = what if end >= out[-1][1] else out[-1][3]
            out[-1] = (out[-1][0], max(out[-1][1], end), out[-1][2], last)
        else:
            out.append((start, end, what, what))
    return out


def slow_status(referrals, contacts, stays, died, as_of, outcome, horizon, last_day):
    died = 10_000 if died is None else died
    hospital = spells_of([(a, d, (method, ward)) for a, d, method, ward in stays if ward != "place_of_safety"], 1)
    referred = spells_of([(o, c, reason) for o, c, reason, team in referrals if team != "liaison"], 5)
    mine = [spell for spell in referred if spell[0] < as_of][-1:]
    if died < as_of:
        return "died before"
    if any(start < as_of <= end for start, end, *_ in hospital):
        return "in hospital, not yet known"
    if outcome == "disengagement":
        if not mine:
            return "no referral to an in-scope team open"
        if mine[0][1] < as_of:
            return "left before, not yet known"
    elif mine and mine[0][1] < as_of and mine[0][3] in SHORT.admission_exits:
        return "left before, not yet known"

    def seen_on(day):
        return any(c[0] == day and c[1] == "attended" and c[2] != "text" and c[3] != "carer" for c in contacts) or any(
            start <= day <= end for start, end, *_ in hospital
        )

    def qualifies(day):
        """The definition of D1, holding on ``day``."""
        spell = [s for s in referred if s[0] < day < s[1]]
        if not spell or day >= died or seen_on(day):
            return False
        anchor = max([spell[0][0]] + [d for d in range(0, day) if seen_on(d)])
        booked = sorted(
            (c[0], n) for n, c in enumerate(contacts) if c[4] is not None and c[3] != "carer" and c[4] <= anchor < c[0]
        )
        wait = 10
        if booked and booked[0][0] - anchor > 12:
            wait = max(10, 2 * (booked[0][0] - anchor))
        offers = [c for c in contacts if c[1] == "did_not_attend" and c[3] != "carer" and anchor < c[0] <= day]
        return day - anchor >= wait and len(offers) >= 2

    if outcome == "disengagement":
        day = as_of - 1
        while day > 0 and not seen_on(day) and mine[0][0] < day:
            if qualifies(day):
                return "already disengaged"
            day -= 1
        if qualifies(day):
            return "already disengaged"
    if as_of + horizon > last_day + 1:
        return labels.PAST_THE_END
    for day in range(as_of, as_of + horizon):
        if outcome == "admission":
            for start, _, (method, ward), _ in hospital:
                if start == day and method in ("emergency", None) and ward in ("acute", "older_adult", "picu"):
                    return "event"
        elif qualifies(day) or (mine[0][1] == day and mine[0][3] in ("did_not_attend", "refused")):
            return "event"
        if died == day:
            return "exit: died"
        if mine and mine[0][1] == day:
            reason = mine[0][3] or "other"
            if outcome == "disengagement" or reason in SHORT.admission_exits:
                return f"exit: {reason}"
    return "none"


def put_together(history):
    """Contacts (day, outcome, mode, kind, booked) and stays (from, to, method, ward) as records hold them: one event is
    one row."""

    def rows(table, days, words):
        frame = history[table]
        for name in days:
            frame[name] = [None if pd.isna(day) else (day.date() - FIRST).days for day in frame[name]]
        return [
            tuple(None if pd.isna(value) else int(value) if name in days else value for name, value in row.items())
            for row in frame[words].to_dict("records")
        ]

    return (
        rows("contacts", ["contact_on", "booked_on"], ["contact_on", "outcome", "mode", "kind", "booked_on"]),
        rows("stays", ["admitted_on", "discharged_on"], ["admitted_on", "discharged_on", "method", "ward"]),
    )


@settings(max_examples=examples(40), deadline=None)
@given(REFERRALS, CONTACTS, STAYS, st.one_of(st.none(), st.integers(20, 90)))
def test_the_fast_rules_agree_with_the_slow_ones(referrals, contacts, stays, died):
    referrals = sorted(
        ((o, None if n is None else o + n, reason, team) for o, n, reason, team in referrals), key=lambda r: r[0]
    )
    contacts = sorted(
        ((d, o, m, k, None if b is None else max(0, d - b)) for d, o, m, k, b in contacts), key=lambda c: c[0]
    )
    stays = sorted(
        ((a, None if n is None else a + n, method, ward) for a, n, method, ward in stays), key=lambda s: s[0]
    )
    history = records(referrals, contacts, stays, died, until=75)
    contacts, stays = put_together(history)
    as_of = list(range(2, 75, 3))
    follow_up = labels.follow_up(
        history, pd.DataFrame({"patient_id": ["p"] * len(as_of), "as_of": [on(d) for d in as_of]}), SHORT
    )
    for outcome, horizons in SHORT.horizons.items():
        for horizon in horizons:
            last_day = max([75] + [c[0] for c in contacts])
            slow = [slow_status(referrals, contacts, stays, died, d, outcome, horizon, last_day) for d in as_of]
            assert follow_up.status(outcome, horizon).tolist() == slow, (outcome, horizon)
