"""The rules of the list: small tables in, slots and reasons out; and laws over any caseload."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.lottery_band import BandRules
from serving.worklists.ranking import Ranking
from serving.worklists.rules import (
    NO_SAFETY_GAP,
    Before,
    Candidate,
    Drawn,
    LeftReason,
    ListRules,
    Slot,
    Standing,
    in_order,
    make_list,
    unseen_slots,
)

DAY = dt.date(2026, 1, 5)
WEEK = dt.timedelta(days=7)
RULES = ListRules("admission", 90)
LATELY = DAY - dt.timedelta(days=1)


def people(**risks):
    """Everybody was seen yesterday, so that the turn of the longest unseen goes by risk and id."""
    return [Candidate(name, risk, last_seen_on=LATELY) for name, risk in risks.items()]


def held(**risks):
    return {name: Before(risk, slot=Slot.ORDER, listed_since=DAY - WEEK) for name, risk in risks.items()}


def slots_of(made):
    return {line.patient_id: line.slot.value for line in made.lines if line.slot}


def reasons_of(made):
    return {found.patient_id: found.reason.value for found in made.exits}


# Order


def test_equal_people_stand_in_the_order_of_their_ids():
    assert [c.patient_id for c in in_order(people(B=0.2, A=0.2, C=0.3), Ranking.RISK)] == ["C", "A", "B"]


@pytest.mark.parametrize(
    ("ranking", "order"),
    [(Ranking.RISK, "DCBA"), (Ranking.GAPS, "ABDC"), (Ranking.BLENDED, "DACB")],
)
def test_by_risk_by_gaps_and_blended(ranking, order):
    a, b, c, d = people(A=0.1, B=0.2, C=0.3, D=0.4)
    found = in_order([replace(a, worst=0, gaps=1), replace(b, worst=1, gaps=2), c, d], ranking)
    assert "".join(c.patient_id for c in found) == order


# Slots


def test_capacity_gives_slots_and_one_is_for_the_longest_unseen():
    never = Candidate("Z", 0.01)
    made = make_list([*people(A=0.5, B=0.4, C=0.3), never], {}, 3, DAY, RULES)
    assert slots_of(made) == {"A": "order", "B": "order", "Z": "longest_unseen"}
    assert [(line.place, line.patient_id) for line in made.lines] == [(1, "A"), (2, "B"), (3, "Z"), (4, "C")]
    assert made.risk_best - made.risk_listed == pytest.approx(0.3 - 0.01)


@pytest.mark.parametrize(("slots", "weeks"), [(0, [0, 0, 0, 0]), (2, [1] * 4), (9, [1] * 4), (10, [2] * 4)])
def test_a_slot_or_two_each_week_for_the_longest_unseen(slots, weeks):
    assert [unseen_slots(slots, DAY + n * WEEK) for n in range(4)] == weeks


def test_a_team_with_one_slot_gives_it_to_the_longest_unseen_in_one_week_of_four():
    assert sum(unseen_slots(1, DAY + n * WEEK) for n in range(8)) == 2


def test_a_team_without_a_stated_capacity_lists_everybody():
    assert slots_of(make_list(people(A=0.1, B=0.2), {}, None, DAY, RULES)) == {"A": "no_limit", "B": "no_limit"}


def test_a_turn_lasts_a_week_and_then_goes_to_the_next():
    caseload = [*people(A=0.5), Candidate("X", 0.1), Candidate("Y", 0.1)]
    first = make_list(caseload, {}, 2, DAY, RULES)
    assert slots_of(first) == {"A": "order", "X": "longest_unseen"}
    midweek = make_list(caseload, as_before(first, caseload), 2, DAY + dt.timedelta(days=6), RULES)
    assert slots_of(midweek) == slots_of(first) and midweek.exits == ()
    later = make_list(caseload, as_before(midweek, caseload), 2, DAY + WEEK, RULES)
    assert slots_of(later) == {"A": "order", "Y": "longest_unseen"}
    assert reasons_of(later) == {"X": "turn_over"}


# After a review


@pytest.mark.parametrize(
    ("changes", "standing"),
    [
        ({"reviewed_on": DAY - dt.timedelta(days=27)}, "reviewed"),
        ({"reviewed_on": DAY - dt.timedelta(days=28)}, "listed"),
        ({"reviewed_on": DAY - dt.timedelta(days=60), "snoozed_until": DAY + dt.timedelta(days=1)}, "snoozed"),
        ({"reviewed_on": DAY - dt.timedelta(days=9), "snoozed_until": DAY}, "listed"),
        ({"reviewed_on": DAY - dt.timedelta(days=6), "worst": 0}, "reviewed"),
        ({"reviewed_on": DAY - dt.timedelta(days=7), "worst": 0}, "listed"),
        (
            {"reviewed_on": DAY - dt.timedelta(days=6), "worst": 0, "snoozed_until": DAY + dt.timedelta(days=9)},
            "reviewed",
        ),
        (
            {"reviewed_on": DAY - dt.timedelta(days=7), "worst": 0, "snoozed_until": DAY + dt.timedelta(days=9)},
            "listed",
        ),
        ({"reviewed_on": LATELY, "worst": 0, "new_critical": True}, "listed"),
        (
            {"reviewed_on": LATELY, "worst": 0, "new_critical": True, "snoozed_until": DAY + dt.timedelta(days=9)},
            "listed",
        ),
    ],
    ids=[
        "a review rests for four weeks",
        "and not longer",
        "a snooze holds until its day",
        "and ends on it, also before the four weeks",
        "with a critical gap the rest is a week",
        "and not longer",
        "a critical gap is never snoozed, only rested",
        "for a week",
        "a new critical gap ends a rest",
        "and a snooze",
    ],
)
def test_a_reviewed_person_takes_no_slot_for_a_while(changes, standing):
    person = replace(people(A=0.9)[0], **changes)
    made = make_list([person, *people(B=0.1, C=0.1)], {}, 2, DAY, RULES)
    assert next(line.standing.value for line in made.lines if line.patient_id == "A") == standing


def test_the_snoozed_are_last_and_never_lost():
    away = replace(people(A=0.9)[0], reviewed_on=LATELY, snoozed_until=DAY + WEEK)
    made = make_list([away, *people(B=0.2, C=0.1)], held(A=0.9), 2, DAY, RULES)
    assert [line.patient_id for line in made.lines] == ["B", "C", "A"]
    assert made.lines[-1].snoozed_until == DAY + WEEK
    assert [(e.patient_id, e.reason.value, e.on) for e in made.exits] == [("A", "snoozed", DAY + WEEK)]


# Steady lists, and why somebody left


def test_a_slot_is_kept_until_somebody_is_clearly_above():
    before = held(A=0.30, B=0.29)
    near = make_list(people(A=0.30, B=0.29, C=0.31, X=0.01), before, 3, DAY, RULES)
    assert slots_of(near) == {"A": "order", "B": "kept", "C": "longest_unseen"}
    assert near.given_up_to_stay == pytest.approx(0.02)
    clear = make_list(people(A=0.30, B=0.29, C=0.33, X=0.01), before, 3, DAY, RULES)
    assert slots_of(clear)["C"] == "order"


UNSEEN = Candidate("U", 0.001)
"""Takes the turn of the longest unseen, so that the other slot of two goes by order."""


def gap(person, worst):
    return replace(person, worst=worst, gaps=int(worst < NO_SAFETY_GAP))


@pytest.mark.parametrize(
    ("now", "reason", "displaced_by"),
    [
        (people(B=0.2), "left_caseload", None),
        ([replace(people(A=0.3)[0], reviewed_on=LATELY), *people(B=0.2)], "reviewed", None),
        (people(A=0.05, B=0.2), "risk_fell", None),
        (people(A=0.3, B=0.9), "displaced", "B"),
        (people(A=0.29, B=0.9), "displaced", "B"),
    ],
    ids=["not on the caseload", "reviewed", "risk fell", "displaced", "it fell, but would not have been enough"],
)
def test_everybody_who_left_the_list_has_a_reason(now, reason, displaced_by):
    made = make_list([*now, UNSEEN], held(A=0.3), 2, DAY, RULES, gone={"A": "died"})
    (left,) = made.exits
    assert (left.patient_id, left.reason.value, left.displaced_by) == ("A", reason, displaced_by)
    assert left.listed_since == DAY - WEEK and left.note == ("died" if reason == "left_caseload" else "")
    assert left.rank == (None if reason == "left_caseload" else 1 + sum(c.risk > now[0].risk for c in now))


def test_fewer_slots_and_other_rules_are_reasons_too():
    now = [*people(A=0.3, B=0.2), UNSEEN]
    assert reasons_of(make_list(now, held(A=0.3, B=0.2), 2, DAY, RULES)) == {"B": "fewer_slots"}
    assert reasons_of(make_list(now, held(A=0.3, B=0.2), 2, DAY, RULES, same_rules=False)) == {"B": "rules_changed"}


def test_a_gap_that_closed_is_a_reason_where_gaps_give_the_order():
    a, b = people(A=0.3, B=0.2)
    before = {"A": replace(held(A=0.3)["A"], worst=0)}
    rules = replace(RULES, ranking=Ranking.GAPS)
    made = make_list([a, gap(b, 1), UNSEEN], before, 2, DAY, rules)
    assert reasons_of(made) == {"A": "gap_closed"}


# Laws


def as_before(made, caseload):
    """The list as the next run will read it."""
    of = {c.patient_id: c for c in caseload}
    return {
        line.patient_id: Before(
            of[line.patient_id].risk, of[line.patient_id].worst, line.slot, line.listed_since, line.last_listed_on
        )
        for line in made.lines
    }


DAYS = st.integers(-400, 400).map(lambda n: DAY + dt.timedelta(days=n))
PERSON = st.builds(
    Candidate,
    patient_id=st.sampled_from([f"P{n:02d}" for n in range(30)]),
    risk=st.sampled_from([0.01, 0.02, 0.1, 0.11, 0.12, 0.3, 0.33, 0.9]),
    worst=st.sampled_from([0, 1, NO_SAFETY_GAP]),
    gaps=st.integers(0, 3),
    last_seen_on=st.none() | st.integers(1, 400).map(lambda n: DAY - dt.timedelta(days=n)),
    reviewed_on=st.none() | DAYS,
    snoozed_until=st.none() | DAYS,
    new_critical=st.booleans(),
)
CASELOAD = st.lists(PERSON, max_size=20, unique_by=lambda c: c.patient_id)
CAPACITY = st.none() | st.integers(0, 14)
ANY_RULES = st.builds(
    ListRules, st.just("admission"), st.just(90), st.sampled_from(Ranking), st.sampled_from([0.0, 0.1, 0.5])
)


@settings(max_examples=150, deadline=None)
@given(CASELOAD, CASELOAD, CAPACITY, CAPACITY, ANY_RULES, st.randoms())
def test_everybody_has_one_line_slots_are_filled_and_each_who_left_has_one_reason(
    then, now, slots_then, slots, rules, chance
):
    earlier = make_list(then, {}, slots_then, DAY - WEEK, rules)
    before = as_before(earlier, then)
    made = make_list(now, before, slots, DAY, rules)
    assert sorted(line.patient_id for line in made.lines) == sorted(c.patient_id for c in now)
    assert [line.place for line in made.lines] == list(range(1, len(now) + 1))
    listed = {line.patient_id for line in made.lines if line.standing is Standing.LISTED}
    free = {line.patient_id for line in made.lines if line.standing in (Standing.LISTED, Standing.WAITING)}
    assert len(listed) == len(free) if slots is None else len(listed) == min(slots, len(free))
    assert {line.place for line in made.lines if line.slot} == set(range(1, len(listed) + 1))
    was = {line.patient_id for line in earlier.lines if line.slot}
    assert sorted(found.patient_id for found in made.exits) == sorted(was - listed)
    joined = {line.patient_id for line in made.lines if line.joined}
    assert joined == (listed - was if before else set()), "on a first list everybody would be new"
    by_id = {c.patient_id: c for c in now}
    for line in made.lines:
        if line.standing is Standing.SNOOZED:
            assert by_id[line.patient_id].worst != 0, "a snooze hid a critical gap"
    for found in made.exits:
        assert (found.displaced_by is not None) == (found.reason is LeftReason.DISPLACED)
        assert found.displaced_by is None or found.displaced_by in listed
    # The order in which people come in changes nothing.
    shuffled = list(now)
    chance.shuffle(shuffled)
    assert make_list(shuffled, before, slots, DAY, rules) == made


@settings(max_examples=150, deadline=None)
@given(CASELOAD, CASELOAD, st.integers(0, 14), st.sampled_from([0.0, 0.1, 0.5]))
def test_steady_lists_lose_at_most_a_stated_share_of_the_total_risk(then, now, slots, stay):
    """The total risk at the slots given by order is at least the highest possible, divided by 1 + stay; the summary
    reports this figure."""
    rules = ListRules("admission", 90, stay=stay)
    before = as_before(make_list(then, {}, slots, DAY - WEEK, rules), then)
    made = make_list(now, before, slots, DAY, rules)
    risk = {c.patient_id: c.risk for c in now}
    by_order = sum(risk[line.patient_id] for line in made.lines if line.slot in (Slot.ORDER, Slot.KEPT))
    best = by_order + made.given_up_to_stay
    assert made.given_up_to_stay >= -1e-12
    assert by_order >= best / (1 + stay) - 1e-12
    if stay == 0:
        assert made.given_up_to_stay == pytest.approx(0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(PERSON, max_size=14, unique_by=lambda c: c.patient_id).map(
        lambda found: [replace(c, reviewed_on=None, snoozed_until=None) for c in found]
    ),
    st.integers(1, 12),
)
def test_everybody_has_a_slot_eventually(caseload, slots):
    """Week after week, even if nobody is seen or reviewed and no risk changes."""
    turns = sum(unseen_slots(slots, DAY + n * WEEK) for n in range(4)) / 4
    had, before = set(), {}
    for week in range(int(len(caseload) / turns) + 5):
        made = make_list(caseload, before, slots, DAY + week * WEEK, RULES)
        had |= set(slots_of(made))
        before = as_before(made, caseload)
    assert had == {c.patient_id for c in caseload}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(PERSON, min_size=1, max_size=20, unique_by=lambda c: c.patient_id), st.integers(0, 14), st.integers(0, 5)
)
def test_a_list_made_again_on_the_same_data_does_not_move(caseload, slots, days):
    """Nightly runs inside a week, with nothing new: nobody joins and nobody leaves, turns included."""
    caseload = [replace(c, reviewed_on=None, snoozed_until=None) for c in caseload]
    monday = dt.date.fromordinal(DAY.toordinal() // 7 * 7 + 7)
    first = make_list(caseload, {}, slots, monday, RULES)
    again = make_list(caseload, as_before(first, caseload), slots, monday + dt.timedelta(days=days), RULES)
    assert slots_of(again) == slots_of(first)
    assert again.exits == () and not any(line.joined for line in again.lines)


@settings(max_examples=60, deadline=None)
@given(CASELOAD)
def test_a_blended_list_places_the_nth_person_of_each_order_within_2n(caseload):
    """The n-th person by risk, or n-th by gaps with a gap, is among the first 2n - 1 or 2n."""
    place = {c.patient_id: n for n, c in enumerate(in_order(caseload, Ranking.BLENDED), 1)}
    for n, c in enumerate(in_order(caseload, Ranking.RISK), 1):
        assert place[c.patient_id] <= 2 * n - 1
    for n, c in enumerate(in_order(caseload, Ranking.GAPS), 1):
        assert c.worst == NO_SAFETY_GAP or place[c.patient_id] <= 2 * n


# The lottery band

BAND = replace(RULES, band=BandRules(seed=5, each_side=3, margin=0.5, most_cost=0.05))
NEAR = people(A=0.50, B=0.40, C=0.32, D=0.31, E=0.30, F=0.29, G=0.28, H=0.27, I=0.10)


def test_without_a_band_nothing_is_drawn():
    made = make_list(NEAR, {}, 6, DAY, RULES)
    assert made.tickets == () and "lottery" not in slots_of(made).values()


def test_newcomers_near_the_line_share_the_last_places_by_a_draw():
    made = make_list(NEAR, {}, 6, DAY, BAND)  # five places by order, one for the longest unseen
    assert {t.person for t in made.tickets} == {"C", "D", "E", "F", "G", "H"}
    won = {t.person for t in made.tickets if t.drawn}
    assert {name for name, slot in slots_of(made).items() if slot == "lottery"} == won and len(won) == 3
    assert len(slots_of(made)) == 6 and made.given_up_to_draw >= 0


def test_nobody_with_a_critical_or_high_gap_and_nobody_who_holds_a_place_is_drawn():
    gaps = [replace(c, worst=1, gaps=1) if c.patient_id == "D" else c for c in NEAR]
    made = make_list(gaps, held(E=0.3), 6, DAY, BAND)
    assert not {"D", "E"} & {t.person for t in made.tickets} and made.tickets
    assert {"D", "E"} <= set(slots_of(made))


def drawn(made, line_risk=0.3):
    """The people of a list, as they come to the next night: with the result of the draw and their places."""
    result = {t.person: Drawn(t.drawn, line_risk) for t in made.tickets}
    lines = {line.patient_id: line for line in made.lines}
    before = {c.patient_id: Before(c.risk, slot=lines[c.patient_id].slot, listed_since=DAY) for c in NEAR}
    return [replace(c, draw=result.get(c.patient_id)) for c in NEAR], before


def test_a_draw_stands_for_its_week():
    first = make_list(NEAR, {}, 6, DAY, BAND)
    again, before = drawn(first)
    second = make_list(again, before, 6, DAY + dt.timedelta(days=1), BAND)
    assert second.tickets == () and second.exits == ()
    assert slots_of(second) == slots_of(first)


@pytest.mark.parametrize("change", [{"worst": 0, "gaps": 1}, {"risk": 0.6}])
def test_a_new_gap_or_a_clearly_higher_risk_ends_the_wait(change):
    first = make_list(NEAR, {}, 6, DAY, BAND)
    again, before = drawn(first)
    chosen = set(slots_of(first))
    waits = next(t.person for t in first.tickets if t.person not in chosen)
    later = [replace(c, **change) if c.patient_id == waits else c for c in again]
    rules = replace(BAND, ranking=Ranking.GAPS)
    assert waits in slots_of(
        make_list(later, before, 6, DAY + dt.timedelta(days=1), rules if "worst" in change else BAND)
    )
